# POST /batch/ID/operations: sets the operations of a pending batch, and of no other.
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(20);
my $before = table_hash('records');

sub set
{
    my ($batch, $operations, %option) = @_;
    my $id = ref $batch ? $batch->{id} : $batch;
    return request('POST', "/batch/$id/operations", json => {operations => $operations}, %option);
}

my $batch = pending([]);
my $operation = delete_ids(@ids[0 .. 4]);
my $answer = set($batch, [$operation]);
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

# They are set, not added.
$operation = delete_ids(@ids[5 .. 7]);
$answer = set($batch, [$operation]);
is_deeply($answer->json->{operations}, [$operation], 'other operations take their place');
is($answer->json->{batch}{objects_total}, 3, 'objects_total follows');
start($batch);
is_batch_counts(finished($batch), ['success', 3, 3, 0], 'the last ones run');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids[0 .. 4]) . "')"),
    5, 'the first ones have not');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids[5 .. 7]) . "')"),
    0, 'the others have');

# Another action takes the place of the first, too.
$batch = pending(delete_ids(@ids[0 .. 1]));
$operation = update_ids({status => 'fair'}, @ids[2 .. 3]);
is(set($batch, [$operation])->status, 200, 'alice sets an update in the place of a delete');
$operation = update_ids({status => 'good'}, @ids[2 .. 3]);
$answer = set($batch, [$operation], as => 'bob');
is($answer->status, 200, 'bob sets another update');
is_deeply($answer->json->{operations}, [$operation], 'the data of an update come back');
is($answer->json->{batch}{updated_by}, 'Bob Baker', 'bob is the one who changed it');
is($answer->json->{batch}{created_by}, 'Alice Archer', 'alice the one who made it');
start($batch, as => 'bob');
is_batch_counts(finished($batch), ['success', 2, 2, 0], 'the update runs');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids[0 .. 3]) . "')"),
    4, 'nothing is deleted');
is(value("SELECT count(*) FROM records WHERE status = 'good' AND id IN ('$ids[2]', '$ids[3]')"),
    2, 'two rows are updated');

# Several: the first runs, the others are kept and shown.
$batch = pending([]);
my @several = (
    delete_ids($ids[8]),
    delete_ids($ids[9]),
    operation(action => 'update', ids => [$ids[10]], data => {status => 'fair'})
);
$answer = set($batch, \@several);
is($answer->status, 200, 'several operations');
is_deeply($answer->json->{operations}, \@several, 'all are kept');
ok(@{$answer->json->{batch}{warnings} || []} >= 1, 'with a warning that only the first will run');
ok(@{batch($batch)->{warnings} || []} >= 1, 'the warning is shown with the batch, too');
start($batch);
is_batch_counts(finished($batch), ['success', 1, 1, 0], 'only the first one runs');
is(value("SELECT count(*) FROM records WHERE id = '$ids[9]'"), 1, 'the second has not');

# Duplicates, sizes.
$batch = pending([]);
$answer = set($batch, [delete_ids(@ids[11, 12, 11])]);
is($answer->json->{batch}{objects_total}, 2, 'duplicates are one object');
is(set($batch, [delete_ids(unknown_ids(10000))])->status, 200, '10,000 ids');
is_unprocessable(set($batch, [delete_ids(unknown_ids(10001))]), ['operations[0].ids'],
    '10,001 ids');
is(batch($batch)->{objects_total}, 10000, 'what was refused has changed nothing');

# What is wrong.
is_unprocessable(set($batch, []), ['operations'], 'no operation');
is_unprocessable(request('POST', "/batch/$batch->{id}/operations", json => {}),
    ['operations'], 'no member operations');
is_unprocessable(set($batch, [operation(ids => undef)]),
    ['operations[0].ids'], 'neither ids nor query');
is_unprocessable(set($batch, [operation(ids => [])]), ['operations[0].ids'], 'no ids');
is_unprocessable(set($batch, [operation(form_id => 'none', ids => [$ids[0]])]),
    ['operations[0].form_id'], 'an unknown form');
is_error(request('POST', "/batch/$batch->{id}/operations", body => '{"operations":['),
    400, 'malformed JSON');
is_error(set($batch, [$operation], type => 'text/plain'), 415, 'another media type');
is_error(set('00000000-0000-4000-8000-000000000000', [$operation]), 404, 'operations of no batch');
is_error(set('nonsense', [$operation]), 404, 'operations of an id that is none');
is(batch($batch)->{objects_total}, 10000, 'none of these has changed anything');

# 409 otherwise.
$batch = create(delete_ids($ids[13]));
finished($batch);
is_error(set($batch, [delete_ids($ids[14])]), 409, 'operations of a batch that succeeded');
$batch = create(delete_ids(unknown_ids(1)));
finished($batch);
is_error(set($batch, [delete_ids($ids[14])]), 409, 'operations of a batch that failed');
restore();
slow_trigger('DELETE');
$batch = create(delete_ids(@ids));
is_error(set($batch, [delete_ids($ids[14])]), 409, 'operations of a running batch');
is_batch_counts(finished($batch), ['success', 20, 20, 0], 'which goes on with its own');

finish();
