# A node for the storm and the benchmarks: an httpd of its own with the sample's configuration, which is
# started, killed and asked without Apache::Test.
package BatchNode;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(setsid WNOHANG);
use Time::HiRes qw(time sleep);

my $modules = '/usr/lib/apache2/modules';
my ($httpd) = grep { -x } qw(/usr/sbin/apache2 /usr/sbin/httpd);
my $next_port = $$ * 20;    # of two storms at once, each begins at another
my ($account) = grep { getpwnam $_ } qw(www-data nobody);    # whom root's children become

sub top { return abs_path(dirname(__FILE__) . '/../..') }

# Gives a file or folder to the user of the children, where that is another one.
sub give_away
{
    my ($uid, $gid) = (getpwnam $account)[2, 3];
    chown $uid, $gid, @_ unless $>;
    return;
}

# A port that nobody listens at, and that the system does not give to clients while a node is down.
sub free_port
{
    foreach (1 .. 1_000) {
        my $port = 20_000 + $next_port++ % 10_000;
        return $port if IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port);
    }
    die "no port: $!\n";
}

# dir: a folder of its own; module: the .so; driver, params: the database; mpm; directives: more lines;
# configuration: these lines instead of the sample's, with httpd's default numbers of processes.
sub new
{
    my ($class, %self) = @_;
    my $self = bless {mpm => 'event', driver => 'sqlite3', directives => '', port => free_port(), %self}, $class;
    mkdir $self->{dir};
    chmod 0755, $self->{dir};
    system('cp', '-r', top() . '/conf', $self->{dir}) == 0 or die "cannot copy conf\n";
    give_away($self->{dir});
    $self->write_configuration;
    return $self;
}

sub write_configuration
{
    my ($self) = @_;
    my $dir = $self->{dir};
    my $load = '';
    foreach my $name ("mpm_$self->{mpm}", qw(authn_core authn_file auth_basic authz_core authz_user unixd
        log_config env setenvif alias filter deflate reqtimeout)) {
        my $file = "$modules/mod_$name.so";
        $load .= "LoadModule ${name}_module $file\n" if -e $file;
    }
    my $user = $> ? '' : "User $account\nGroup " . getgrgid((getpwnam $account)[3]) . "\n";
    my $size = $self->{mpm} eq 'prefork' ? "StartServers 3\nMaxRequestWorkers 6\n"
        : "StartServers 2\nServerLimit 2\nThreadsPerChild 8\nMaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n";
    $size = '' if $self->{configuration};
    my $what = $self->{configuration} // qq(Include "$dir/conf/sample.conf");
    open my $file, '>', "$dir/httpd.conf" or die "$dir/httpd.conf: $!\n";
    print {$file} <<"CONF";
ServerRoot "$dir"
ServerName 127.0.0.1
Listen 127.0.0.1:$self->{port}
PidFile "$dir/httpd.pid"
ErrorLog "$dir/error_log"
DefaultRuntimeDir "$dir"
DocumentRoot "$dir"
MaxKeepAliveRequests 0
$load
LoadModule batch_module "$self->{module}"
${user}Mutex file:$dir default
$size
Define BATCH_CONF "$dir/conf"
Define BATCH_DRIVER "$self->{driver}"
Define BATCH_PARAMS "$self->{params}"
$what
$self->{directives}
CONF
    close $file or die "$dir/httpd.conf: $!\n";
    return;
}

# Starts it and waits until it answers. environment: more of it, for the test builds.
sub start
{
    my ($self, %environment) = @_;
    unlink "$self->{dir}/httpd.pid";
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        # httpd in the foreground signals its whole process group when it stops.
        setsid();
        @ENV{keys %environment} = values %environment;
        open STDERR, '>>', "$self->{dir}/error_log";
        exec $httpd, '-D', 'FOREGROUND', '-f', "$self->{dir}/httpd.conf" or POSIX::_exit(127);
    }
    my $end = time + 120;
    while (time < $end) {
        my $answer = eval { ($self->exchange('GET', '/batch?per_page=1'))[0] };
        return $self if $answer;
        die "httpd did not start: " . `tail -5 '$self->{dir}/error_log'` if waitpid($self->{pid}, WNOHANG) > 0;
        sleep 0.02;
    }
    die "httpd does not answer: " . `tail -5 '$self->{dir}/error_log'`;
}

# The state of a process as proc(5) has it, "X" where it is gone.
sub state_of
{
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/stat" or return 'X';
    my ($state) = (<$file> // '') =~ /^\d+ \(.*\) (\S)/;
    return $state // 'X';
}

# Waits until the process is in one of the states.
sub await_state
{
    my ($pid, $states) = @_;
    my $end = time + 120;
    while (state_of($pid) !~ /[$states]/) {
        die "process $pid is not in one of the states $states\n" if time > $end;
        sleep 0.001;
    }
    return;
}

sub children
{
    my ($self) = @_;
    my @children;
    foreach my $path (glob '/proc/[0-9]*/stat') {
        open my $file, '<', $path or next;
        my ($pid, $state, $parent) = (<$file> // '') =~ /^(\d+) \(.*\) (\S) (\d+)/ or next;
        push @children, $pid if $parent == $self->{pid} && $state !~ /[ZX]/;
    }
    return @children;
}

sub stop
{
    my ($self, $signal) = @_;
    return if !$self->{pid};
    kill 'CONT', $self->children;
    kill $signal // 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
    delete $self->{socket};
    return;
}

# kill -9 of all its processes at once. All of them are gone then, and what they had open is closed.
sub kill_all
{
    my ($self) = @_;
    kill 'STOP', $self->{pid};
    await_state($self->{pid}, 'TtZX');    # it forks no more
    my @children = $self->children;
    kill 'KILL', @children, $self->{pid};
    waitpid $self->{pid}, 0;
    await_state($_, 'ZX') foreach @children;
    delete $self->{pid};
    delete $self->{socket};
    return;
}

sub DESTROY
{
    my ($self) = @_;
    local ($?, $@);
    $self->stop if $self->{pid} && $$ == ($self->{maker} // $$);
    return;
}

# One request over a kept connection: (status, decoded body). Dies if the connection fails.
sub request
{
    my ($self, @request) = @_;
    my ($status, $content) = $self->exchange(@request);
    return ($status, length $content ? decode_json($content) : undef);
}

# The same with the body as it came, for who measures: decoding takes longer than many a request.
sub exchange
{
    my ($self, $method, $path, $body, $type) = @_;
    my $socket = $self->{socket} ||= $self->connect;
    my @answer = eval { _request($socket, $method, $path, $body, $type || 'application/json') };
    if (!@answer) {
        delete $self->{socket};
        die $@ || "no answer\n";
    }
    return @answer;
}

sub connect
{
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}") or die "no connection: $!\n";
    setsockopt $socket, 6, 1, 1;    # TCP_NODELAY
    # A stopped child has the connection and says nothing: give up in time.
    setsockopt $socket, SOL_SOCKET, SO_RCVTIMEO, pack 'l!l!', $self->{patience} // 60, 0;
    return $socket;
}

sub _request
{
    my ($socket, $method, $path, $body, $type) = @_;
    my $text = "$method $path HTTP/1.1\r\nHost: 127.0.0.1\r\nX-ApiToken: alice-token\r\n";
    $text .= "Content-Type: $type\r\nContent-Length: " . length($body) . "\r\n" if defined $body;
    $text .= "\r\n" . ($body // '');
    local $SIG{PIPE} = 'IGNORE';
    (syswrite($socket, $text) // 0) == length $text or die "write: $!\n";
    my $reply = '';
    until ($reply =~ /\r\n\r\n/) {
        sysread $socket, $reply, 65536, length $reply or die "the server closed the connection\n";
    }
    my ($head, $content) = split /\r\n\r\n/, $reply, 2;
    my ($status) = $head =~ m{^HTTP/1.1 (\d+)};
    my ($length) = $head =~ /^content-length: (\d+)/mi or die "no Content-Length\n";
    while (length $content < $length) {
        sysread $socket, $content, $length - length $content, length $content or die "short reply\n";
    }
    die "the connection ends\n" if $head =~ /^connection: close/mi && $status >= 500;
    return ($status, $content);
}

1;
