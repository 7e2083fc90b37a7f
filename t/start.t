# POST /batch/ID/start: a pending batch begins to run; every other one says 409.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(40);

my $batch = pending(delete_ids(@ids[0 .. 9]));
my $answer = start($batch);
is($answer->status, 202, 'start is answered 202');
is($answer->media_type, 'application/json', 'with JSON');
is($answer->json->{batch}{id}, $batch->{id}, 'and the batch');
is($answer->json->{batch}{status}, 'running', 'which runs');
like($answer->json->{batch}{started_at}, utc_time(), 'since now');
is(value("SELECT count(*) FROM batch_jobs WHERE id = '$batch->{id}' AND status <> 'pending'"),
    1, 'the start is on disk');
is_batch_counts(finished($batch), ['success', 10, 10, 0], 'it runs to its end');
is_error(start($batch), 409, 'start of a batch that succeeded');

$batch = pending(delete_ids(unknown_ids(1)));
start($batch);
finished($batch);
is_error(start($batch), 409, 'start of a batch that failed');

# Any content type, no body or some body.
my %shape = (
    'no content type' => {headers => {'Content-Type' => undef, 'Content-Length' => 0}},
    'neither length nor type' => {headers => {'Content-Length' => undef}},
    'an empty form' => {type => 'application/x-www-form-urlencoded'},
    'an empty JSON body' => {type => 'application/json'},
    'a JSON object' => {json => {}},
    'plain text' => {body => 'go', type => 'text/plain'},
    'multipart' => {type => 'multipart/form-data; boundary=x'},
    'a body that is not JSON' => {body => '{"', type => 'application/json'},
);

foreach my $name (sort keys %shape) {
    $batch = pending(delete_ids(unknown_ids(1)));
    is(start($batch, %{$shape{$name}})->status, 202, "start with $name");
    finished($batch);
}

# A running batch.
slow_trigger('DELETE', 200);
$batch = create(delete_ids(@ids[10 .. 39]));
$answer = start($batch);
is_error($answer, 409, 'start of a running batch');
let_go();
is_batch_counts(finished($batch), ['success', 30, 30, 0], 'which does not mind');
drop_triggers();

# The selection is frozen when the batch starts: rows that come or go later do not change it.
restore();
$batch = pending(delete_ids(@ids[0 .. 4]));
sql("DELETE FROM records WHERE id = '$ids[0]'");
start($batch);
is_batch_counts(
    finished($batch),
    ['success', 5, 4, 1],
    'a row that went before the start is one that failed'
);

# What can be wrong with a start.
is_error(start('00000000-0000-4000-8000-000000000000'), 404, 'start of no batch');
is_error(start('nonsense'), 404, 'start of an id that is none');
$batch = pending([]);
$answer = start($batch);
is($answer->status, 422, 'start of a batch without operations');
is(batch($batch)->{status}, 'pending', 'it is still pending');

restore();
$batch = pending(delete_ids(@ids[0 .. 4]));
my $before = table_hash('records');
sql("UPDATE forms SET organization_id = 'globex', name = 'taken' WHERE id = '" . TESTING_APP . "'");
is_unprocessable(start($batch), ['operations[0].form_id'], 'start of a batch whose form has gone');
is(batch($batch)->{status}, 'pending', 'it is still pending');
is(table_hash('records'), $before, 'and has deleted nothing');
sql("UPDATE forms SET organization_id = 'acme', name = 'Testing App' WHERE id = '" .
        TESTING_APP . "'");
is(start($batch)->status, 202, 'when the form is back, it starts');
is_batch_counts(finished($batch), ['success', 5, 5, 0], 'and runs');

# Another of the organization starts it (what he may do: permissions.t), and is the one who changed
# it last.
restore();
$batch = pending(update_ids({status => 'fair'}, @ids[0 .. 1]));
$answer = start($batch, as => 'bob');
is($answer->status, 202, "bob starts alice's update");
my $end = finished($batch);
is($end->{created_by}, 'Alice Archer', 'alice has made it');
is($end->{updated_by}, 'Bob Baker', 'bob has changed it last');
is($end->{updated_by_id}, '7a0c1d52-71b9-11ee-b962-0242ac120002', 'with his id');

finish();
