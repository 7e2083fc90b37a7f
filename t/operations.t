# POST /batch/ID/operations: adds operations to a pending batch, and to no other; the first of all runs.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(20);
my $before = table_hash('records');

sub add
{
    my ($batch, $operations, %option) = @_;
    my $id = ref $batch ? $batch->{id} : $batch;
    return request('POST', "/batch/$id/operations", json => {operations => $operations}, %option);
}

my $batch = pending([]);
my $operation = delete_ids(@ids[0 .. 4]);
my $answer = add($batch, [$operation]);
is($answer->status, 200, 'operations are answered 200');
is($answer->media_type, 'application/json', 'with JSON');
is_deeply([sort keys %{$answer->json}], ['batch', 'operations'], 'of operations and batch');
is_deeply($answer->json->{operations}, [$operation], 'the operations are those that were sent');
is($answer->json->{batch}{id}, $batch->{id}, 'the batch is this one');
is_batch_counts(
    $answer->json->{batch},
    ['pending', 5, 0, 0],
    'it is pending, with its objects counted'
);
is_batch_counts(batch($batch), ['pending', 5, 0, 0], 'and stays so');
is(table_hash('records'), $before, 'nothing is deleted yet');

# More are kept behind them, and not run.
my @all = ($operation, delete_ids(@ids[6, 5, 7, 5]), operation(query => "_status = 'good'"));
$answer = add($batch, [$all[1]]);
is($answer->status, 200, 'another operation');
$all[1] = delete_ids(@ids[6, 5, 7]);
is_deeply($answer->json->{operations}, [@all[0, 1]], 'is added behind the first, its ids once each');
is_batch_counts($answer->json->{batch}, ['pending', 5, 0, 0], 'the objects are those of the first');
like($answer->json->{batch}{warnings}[0], qr/only the first operation is run/, 'with the warning');
is_deeply(batch($batch), $answer->json->{batch}, 'which the batch keeps');
$answer = add($batch, [$all[2], $all[1]]);
is_deeply($answer->json->{operations}, [@all[0, 1, 2, 1]], 'two more, all are shown');
is(value("SELECT count(*) FROM batch_items"), 1, 'stored are the objects of the first only');
start($batch);
is_batch_counts(finished($batch), ['success', 5, 5, 0], 'the first one runs');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids[0 .. 4]) . "')"),
    0, 'its rows are gone');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids[5 .. 7]) . "')"),
    3, 'those of the others are not');

# To a batch that was made with operations, in the order in which they were sent, by another user.
$batch = pending(update_ids({status => 'fair'}, @ids[7, 5, 6]));
$operation = update_ids({status => 'good'}, @ids[8, 9]);
$answer = add($batch, [$operation], as => 'bob');
is($answer->status, 200, 'bob adds an update to an update');
is_deeply($answer->json->{operations}, [update_ids({status => 'fair'}, @ids[7, 5, 6]), $operation], 'both are shown');
is($answer->json->{batch}{updated_by}, 'Bob Baker', 'bob is the one who changed it');
is($answer->json->{batch}{created_by}, 'Alice Archer', 'alice the one who made it');
is_error(add($batch, [delete_ids($ids[9])], as => 'bob'), 403, 'bob may not add what he may not do');
start($batch, as => 'bob');
is_batch_counts(finished($batch), ['success', 3, 3, 0], 'the first update runs');
is(value("SELECT count(*) FROM records WHERE status = 'fair' AND id IN ('" . join("', '", @ids[5 .. 7]) . "')"), 3, 'its rows are updated');
$batch = pending(delete_ids($ids[8]));
is_error(add($batch, [$operation], as => 'bob'), 403, 'nor add to what he may not do');

# The first by a query, and behind it one by ids.
$batch = pending(operation(query => "_record_id = '$ids[8]'"));
$answer = add($batch, [delete_ids($ids[9])]);
is_deeply($answer->json->{operations}, [operation(query => "_record_id = '$ids[8]'"), delete_ids($ids[9])], 'behind a query');
start($batch);
is_batch_counts(finished($batch), ['success', 1, 1, 0], 'the query runs');
is(value("SELECT count(*) FROM records WHERE id IN ('$ids[8]', '$ids[9]')"), 1, 'and not the ids');
restore();

# Of several at once each is kept.
$batch = pending(delete_ids($ids[0]));
parallel([map { request_text('POST', "/batch/$batch->{id}/operations", json => {operations => [delete_ids("n$_")]}) } 1 .. 8]);
$answer = add($batch, [delete_ids('last')]);
is(join(' ', sort map { $_->{ids}[0] } @{$answer->json->{operations}}[1 .. 8]), join(' ', map {"n$_"} 1 .. 8),
    'eight requests at once');

# Without end they are not kept.
my @many = map { delete_ids(unknown_ids(8000)) } 1 .. 3;
is(add($batch, [$_])->status, 200, 'many ids') for @many;
is_unprocessable(add($batch, [$many[0]]), ['operations'], 'too many');
is(scalar @{add($batch, [delete_ids('x')])->json->{operations}}, 14, 'a few more, what was refused is not kept');

# Several: the first runs, the others are kept and shown.
$batch = pending([]);
my @several = (
    delete_ids($ids[8]),
    delete_ids($ids[9]),
    operation(action => 'update', ids => [$ids[10]], data => {status => 'fair'})
);
$answer = add($batch, \@several);
is($answer->status, 200, 'several operations');
is_deeply($answer->json->{operations}, \@several, 'all are kept');
ok(@{$answer->json->{batch}{warnings} || []} >= 1, 'with a warning that only the first will run');
ok(@{batch($batch)->{warnings} || []} >= 1, 'the warning is shown with the batch, too');
start($batch);
is_batch_counts(finished($batch), ['success', 1, 1, 0], 'only the first one runs');
is(value("SELECT count(*) FROM records WHERE id = '$ids[9]'"), 1, 'the second has not');

# Duplicates, sizes.
$batch = pending([]);
$answer = add($batch, [delete_ids(@ids[11, 12, 11])]);
is($answer->json->{batch}{objects_total}, 2, 'duplicates are one object');
$batch = pending([]);
is_unprocessable(add($batch, [delete_ids(unknown_ids(10001))]), ['operations[0].ids'],
    '10,001 ids');
is(batch($batch)->{objects_total}, 0, 'what was refused has changed nothing');
is(add($batch, [delete_ids(unknown_ids(10000))])->status, 200, '10,000 ids');

# What is wrong.
is_unprocessable(add($batch, []), ['operations'], 'no operation');
is_unprocessable(request('POST', "/batch/$batch->{id}/operations", json => {}),
    ['operations'], 'no member operations');
is_unprocessable(add($batch, [operation(ids => undef)]),
    ['operations[0].ids'], 'neither ids nor query');
is_unprocessable(add($batch, [operation(ids => [])]), ['operations[0].ids'], 'no ids');
is_unprocessable(add($batch, [operation(form_id => 'none', ids => [$ids[0]])]),
    ['operations[0].form_id'], 'an unknown form');
is_error(request('POST', "/batch/$batch->{id}/operations", body => '{"operations":['),
    400, 'malformed JSON');
is_error(add($batch, [$operation], type => 'text/plain'), 415, 'another media type');
is_error(add('00000000-0000-4000-8000-000000000000', [$operation]), 404, 'operations of no batch');
is_error(add('nonsense', [$operation]), 404, 'operations of an id that is none');
is(batch($batch)->{objects_total}, 10000, 'none of these has changed anything');

# 409 otherwise.
$batch = create(delete_ids($ids[13]));
finished($batch);
is_error(add($batch, [delete_ids($ids[14])]), 409, 'operations of a batch that succeeded');
$batch = create(delete_ids(unknown_ids(1)));
finished($batch);
is_error(add($batch, [delete_ids($ids[14])]), 409, 'operations of a batch that failed');
restore();
slow_trigger('DELETE', 300);
$batch = create(delete_ids(@ids));
is_error(add($batch, [delete_ids($ids[14])]), 409, 'operations of a running batch');
let_go();
is_batch_counts(finished($batch), ['success', 20, 20, 0], 'which goes on with its own');

finish();
