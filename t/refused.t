# A row that the database refuses fails alone: the rows of its chunk are still applied, exactly
# once.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(60);
my @refused = @ids[0, 17, 18, 19, 59];
my $condition = "OLD.id IN ('" . join("', '", @refused) . "')";

# SQLite has four ways to refuse; one of them takes the whole transaction along.
foreach my $how (driver() eq 'pgsql' ? ('ABORT') : qw(ABORT FAIL ROLLBACK)) {
    foreach my $event (qw(DELETE UPDATE)) {
        restore();
        count_trigger($event);
        refuse_trigger($event, $condition, 'this record is under seal', $how);
        my $operation
            = $event eq 'DELETE' ? delete_ids(@ids) : update_ids({status => 'sealed'}, @ids);
        my $batch = finished(create($operation));
        is_batch_counts($batch, ['success', 60, 55, 5],
            "$event, RAISE($how): only those rows fail");
        is_deeply(
            applied(),
            {touched => 55, ids => 55, most => 1},
            "$event, RAISE($how): the others are applied once each"
        );
        my $untouched
            = value('SELECT count(*) FROM records WHERE ' .
                ($event eq 'DELETE' ? '' : "coalesce(status, '') <> 'sealed' AND ") . "id IN ('" .
                join("', '", @ids) . "')");
        is($untouched, 5, "$event, RAISE($how): five rows are as they were");
        my $errors = request('GET', "/batch/$batch->{id}/errors.json")->json;
        is_deeply([map { $_->{id} } @$errors], \@refused, "$event, RAISE($how): they are listed");
        ok(
            !(
                grep { $_->{code} ne 'refused' || $_->{message} !~ /this record is under seal/ }
                @$errors
            ),
            "$event, RAISE($how): with the database's own words"
        );
    }
}

# A trigger that swallows the row: nothing was changed, and that is no success.
if (driver() ne 'pgsql') {
    restore();
    trigger('test_ignore', 'BEFORE', 'DELETE', 'SELECT RAISE(IGNORE)', $condition);
    my $batch = finished(create(delete_ids(@ids)));
    is_batch_counts(
        $batch,
        ['success', 60, 55, 5],
        'a row that a trigger keeps is not counted as deleted'
    );
}

# A foreign key: records that something refers to.
restore();
sql(
'CREATE TABLE test_photos (id TEXT PRIMARY KEY, record_id TEXT NOT NULL REFERENCES records (id))',
    map {"INSERT INTO test_photos VALUES ('photo of $_', '$_')"} @ids[3, 4]
);
my $batch = finished(create(delete_ids(@ids[0 .. 9])));
is_batch_counts($batch, ['success', 10, 8, 2], 'a foreign key keeps its rows');
is_deeply(
    [map {"$_->{id} $_->{code}"} @{request('GET', "/batch/$batch->{id}/errors.json")->json}],
    ["$ids[3] refused", "$ids[4] refused"],
    'they are listed'
);
is(value('SELECT count(*) FROM test_photos'), 2, 'and what refers to them is there');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids[0 .. 9]) . "')"),
    2, 'the others are gone');
sql('DROP TABLE test_photos');

# A foreign key that is looked at only at the commit.
restore();
sql(
    'CREATE TABLE test_photos (id TEXT PRIMARY KEY, record_id TEXT NOT NULL'
        . ' REFERENCES records (id) DEFERRABLE INITIALLY DEFERRED)',
    map {"INSERT INTO test_photos VALUES ('photo of $_', '$_')"} @ids[3, 4]
);
$batch = finished(create(delete_ids(@ids[0 .. 9])));
is_batch_counts($batch, ['success', 10, 8, 2], 'a deferred foreign key keeps its rows, too');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids[0 .. 9]) . "')"),
    2, 'the others are gone');
sql('DROP TABLE test_photos');

# Every row refused: the batch could do nothing.
restore();
refuse_trigger('DELETE', "OLD.form_id = '" . TESTING_APP . "'", 'closed for the winter');
$batch = finished(create(delete_ids(@ids)));
is_batch_counts($batch, ['failed', 60, 0, 60], 'every row refused is a failed batch');
like($batch->{reason}, qr/\w/, 'which says why');
is(value("SELECT count(*) FROM records WHERE organization_id = 'acme'"), 540, 'all are there');

# All of a large batch, so that many chunks are nothing but refusals.
restore();
refuse_trigger('UPDATE', "OLD.status = 'good'",
    'good is good', driver() eq 'pgsql' ? 'ABORT' : 'ROLLBACK');
my $good = value(
    "SELECT count(*) FROM records WHERE status = 'good' AND form_id = '" . TESTING_APP . "'");
count_trigger('UPDATE');
$batch = finished(create(update_ids({project_id => 'p'}, record_ids(500))));
is_batch_counts(
    $batch,
    ['success', 500, 500 - $good, $good],
    'a batch of 500 with many refusals ends'
);
is_deeply(
    applied(),
    {touched => 500 - $good, ids => 500 - $good, most => 1},
    'and has applied each of the others once'
);

# A CHECK constraint and a value too many: an update that the table refuses.
restore();
if (driver() ne 'pgsql') {
    sql(
'CREATE TABLE test_seen (record_id TEXT UNIQUE, status TEXT CHECK (status <> \'forbidden\'))'
    );
    trigger(
        'test_check', 'AFTER', 'UPDATE',
        "INSERT INTO test_seen VALUES (NEW.id, NEW.status)",
        "OLD.id = '$ids[2]'"
    );
    is_batch_counts(
        finished(create(update_ids({status => 'forbidden'}, @ids[0 .. 4]))),
        ['success', 5, 4, 1],
        'a CHECK constraint'
    );
    is_batch_counts(
        finished(create(update_ids({status => 'allowed'}, @ids[0 .. 4]))),
        ['success', 5, 5, 0],
        'which lets other values pass'
    );
    is_batch_counts(
        finished(create(update_ids({status => 'again'}, @ids[0 .. 4]))),
        ['success', 5, 4, 1],
        'a UNIQUE constraint'
    );
}

finish();
