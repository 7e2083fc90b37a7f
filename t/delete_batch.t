# DELETE /batch/ID: removes a batch that is pending or final; a running one cannot be terminated.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(40);

# How many rows of all that the module keeps belong to a batch.
sub traces
{
    my ($id) = @_;
    my $seq = value("SELECT seq FROM batch_jobs WHERE id = '$id'");
    return 0 + value("SELECT count(*) FROM batch_jobs WHERE id = '$id'") if !defined $seq;
    return 1 + value("SELECT count(*) FROM batch_items WHERE job = $seq") +
        value("SELECT count(*) FROM batch_errors WHERE job = $seq");
}

sub is_removed
{
    my ($batch, $name) = @_;
    my $answer = request('DELETE', "/batch/$batch->{id}");
    is($answer->status, 200, "$name is removed");
    is($answer->media_type, 'application/json', 'with JSON');
    ok(eval { $answer->json; 1 }, 'that is JSON');
    is_error(request('GET', "/batch/$batch->{id}"), 404, 'then it is gone');
    is_error(request('GET', "/batch/$batch->{id}/errors.json"), 404, 'with its errors');
    is_error(request('GET', "/batch/$batch->{id}/errors.csv"), 404, 'in both forms');
    is_error(request('DELETE', "/batch/$batch->{id}"), 404, 'it cannot be removed again');
    is_error(start($batch), 404, 'nor started');
    ok(!(grep { $_->{id} eq $batch->{id} } @{request('GET', '/batch')->json->{batches}}),
        'the list lacks it');
    return;
}

my $before = table_hash('records');
my $batch = pending(delete_ids(@ids[0 .. 4]));
ok(traces($batch->{id}) >= 2, 'a pending batch is kept with its items');
is_removed($batch, 'a pending batch');
is(table_hash('records'), $before, 'and has not run');
is(value('SELECT count(*) FROM batch_items'), 0, 'its items are gone from the database');

$batch = create(delete_ids(@ids[0 .. 4], unknown_ids(3)));
finished($batch);
is(value('SELECT count(*) FROM batch_errors'), 3, 'three errors are kept');
is_removed($batch, 'a batch that succeeded');
is(value('SELECT count(*) FROM batch_errors'), 0, 'its errors are gone from the database');
is(value('SELECT count(*) FROM batch_jobs'), 0, 'and so is the batch');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids[0 .. 4]) . "')"),
    0, 'what it did stays done');

$batch = create(delete_ids(unknown_ids(2)));
finished($batch);
is_removed($batch, 'a batch that failed');

# A neighbour is left alone.
my ($one, $two) = map { create(delete_ids(unknown_ids($_))) } 2, 3;
finished($_) for $one, $two;
my $file = request('GET', "/batch/$two->{id}/errors.json")->body;
request('DELETE', "/batch/$one->{id}");
is(request('GET', "/batch/$two->{id}/errors.json")->body, $file, "another batch keeps its errors");

# A running one. On PostgreSQL it stands still in the middle of a chunk, and nobody waits for that.
driver() eq 'pgsql' ? hold_record($ids[20]) : slow_trigger('DELETE', 200);
$batch = create(delete_ids(@ids[5 .. 39]));
if (driver() eq 'pgsql') {
    wait_for('the batch to stand still',
        sub { value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") });
}
is_error(request('DELETE', "/batch/$batch->{id}"), 409, 'a running batch');
driver() eq 'pgsql' ? release_locks() : let_go();
is_batch_counts(finished($batch), ['success', 35, 35, 0], 'it goes on to its end');
drop_triggers();
is_removed($batch, 'and when it has ended, it');

is_error(request('DELETE', '/batch/00000000-0000-4000-8000-000000000000'), 404, 'no such batch');
is_error(request('DELETE', '/batch/nonsense'), 404, 'no id');
is(request('DELETE', "/api/v2/batch/" . pending([])->{id} . '.json')->status,
    200, 'by its other name');

finish();
