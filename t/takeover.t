# Whoever held a batch is gone: it goes on within five seconds, from where it was.
#
# BatchLease is an hour here (t/conf/extra.conf.in), so that going on means that the owner's death
# was noticed.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;

# What is promised, and what a machine that is busy with other tests may add to it.
use constant SOON => 5 + 25;

# The pid file that a killed httpd leaves.
tolerate_log(qr/AH00098: pid file .* overwritten/);

my @ids = record_ids(100);

# The batch as the queue has it.
sub job
{
    my ($batch) = @_;
    my ($job) = rows("SELECT status, epoch, claims, position, owner_pid FROM batch_jobs"
            . " WHERE id = '$batch->{id}'");
    return $job;
}

sub claimed_batch
{
    my ($status) = @_;
    restore();
    slow_trigger('UPDATE');
    count_trigger('UPDATE');
    my $batch = create(update_ids({status => $status}, @ids));
    wait_for('a worker to claim the batch', sub { job($batch)->{owner_pid} > 0 });
    return $batch;
}

sub taken_over
{
    my ($batch, $epoch, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $taken = eval {
        wait_for('another worker to claim the batch', sub { job($batch)->{epoch} > $epoch }, SOON);
    };
    return ok($taken, "$name: within five seconds another worker has it");
}

sub ended_well
{
    my ($batch, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    let_go();
    is_batch_counts(finished($batch), ['success', 100, 100, 0], "$name: it goes on to its end");
    is_deeply(applied(), {touched => 100, ids => 100, most => 1}, 'each item is applied once');
    return;
}

# ---- A child -------------------------------------------------------------------------------------

# A sanitizer would report the signal as a fault of ours.
foreach my $signal ('KILL', $ENV{SANITIZE} ? () : 'SEGV') {
    my $batch = claimed_batch($signal);
    my $job = job($batch);
    is($job->{status}, 'processing', "SIG$signal: the batch has an owner");
    if ($signal eq 'SEGV') {
        announce_crash($job->{owner_pid});
        system 'prlimit', '--core=0', '--pid', $job->{owner_pid};
    }
    ok(kill($signal, $job->{owner_pid}), 'whose process is ended');
    taken_over($batch, $job->{epoch}, "SIG$signal");
    ended_well($batch, "SIG$signal");
}

# ---- All of httpd --------------------------------------------------------------------------------

my $batch = claimed_batch('all');
my $epoch = job($batch)->{epoch};
server_kill_all();
is(job($batch)->{status}, 'processing', 'httpd is gone, its batch has an owner still');
ok(server_start(), 'httpd starts again');
taken_over($batch, $epoch, 'the node was restarted');
ended_well($batch, 'the node was restarted');

# ---- PostgreSQL's own processes ------------------------------------------------------------------

if (driver() eq 'pgsql') {
    tolerate_log(qr/MB(?:0101|0105|0405|0406|0409|0410): /, qr/MB0417: .* without progress/);

    # A statement that runs on when its client has been killed: the server must notice, since it
    # holds the batch for as long.
    restore();
    count_trigger('UPDATE');
    trigger('test_endless', 'BEFORE', 'UPDATE',
        "IF (SELECT epoch FROM batch_jobs WHERE status = 'processing') = 1"
            . ' THEN PERFORM pg_sleep(50); END IF');
    $batch = create(update_ids({status => 'endless'}, @ids));
    wait_for('the endless statement',
        sub { value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") });
    # Nobody else sees what the transaction has not committed: the claim stands.
    my $owner = job($batch)->{owner_pid};
    ok(kill('KILL', $owner), 'the owner is killed in the middle of an endless statement');
    taken_over($batch, 1, 'a statement that ran on');
    ended_well($batch, 'a statement that ran on');

    foreach my $how (qw(fast immediate kill)) {
        $batch = claimed_batch("server $how");
        restart_database($how);
        ended_well($batch, "the server was restarted ($how)");
        wait_for('requests to be served', sub { request('GET', '/batch')->status == 200 });
    }

    # An item that kills its worker whenever it is tried. The others are applied, once; it is the
    # error.
    restore();
    count_trigger('UPDATE');
    my $poison = $ids[2];
    trigger('test_poison', 'BEFORE', 'UPDATE',
        "EXECUTE (SELECT format('COPY (SELECT 1) TO PROGRAM ''kill -9 %s''', owner_pid)"
            . " FROM batch_jobs WHERE status = 'processing'); PERFORM pg_sleep(5)",
        "old.id = '$poison'");
    $batch = create(update_ids({status => 'poisoned'}, @ids[0 .. 9]));
    # Not by requests, which die with the process that serves them.
    wait_for('the poisoned batch to end', sub { job($batch)->{status} =~ /^(?:completed|failed)$/ });
    is_batch_counts(batch($batch), ['success', 10, 9, 1], 'a batch with an item that kills its worker ends');
    my $errors = request('GET', "/batch/$batch->{id}/errors.json")->json;
    is_deeply([map { $_->{id} } @$errors], [$poison], 'and that item is the error');
    like($errors->[0]{message}, qr/worker ended each time/, 'which says why');
    is_deeply(applied(), {touched => 9, ids => 9, most => 1}, 'the others are applied once');
}

finish();
