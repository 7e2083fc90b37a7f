# A hold on the httpd under test: its processes, its configuration, its error log.
package BatchTest::Server;

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes qw(sleep time);

use Apache::Test ();
use BatchTest::Config;
use BatchTest::Http;
use BatchTest::Log;

our @EXPORT = qw(
    server_pid server_is_up server_children resident_kilobytes
    server_start server_stop server_graceful server_kill server_replace server_kill_all server_recover
    configure unconfigure wait_until
);

my $patience = $ENV{SANITIZE} ? 300 : 180;

sub wait_until
{
    my ($what, $code, $deadline) = @_;
    my $end = time + ($deadline || $patience);
    while (!$code->()) {
        die "waited in vain for $what\n" if time > $end;
        sleep 0.02;
    }
    return;
}

# ---- Processes -----------------------------------------------------------------------------------

# The pid of httpd's parent process as its pid file has it, or undef.
sub server_pid
{
    open my $file, '<', var('t_pid_file') or return;
    my $pid = <$file> // '';
    return $pid =~ /^(\d+)/ ? $1 : undef;
}

# As proc(5) has it, "X" for a process that is gone.
sub _state
{
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/stat" or return 'X';
    my ($state) = (<$file> // '') =~ /^\d+ \(.*\) (\S)/;
    return $state // 'X';
}

sub _alive
{
    my ($pid) = @_;
    return _state($pid) !~ /[ZX]/;
}

sub server_is_up
{
    my $pid = server_pid();
    return $pid && _alive($pid);
}

# The pids of httpd's children.
sub server_children
{
    my ($parent) = @_;
    $parent ||= server_pid() or return;
    my @children;
    foreach my $path (glob '/proc/[0-9]*/stat') {
        open my $file, '<', $path or next;
        my $text = <$file> // next;
        my ($pid, $state, $ppid) = $text =~ /^(\d+) \(.*\) (\S) (\d+)/ or next;
        push @children, $pid if $ppid == $parent && $state !~ /[ZX]/;
    }
    return sort { $a <=> $b } @children;
}

# Resident memory of a process that no other shares, in KiB.
sub resident_kilobytes
{
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/status" or return;
    my $text = do { local $/; <$file> };
    my ($anonymous) = $text =~ /^RssAnon:\s+(\d+)/m;
    return $anonymous;
}

sub _answers
{
    my $answer = eval { request('GET', '/index.html', as => undef) };
    return $answer && $answer->status;
}

# Starts httpd as Apache::Test did. Returns true once it answers; false, at once, if it refuses to
# start.
sub server_start
{
    my $command = Apache::Test::config()->{server}->start_cmd;
    my $log = var('t_logs') . '/start_output';
    system "$command >$log 2>&1 </dev/null";
    return 0 if $?;
    wait_until('httpd to answer', \&_answers);
    return 1;
}

# Stops httpd as `apachectl stop` does, and waits until all its processes are gone. signal: another
# one than TERM; within: seconds after which it dies, and all is as it was found then.
sub server_stop
{
    my (%option) = @_;
    my $pid = server_pid() or return;
    my @all = ($pid, server_children($pid));
    kill $option{signal} || 'TERM', $pid;
    wait_until(
        'httpd to stop',
        sub {
            !grep { _alive($_) } @all;
        },
        $option{within}
    );
    return;
}

# `apachectl graceful`; returns when the new generation is there.
sub server_graceful
{
    my $before = log_size();
    my $pid = server_pid();
    kill 'USR1', $pid or die "no httpd to restart\n";
    wait_until('the graceful restart',
        sub { !_alive($pid) || log_text($before) =~ /resuming normal operations/ });
    die "httpd did not survive its graceful restart\n" unless _alive($pid);
    wait_until('httpd to answer', \&_answers);
    return;
}

# kill -9 of the processes; returns when they are gone. Until then one of them may still take a connection.
sub server_kill
{
    my @pids = @_;
    kill 'KILL', @pids;
    wait_until(
        'processes to be gone',
        sub {
            !grep { _alive($_) } @pids;
        }
    );
    return;
}

# The same with these children; returns when httpd has made another.
sub server_replace
{
    my %old = map { $_ => 1 } @_;
    server_kill(keys %old);
    wait_until(
        'new children',
        sub {
            grep { !$old{$_} } server_children();
        }
    );
    return;
}

# kill -9 of every process of httpd at once.
sub server_kill_all
{
    my $pid = server_pid() or return;
    # The parent first: it must not replace the children. It may be about to, and stops a moment later.
    kill 'STOP', $pid;
    wait_until('httpd to be stopped', sub { _state($pid) =~ /[TtZX]/ });
    server_kill($pid, server_children($pid));
    # httpd warns of the pid file that it has left (AH00098). In a container without an init nobody
    # buries the dead, and httpd takes one that its pid file names for a server that runs.
    unlink var('t_pid_file');
    return;
}

# After a test that died: httpd is there again, with its own configuration.
sub server_recover
{
    my $changed = unconfigure();
    return if server_is_up() && !$changed && _answers();
    server_stop() if server_is_up();
    server_start();
    return;
}

# ---- Configuration -------------------------------------------------------------------------------

my $override = var('t_conf') . '/override.conf';

# Adds directives to the server's configuration; in effect from the next (re)start.
sub configure
{
    open my $file, '>', $override or die "$override: $!\n";
    print {$file} map {"$_\n"} @_;
    close $file or die "$override: $!\n";
    return;
}

sub unconfigure { return unlink $override }

1;
