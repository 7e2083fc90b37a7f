# The action delete: the rows that are named by id, and no others.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $eve = 'c0020000-71b9-4000-8000-0242ac120002';
my $hana = 'c0050000-71b9-4000-8000-0242ac120002';
my $globex = table_hash('contacts', "organization_id = 'globex'");

foreach my $mode (qw(mixed sync)) {
    my $run = sub {
        my ($request) = @_;
        return run_batch($request) if $mode eq 'mixed';
        return synchronous({atomic => FALSE, %$request})->json->{data};
    };
    restore();
    my $rest = table_hash('contacts', "id NOT IN ('$dana', '$eve')");
    my $batch = $run->(removal('contact', [{id => $dana}, {id => $eve}]));
    is_result($batch, 'completed', {deleted => 2}, "$mode: a delete");
    is_phases($batch, {received => 2}, $mode);
    is(value("SELECT count(*) FROM contacts WHERE id IN ('$dana', '$eve')"), 0, "$mode: both are gone");
    is(table_hash('contacts', "id NOT IN ('$dana', '$eve')"), $rest, "$mode: and only those");

    restore();
    my @items = (
        {id => $dana}, {}, {name => 'Eve Eriksson'}, {id => undef}, {id => 5}, {id => ''}, {id => $hana},
        {id => '00000000-0000-4000-8000-000000000000'}, {id => $dana}, 'x', {id => [$eve]},
        {id => "$eve' OR '1'='1"}, {id => $eve, fax => 1}
    );
    $batch = $run->(removal('contact', \@items));
    is_result($batch, 'completed', {deleted => 1, errors => 11, duplicates => 1}, "$mode: items without a valid id");
    is_phases($batch, {received => 13, duplicates => 1, invalid => 11}, "$mode, wrong items");
    my @errors = stored_errors($batch);
    is_item_errors(
        \@errors,
        [
            [1, 'id', 'missing'], [2, 'id', 'missing'], [3, 'id', qr/missing|wrong_type/], [4, 'id', qr/wrong_type|not_found/],
            [5, 'id', qr/missing|wrong_type|not_found/], [6, 'id', 'not_found'], [7, 'id', 'not_found'],
            [8, $errors[7]{field}, 'duplicate'], [9, undef, 'not_an_object'], [10, 'id', 'wrong_type'],
            [11, 'id', 'not_found'], [12, 'fax', 'unknown_member']
        ],
        "$mode: each says what is wrong"
    ) if @errors == 12;
    is(scalar @errors, 12, "$mode: all are listed");
    is(value("SELECT count(*) FROM contacts WHERE organization_id = 'acme'"), 3, "$mode: one row is gone");
    is(table_hash('contacts', "organization_id = 'globex'"), $globex, "$mode: globex is untouched");

    # Groups have a match key; a delete has not.
    $batch = $run->(removal('group', [{name => 'Inspectors', resource => 'contact'},
                {id => 'd0030000-71b9-4000-8000-0242ac120002'}]));
    is_result($batch, 'completed', {deleted => 1, errors => 1}, "$mode: a match key is no id");
    is(value("SELECT count(*) FROM groups WHERE organization_id = 'acme'"), 2, "$mode: and removes nothing");

    # Records, of either form.
    my @ids = (record_ids(3), map { $_->{id} } rows("SELECT id FROM records WHERE form_id = '" . HYDRANTS() . "' LIMIT 2"));
    my ($theirs) = rows("SELECT id FROM records WHERE organization_id = 'globex'");
    $batch = $run->(removal('record', [map { {id => $_} } @ids, $theirs->{id}]));
    is_result($batch, 'completed', {deleted => 5, errors => 1}, "$mode: records by id");
    is(value('SELECT count(*) FROM records'), 595, "$mode: five are gone");
    is(value("SELECT count(*) FROM records WHERE id = '$theirs->{id}'"), 1, "$mode: globex's is there");

    restore();
    $batch = $run->(removal('contact', [{id => $hana}, {}]));
    is_result($batch, 'failed', {errors => 2}, "$mode: a delete without a valid item fails")
        if $batch->{status} eq 'failed';
    is($batch->{stats}{deleted}, 0, "$mode: one without a valid item deletes nothing");
    is(value('SELECT count(*) FROM contacts'), 6, "$mode: no row is gone");
}

is_refused(post_batches(removal('contact', [{id => $dana}]), as => 'bob'), 403, 'forbidden', 'bob');
is_refused(synchronous(removal('contact', [{id => $dana}]), as => 'bob'), 403, 'forbidden', 'bob, sync');
is_refused(post_batches(removal('record', [{id => record_ids(1)}]), as => 'bob'), 403, 'forbidden', 'bob, a record');
is(value('SELECT count(*) FROM contacts'), 6, 'nothing is gone');
is(value('SELECT count(*) FROM records'), 600, 'no record, either');

# Many, as often as it takes: each row once.
restore();
is_result(run_batch(merge('contact', [contact_items(2500)])), 'completed', {created => 2500}, 'many rows');
my @ids = map { $_->{id} } contacts("notes = 'made'");
on_table('contacts', sub { count_trigger('DELETE') });
my $batch = run_batch(removal('contact', [map { {id => $_} } @ids[0 .. 1999], unknown_ids(300)]));
is_result($batch, 'completed', {deleted => 2000, errors => 300}, '2000 of 2300 ids are known');
is_phases($batch, {received => 2300, invalid => 300}, 'many');
is_deeply(applied(), {touched => 2000, ids => 2000, most => 1}, 'each is deleted once');
is(value('SELECT count(*) FROM contacts'), 506, 'and the others are there');
is(table_hash('contacts', "organization_id = 'globex'"), $globex, 'globex is untouched');

# The same without a trigger: in whatever order that is done, each is told apart.
restore();
run_batch(merge('contact', [contact_items(1500)]));
@ids = sort { substr($a, -6) cmp substr($b, -6) } map { $_->{id} } contacts("notes = 'made'");
my @kept = splice @ids, 1400;
splice @ids, 700, 0, unknown_ids(1);
splice @ids, 1200, 0, $ids[5];
$batch = run_batch(removal('contact', [map { {id => $_} } @ids]));
is_result($batch, 'completed', {deleted => 1400, errors => 1, duplicates => 1}, '1400 rows in no order');
is_phases($batch, {received => 1402, invalid => 1, duplicates => 1}, 'in no order');
my @errors = stored_errors($batch);
is_item_errors(\@errors, [[700, 'id', 'not_found'], [1200, $errors[1]{field}, 'duplicate']], 'which are the wrong ones');
is(value("SELECT count(*) FROM contacts WHERE notes = 'made'"), 100, 'the rest is there');
is(value("SELECT count(*) FROM contacts WHERE id IN ('" . join("', '", @kept) . "')"), 100, 'which was not named');

# Rows that go, or change hands, between the answer and the run.
restore();
configure('BatchWorkers 0');
server_stop();
ok(server_start(), 'a server without workers');
$batch = accepted(removal('contact', [{id => $dana}, {id => $eve}, {id => 'c0040000-71b9-4000-8000-0242ac120002'}]));
is($batch->{status}, 'queued', 'a batch waits');
sql("DELETE FROM contacts WHERE id = '$dana'", "UPDATE contacts SET organization_id = 'globex' WHERE id = '$eve'");
unconfigure();
server_stop();
ok(server_start(), 'a server with workers');
$batch = resource_final($batch);
is_result($batch, 'completed', {deleted => 1, errors => 2}, 'what went or changed hands meanwhile fails');
is_phases($batch, {received => 3, refused => 2}, 'in processing');
is_item_errors([stored_errors($batch)], [[0, 'id', 'not_found'], [1, 'id', 'not_found']], 'as not found')
    if (stored_errors($batch))[0]{field};
is(value("SELECT organization_id FROM contacts WHERE id = '$eve'"), 'globex', 'it is where it was put');

finish();
