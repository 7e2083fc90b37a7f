# A stop gives the running batches back, and takes no longer than five seconds because of us:
# whatever holds a lock meanwhile, and whatever requests wait for it.
#
# httpd sends SIGKILL after nine seconds, which the error log would tell, and fail this file. Nothing
# that it kills has given anything back.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();

use BatchTest;

my @ids = record_ids(120);

sub progress_of
{
    my $batch = batch($_[0]);
    return $batch->{objects_success} + $batch->{objects_failed};
}

sub running_batch
{
    my ($status) = @_;
    restore();
    slow_trigger('UPDATE', 80);
    count_trigger('UPDATE');
    my $batch = create(update_ids({status => $status}, @ids));
    wait_for('progress', sub { progress_of($batch) > 0 });
    return $batch;
}

sub stops
{
    my ($name, %option) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $log = log_size();
    server_stop(%option);
    # Five seconds are ours, and httpd kills after nine: a busy machine may need some of those between.
    my $text = log_text($log);
    ok($text !~ /AH00046|exit signal/, $name) or diag($text);
    return;
}

sub goes_on
{
    my ($batch, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    let_go();
    ok(server_start(), 'httpd starts again');
    is_batch_counts(finished($batch), ['success', 120, 120, 0], "$name: it goes on to its end");
    is_deeply(applied(), {touched => 120, ids => 120, most => 1}, 'each item is applied once');
    return;
}

# ---- The lease is given back ---------------------------------------------------------------------

foreach my $way (['a stop', 'TERM'], ['a graceful stop', 'WINCH']) {
    my ($name, $signal) = @$way;
    my $batch = running_batch($name);
    stops("$name ends httpd", signal => $signal);
    my ($row)
        = rows("SELECT status, total, position, owner_host, owner_pid, lease_until, claims"
            . " FROM batch_jobs WHERE id = '$batch->{id}'");
    is($row->{status}, 'processing', "$name leaves the batch unfinished");
    ok($row->{position} > 0 && $row->{position} < $row->{total}, "$name does not wait for its end");
    is(applied()->{touched}, $row->{position}, "$name leaves no chunk half done");
    is_deeply(
        [@{$row}{qw(owner_host owner_pid lease_until claims)}],
        [undef, 0, 0, 0],
        "$name gives the batch back, and that is no claim without progress"
    );
    goes_on($batch, $name);
}

# ---- Locked by somebody else ---------------------------------------------------------------------

# A worker that does not end in time, and what httpd says of its process after three seconds. The
# batch cannot be given back: its owner's death is noticed instead.
tolerate_log(
    qr/MB0006: /,
    qr/AH00045: child process \d+ still did not exit, sending a SIGTERM/,
    qr/MB(?:0103|0105|0406|0409): /,
    qr/MB\d{4}: .*(?:lock|unavailable)/i
);

# Sends a request and does not wait for its answer.
sub send_request
{
    my (@request) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port'))
        or die "cannot connect: $!\n";
    print {$socket} request_text(@request);
    $socket->flush;
    return $socket;
}

foreach my $how ('the batch', 'the batch and requests') {
    my $batch = running_batch('locked');
    my $waiting = pending(delete_ids(@ids[0 .. 1]));
    my @sockets;
    hold_lock();
    if ($how =~ /requests/) {
        @sockets = map { send_request('POST', "/batch/$waiting->{id}/start") } 1 .. 4;
        push @sockets, send_request('POST', '/batch', json => {batch => {operations => []}})
            for 1 .. 4;
        # Whoever has it reads before it waits.
        wait_for('the requests to be read', sub { nobody_has_sent(@sockets) });
    }
    stops("a stop while $how wait for a lock");
    close $_ foreach @sockets;
    is(value("SELECT status FROM batch_jobs WHERE id = '$waiting->{id}'"),
        'pending', 'what waited for the lock has not happened');
    release_locks();
    goes_on($batch, "after a stop while $how waited");
}

# True once the server has taken all that was sent: nothing of it is in its queue.
sub nobody_has_sent
{
    my %ports = map { $_->sockport => 1 } @_;
    open my $file, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!\n";
    my $server = sprintf '%04X', var('port');
    while (<$file>) {
        my ($local, $remote, $queue)
            = /^\s*\d+: [0-9A-F]+:([0-9A-F]+) [0-9A-F]+:([0-9A-F]+) \S+ [0-9A-F]+:([0-9A-F]+)/
            or next;
        return 0 if $local eq $server && $ports{hex $remote} && hex $queue;
    }
    return 1;
}

# ---- Under load ----------------------------------------------------------------------------------

# Requests that come and go while the children are told to end: under prefork they are interrupted
# wherever they are, and end within that signal's handler.
foreach my $round (1 .. 3) {
    my $batch = running_batch("load $round");
    my @clients = map { client($_) } 1 .. 4;
    my $before = value('SELECT count(*) FROM batch_jobs');
    wait_for('the load', sub { value('SELECT count(*) FROM batch_jobs') > $before + 8 });
    stops("a stop under load, round $round");
    kill 'TERM', @clients;
    waitpid $_, 0 foreach @clients;
    goes_on($batch, "after a stop under load, round $round");
}

# A process that makes batches and looks at them until it is killed.
sub client
{
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    return $pid if $pid;
    local $SIG{TERM} = sub { POSIX::_exit(0) };
    while (1) {
        eval {
            my $made = pending(delete_ids(unknown_ids(20)));
            request('GET', '/batch?per_page=20');
            batch($made);
            1;
        } or select undef, undef, undef, 0.01;
    }
    POSIX::_exit(0);
}

finish();
