# Stops while clients read: no child waits for itself, is killed, crashes or is left behind, and httpd
# is gone before it reminds a child for the second time, five seconds after the stop. Under prefork a
# stop interrupts a child wherever it is, in the middle of a list as well.
#
# needs: processes; takes: waiting
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
    my $text = log_text($log);
    # Whoever waits for a lock that it holds itself waits for its worker as long as it may, or for
    # ever, until it is killed.
    ok($text !~ /MB0006/, "stop $round: no child waits for itself") or diag($text);
    ok($text !~ /AH00046|exit signal/, "stop $round: no child is killed, and none crashes") or diag($text);
    my %reminded;
    $reminded{$_}++ for $text =~ /AH00045: child process (\d+) still/g;
    $slow++ if grep { $_ > 1 } values %reminded;
    ok(server_start(), "start $round");
}
# On a busy machine httpd itself may need that long now and then; what we do to a stop it does to all.
ok($slow < 5, 'a stop takes less than five seconds') or diag('each of 5 stops took longer');
kill 'KILL', @readers;
waitpid $_, 0 for @readers;
is(request('GET', '/batch')->json->{total_count}, 60, 'all batches are there');

finish();
