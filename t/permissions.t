# BatchAllow: bob may update and may not delete; asked at creation, at a change of operations, and
# at start.
#
# It is asked before the transaction (http/records_api.c) and in it (engine/jobs.c,
# check_permission). Without the second "bob: start of a delete" fails; without both, all of them.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(20);
my $before = table_hash('records');

is_error(post_batch(delete_ids($ids[0]), as => 'bob'), 403, 'bob: a delete');
is_error(post_batch(delete_ids($ids[0]), as => 'bob', batch => {start => JSON::PP::false}),
    403, 'bob: a delete that waits');
is_error(
    request(
        'POST', '/batch',
        as => undef,
        headers => {Authorization => basic('bob', 'bob')},
        json => {batch => {operations => [delete_ids($ids[0])]}}
    ),
    403,
    'bob by his password: a delete'
);
is_error(post_batch([delete_ids($ids[0]), update_ids({status => 'good'}, $ids[0])], as => 'bob'),
    403, 'bob: a delete, then an update');
is(value('SELECT count(*) FROM batch_jobs'), 0, 'no batch was made');

my $batch = pending([], as => 'bob');
is_error(
    request(
        'POST', "/batch/$batch->{id}/operations",
        as => 'bob',
        json => {operations => [delete_ids($ids[0])]}
    ),
    403,
    'bob: operations with a delete'
);
is(batch($batch)->{objects_total}, 0, 'they were not set');

$batch = pending(delete_ids(@ids[0 .. 1]));
is_error(start($batch, as => 'bob'), 403, 'bob: start of a delete');
is(batch($batch)->{status}, 'pending', 'it still waits');
is(table_hash('records'), $before, 'and nothing is deleted');
is(start($batch)->status, 202, 'alice may');
is_batch_counts(finished($batch), ['success', 2, 2, 0], 'and does');

# Nor may he make something else of it, or take it away: whoever may do a batch's action may do
# that.
$batch = pending(delete_ids(@ids[7 .. 8]));
is_error(
    request(
        'POST', "/batch/$batch->{id}/operations",
        as => 'bob',
        json => {operations => [update_ids({status => 'x'}, $ids[7])]}
    ),
    403,
    "bob: an update in the place of alice's delete"
);
is(batch($batch)->{objects_total}, 2, 'it is what it was');
request('DELETE', "/batch/$batch->{id}");

# What bob may.
$batch = create(update_ids({status => 'good'}, @ids[2 .. 3]), as => 'bob');
is_batch_counts(finished($batch, as => 'bob'), ['success', 2, 2, 0], 'bob: an update');
$batch = pending(update_ids({status => 'good'}, $ids[4]));
is(start($batch, as => 'bob')->status, 202, "bob: start of alice's update");
finished($batch);
$batch = pending(update_ids({status => 'good'}, $ids[5]), as => 'bob');
is(start($batch)->status, 202, "alice: start of bob's update");
finished($batch);

# The action is read, not guessed: neither case nor blanks let a delete through.
foreach my $action ('DELETE', 'delete ', "delete\0", 'Delete') {
    my $answer = post_batch(operation(action => $action, ids => [$ids[6]]), as => 'bob');
    ok($answer->status == 422 || $answer->status == 403 || $answer->status == 400,
        'bob: action ' . ($action =~ s/\0/\\0/r))
        or diag($answer->status, ' ', $answer->body);
}
# Where an action is said twice, what is asked is what is done.
my $answer = request(
    'POST', '/batch',
    as => 'bob',
    body => '{"batch":{"operations":[{"action":"update","action":"delete","data":{"status":"x"},' .
        '"resource":"record","form_id":"' . TESTING_APP . "\",\"ids\":[\"$ids[6]\"]}]}}"
);
finished($answer->json->{batch}) if $answer->status == 202;
isnt($answer->status, 500, 'an action said twice');
is(value("SELECT count(*) FROM records WHERE id = '$ids[6]'"), 1, 'is not a way round');

finish();
