# POST /batch: what a created batch looks like, what it does to the rows, and to which rows only.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $others = "form_id <> '" . TESTING_APP . "'";
my $before_others = table_hash('records', $others);
my @members = sort qw(id status objects_total objects_success objects_failed created_at updated_at
    started_at completed_at created_by created_by_id updated_by updated_by_id reason);

# ---- Started at once -----------------------------------------------------------------------------

my @ids = record_ids(120);
my @gone = @ids[0 .. 99];
my $kept = "id NOT IN ('" . join("', '", @gone) . "')";
my $before_kept = table_hash('records', $kept);

my $answer = post_batch(delete_ids(@gone));
is($answer->status, 202, 'a batch that starts at once is answered 202');
like($answer->header('Content-Type'),
    qr{^application/json(?:;|$)}, 'the media type is exactly application/json');
my $batch = $answer->json->{batch};
is(
    join(' ', sort keys %$batch),
    join(' ', @members),
    'the batch has the members that docs/api lists, and no others'
);
like($batch->{id}, qr/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'the id is a UUID');
like(
    $answer->header('Location'),
    qr{^(?:http://[^/]+)?/batch/\Q$batch->{id}\E$},
    'Location names the batch'
);
is_batch_counts(
    $batch,
    ['running', 100, 0, 0],
    'it runs from its start on, and nothing is deleted before the answer'
);
is($batch->{created_by}, 'Alice Archer', 'created_by is the display name');
is($batch->{created_by_id}, '6fcf631a-71b9-11ee-b962-0242ac120002', 'created_by_id is the user id');
is($batch->{updated_by}, 'Alice Archer', 'updated_by too');
is($batch->{updated_by_id}, '6fcf631a-71b9-11ee-b962-0242ac120002', 'updated_by_id too');
like($batch->{$_}, utc_time(), "$_ is a time in UTC") for qw(created_at updated_at started_at);
is($batch->{$_}, undef, "$_ is null while it runs") for qw(completed_at reason);
ok($answer->body =~ /"objects_total":\s*100\b/, 'counts are numbers, not strings');

my $end = finished($batch);
is_batch_counts($end, ['success', 100, 100, 0], 'it succeeds with all its objects');
like($end->{completed_at}, utc_time(), 'completed_at is there');
ok($end->{completed_at} ge $end->{started_at} && $end->{started_at} ge $end->{created_at},
    'the times are in order');
is($end->{reason}, undef, 'reason stays null');
is($end->{created_at}, $batch->{created_at}, 'created_at does not change');
is(value("SELECT count(*) FROM records WHERE NOT ($kept)"),
    0, 'the rows are gone from the database');
is(table_hash('records', $kept), $before_kept, 'and only those');
is(table_hash('records', $others), $before_others, 'no other form was touched');
is(value("SELECT count(*) FROM records WHERE form_id = '" . TESTING_APP . "'"),
    400, '400 of 500 are left');

# ---- Not started ---------------------------------------------------------------------------------

my $before = table_hash('records');
$answer = post_batch(delete_ids(@ids[100 .. 104]), batch => {start => JSON::PP::false});
is($answer->status, 201, 'start false is answered 201');
my $waiting = $answer->json->{batch};
like($answer->header('Location'), qr{/batch/\Q$waiting->{id}\E$}, 'with a Location too');
is_batch_counts($waiting, ['pending', 5, 0, 0], 'it is pending');
is($waiting->{$_}, undef, "$_ is null while it is pending") for qw(started_at completed_at reason);
is(value("SELECT count(*) FROM batch_jobs WHERE id = '$waiting->{id}'"),
    1, 'it is in the database once the answer is here');
# A batch that is made and started later has ended meanwhile: this one would have, too.
finished(create(delete_ids(unknown_ids(1))));
is(batch($waiting)->{status}, 'pending', 'nobody starts it but the client');
is(table_hash('records'), $before, 'a pending batch changes nothing');

$answer = post_batch([], batch => {start => JSON::PP::false});
is($answer->status, 201, 'a batch without operations may be made');
is_batch_counts($answer->json->{batch}, ['pending', 0, 0, 0], 'it waits for its operations');
$answer = request('POST', '/batch', json => {batch => {start => JSON::PP::false}});
is($answer->status, 201, 'the same with the member absent');

$answer = request('POST', '/batch',
    json => {batch => {start => JSON::PP::true, operations => [delete_ids($ids[100])]}});
is($answer->status, 202, 'start true is answered 202');
finished($answer->json->{batch});

# ---- Selections ----------------------------------------------------------------------------------

$batch = create(delete_ids(@ids[105, 106, 105, 105, 106]));
is($batch->{objects_total}, 2, 'duplicates are one object');
is_batch_counts(finished($batch), ['success', 2, 2, 0], 'and are counted once');

$end = finished(create(delete_ids($ids[107], unknown_ids(3))));
is_batch_counts($end, ['success', 4, 1, 3], 'ids that name no record count in objects_failed');
is(value("SELECT count(*) FROM records WHERE id = '$ids[107]'"), 0, 'the one that does is deleted');

$end = finished(create(delete_ids(unknown_ids(7))));
is_batch_counts($end, ['failed', 7, 0, 7], 'a batch of which every id failed is failed');
like($end->{reason}, qr/\w/, 'and says why');
like($end->{completed_at}, utc_time(), 'a failed one is completed, too');

# Ids are text: whatever they look like, they are compared and never interpreted.
my @strange = (
    "it's", '"quoted"',
    'a,b', "tab\there",
    "line\nfeed", '%s%d%n',
    "' OR '1'='1", "'; DROP TABLE records; --",
    "\x{e9}\x{20ac}\x{1f600}", '\\back\\slash',
    ' leading', 'trailing ',
    'x' x 255, '../../x',
    '{}', '1:a,~',
    '0', 'NULL'
);

foreach my $id (@strange) {
    (my $quoted = $id) =~ s/'/''/g;
    utf8::encode($quoted);
    run_sql('INSERT INTO records (id, organization_id, form_id, created_at, updated_at)'
            . " VALUES ('$quoted', 'acme', '" . TESTING_APP . "', 'x', 'x');");
}
my $count = value('SELECT count(*) FROM records');
$end = finished(create(delete_ids(@strange)));
is_batch_counts(
    $end,
    ['success', scalar @strange, scalar @strange, 0],
    'ids with every kind of character are found'
);
is(value('SELECT count(*) FROM records'), $count - @strange,
    'and they, and no others, are deleted');

# ---- What does not matter ------------------------------------------------------------------------

$answer = request(
    'POST', '/batch',
    json => {
        color => 'blue',
        batch => {
            wish => [1, {deep => undef}],
            operations => [{%{delete_ids($ids[108])}, note => {a => [1]}, priority => 1e3}]
        },
        z => undef
    }
);
is($answer->status, 202, 'unknown properties are ignored everywhere');
is_batch_counts(finished($answer->json->{batch}), ['success', 1, 1, 0], 'and disturb nothing');

my $id = $ids[109];
my $body
    = qq( \r\n\t{ "batch" : {"operations":[{"ids":["\\u0030$id"],"form_id":"\\u0038) .
    substr(TESTING_APP, 1) .
    qq(","resource":"rec\\u006frd","action":"delete"}] ,"start":false} }\n );
$answer = request('POST', '/batch', body => $body);
is($answer->status, 201, 'any order of members, any white space, escapes');
is($answer->json->{batch}{objects_total}, 1, 'are read as JSON says');

$answer = request(
    'POST', '/batch',
    json => {batch => {operations => [delete_ids($ids[110])]}},
    type => 'application/json; charset=UTF-8'
);
is($answer->status, 202, 'a media type with a parameter');
finished($answer->json->{batch});

# ---- Several operations --------------------------------------------------------------------------

$answer = post_batch([delete_ids($ids[111]), delete_ids($ids[112]), {action => 'unheard-of'}]);
is($answer->status, 202, 'further operations are accepted');
$batch = $answer->json->{batch};
ok(ref $batch->{warnings} eq 'ARRAY' && @{$batch->{warnings}} >= 1 && !ref $batch->{warnings}[0],
    'with warnings as texts');
is_batch_counts(finished($batch), ['success', 1, 1, 0], 'only the first one runs');
is(value("SELECT count(*) FROM records WHERE id = '$ids[112]'"), 1, 'the second has not run');

# ---- Sizes ---------------------------------------------------------------------------------------

restore();
my @all = record_ids(500);
$batch = create(delete_ids(@all, unknown_ids(9500)));
is_batch_counts(finished($batch), ['success', 10000, 500, 9500], '10,000 distinct ids are taken');
is(value("SELECT count(*) FROM records WHERE form_id = '" . TESTING_APP . "'"),
    0, 'and worked through');
restore();
$batch = create(delete_ids((@all, unknown_ids(9500)) x 3));
is_batch_counts(
    finished($batch),
    ['success', 10000, 500, 9500],
    '30,000 ids that make 10,000 distinct ones, too'
);
restore();
$before = table_hash('records');
is_unprocessable(post_batch(delete_ids(@all, unknown_ids(9501))),
    ['operations[0].ids'], '10,001 distinct ids');
is_unprocessable(
    post_batch(delete_ids(@all, unknown_ids(9501)), batch => {start => JSON::PP::false}),
    ['operations[0].ids'], '10,001 distinct ids in a pending batch');
is(request('GET', '/batch')->json->{total_count}, 0, 'neither has made a batch');
is(table_hash('records'), $before, 'nothing is cut off and run');

finish();
