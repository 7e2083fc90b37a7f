# A graceful restart, a stop, MaxConnectionsPerChild: running batches go on by themselves.
#
# That a stop waits for no more than the current chunk is seen by what it leaves: a batch that is
# unfinished, and no child that httpd had to remind or to kill (the error log would say so, and fail
# this file).
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(300);

sub progress_of
{
    my $batch = batch($_[0]);
    return $batch->{objects_success} + $batch->{objects_failed};
}

sub fresh
{
    my ($event) = @_;
    restore();
    slow_trigger($event);
    count_trigger($event);
    return;
}

# ---- Graceful ------------------------------------------------------------------------------------

fresh('UPDATE');
my $batch = create(update_ids({status => 'graceful'}, @ids, unknown_ids(2)));
my $restarts = 0;
my $at = 0;
while ($restarts < 3) {
    wait_for('progress', sub { progress_of($batch) > $at });
    my $now = batch($batch);
    last if $now->{status} ne 'running';
    $at = progress_of($batch);
    server_graceful();
    $restarts++;
}
let_go();
is($restarts, 3, 'three graceful restarts while a batch runs');
is_batch_counts(finished($batch), ['success', 302, 300, 2], 'it goes on to its end');
is_deeply(applied(), {touched => 300, ids => 300, most => 1}, 'each item is applied once');

# ---- Stop and start ------------------------------------------------------------------------------

fresh('UPDATE');
$batch = create(update_ids({status => 'stopped'}, @ids));
foreach my $round (1 .. 2) {
    $at = progress_of($batch);
    wait_for('progress', sub { progress_of($batch) > $at });
    server_stop();
    my ($left) = rows("SELECT status, total, position FROM batch_jobs WHERE id = '$batch->{id}'");
    ok(
        $left->{position} > 0 && $left->{position} < $left->{total},
        "stop $round does not wait for the end of the batch"
    ) or diag("$left->{position} of $left->{total}, $left->{status}");
    is(applied()->{touched}, $left->{position}, "stop $round leaves no chunk half done");
    let_go() if $round == 2;
    ok(server_start(), "start $round");
}
wait_for('the batch to end by itself',
    sub { value("SELECT count(*) FROM batch_jobs WHERE status = 'completed'") == 1 });
is_batch_counts(batch($batch), ['success', 300, 300, 0], 'it goes on by itself, to its end');
is_deeply(applied(), {touched => 300, ids => 300, most => 1}, 'each item is applied once');

# A stop of a server that rests.
server_stop();
ok(!server_is_up(), 'a server that rests stops');
ok(server_start(), 'and starts');

# One row that takes far longer than five seconds: the stop does not wait for it.
restore();
slow_trigger('UPDATE', 200_000);
$batch = create(update_ids({status => 'endless'}, @ids[0 .. 1]));
wait_for('a worker to begin',
    sub { value("SELECT epoch FROM batch_jobs WHERE id = '$batch->{id}'") > 0 });
tolerate_log(
    qr/AH00045: child process \d+ still did not exit/,
    qr/MB\d{4}: .*(?:abandon|did not end|still)/
);
server_stop();
ok(!server_is_up(), 'a stop in the middle of an endless row ends');
is(value("SELECT count(*) FROM records WHERE status = 'endless'"), 0, 'and has not waited for it');
drop_triggers();
ok(server_start(), 'httpd starts again');
is_batch_counts(finished($batch), ['success', 2, 2, 0], 'and the batch goes on');

# Batches that came while nobody worked: this node accepts, and others work.
restore();
configure('BatchWorkers 0');
server_graceful();
$batch = create(delete_ids(@ids[0 .. 4]));
is(batch($batch)->{status}, 'running', 'BatchWorkers 0: a batch is accepted') for 1 .. 20;
is(progress_of($batch), 0, 'and nobody here works on it');
unconfigure();
server_graceful();
is_batch_counts(finished($batch), ['success', 5, 5, 0], 'with workers again, it runs');

# ---- MaxConnectionsPerChild ----------------------------------------------------------------------

fresh('UPDATE');
configure('MaxConnectionsPerChild 4');
server_graceful();
my %before = map { $_ => 1 } server_children();
$batch = create(update_ids({status => 'recycled'}, @ids[0 .. 149]));
my (%seen, $quick);
wait_for(
    'the end of the batch, connection by connection',
    sub {
        parallel([map { request_text('GET', '/index.html', as => undef) } 1 .. 12])
            if (grep { !$before{$_} } keys %seen) < 3;
        $seen{$_} = 1 for server_children();
        let_go() if !$quick && (grep { !$before{$_} } keys %seen) >= 3 && ++$quick;
        value("SELECT count(*) FROM batch_jobs WHERE status = 'completed'") == 1;
    }
);
is_batch_counts(batch($batch), ['success', 150, 150, 0],
    'MaxConnectionsPerChild 4: the batch ends');
is_deeply(applied(), {touched => 150, ids => 150, most => 1}, 'each item is applied once');
ok((grep { !$before{$_} } keys %seen) >= 1, 'and children were replaced meanwhile');
unconfigure();
server_graceful();
is(request('GET', '/batch')->status, 200, 'back to what it was');

finish();
