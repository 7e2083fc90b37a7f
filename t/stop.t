# Stops while clients read: httpd is gone before it reminds a child for the second time, five seconds
# after the stop, and no child is left behind. Under prefork a stop interrupts a child wherever it
# is, in the middle of a list as well.
use strict;
use warnings;

use BatchTest;

use POSIX ();

create(delete_ids(unknown_ids($_))) for 1 .. 60;
wait_for('the batches to end',
    sub { value("SELECT count(*) FROM batch_jobs WHERE status = 'failed'") == 60 });

# Clients that read lists until they are killed; while there is no httpd they try again.
sub readers
{
    my @pids;
    foreach (1 .. 6) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            while (1) {
                eval { request('GET', '/batch?sort=updated_at') } or select undef, undef, undef, 0.01;
            }
        }
        push @pids, $pid;
    }
    return @pids;
}

# Processes of this httpd, whoever their parent is.
sub processes
{
    my $conf = var('t_conf');
    my @found;
    foreach my $path (glob '/proc/[0-9]*/cmdline') {
        open my $file, '<', $path or next;
        my $line = do { local $/; <$file> } // '';
        push @found, $path if $line =~ /^[^\0]*(?:httpd|apache2)\0/ && $line =~ /\Q$conf\E/;
    }
    return @found;
}

tolerate_log(qr/AH00045: child process \d+ still did not exit/);
my @readers = readers();
my $slow = 0;
foreach my $round (1 .. 5) {
    my $log = log_size();
    wait_for('the readers to read', sub { server_is_up() && request('GET', '/batch')->status == 200 });
    ok(scalar(processes()), "stop $round: httpd is there");
    server_stop();
    is(join(' ', processes()), '', "stop $round: no process is left");
    my %reminded;
    $reminded{$_}++ for log_text($log) =~ /AH00045: child process (\d+) still/g;
    ok(!(grep { $_ > 1 } values %reminded), "stop $round: within five seconds")
        or diag(log_text($log));
    $slow++ if %reminded;
    ok(server_start(), "start $round");
}
# A child that waits for itself is only ended by the limit of that wait, behind the first reminder.
ok($ENV{SANITIZE} || $slow < 5, 'no child waits for a lock that it holds itself')
    or diag("$slow of 5 stops took longer than three seconds");
kill 'KILL', @readers;
waitpid $_, 0 for @readers;
is(request('GET', '/batch')->json->{total_count}, 60, 'all batches are there');

finish();
