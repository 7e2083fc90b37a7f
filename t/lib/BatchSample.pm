# The sample server of `make run`, for those who follow the documents: in a temporary folder that is laid out as
# this tree, at a free port. For root all of it belongs to an ordinary user.
#
# Ids and times differ from run to run: `alike` makes what a document says and what a server said comparable.
package BatchSample;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use POSIX ();
use Time::HiRes qw(sleep time);

use BatchTest::Port;

our @EXPORT = qw(top slurp work port give spawn start_sample sample_base configtest fixed_ids alike UUID);

use constant UUID => qr/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/;
use constant DEADLINE => 120;

my $top  = abs_path(dirname(__FILE__) . '/../..');
my $port = free_port();
my $work = tempdir('batch-sample.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @as_user;
my @processes;

sub top  { return $top }
sub work { return $work }
sub port { return $port }

# Gives a file, or an open handle, to the user as whom commands are run.
sub give
{
    my ($file) = @_;
    return if !@as_user;
    chown((getpwnam 'nobody')[2, 3], $file) or die "chown: $!\n";
    return;
}

sub slurp
{
    my ($file) = @_;
    open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    local $/ = undef;
    return scalar <$in> // '';
}

# Runs a command of the user's in the folder, with its input and output at these handles; returns its id. It
# ends with us.
sub spawn
{
    my ($in, $out, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    if ($pid) {
        push @processes, $pid;
        return $pid;
    }
    chdir $work;
    open STDIN,  '<&', $in  or POSIX::_exit(126);
    open STDOUT, '>&', $out or POSIX::_exit(126);
    open STDERR, '>&', $out or POSIX::_exit(126);
    delete @ENV{qw(STATE DRIVER PARAMS MPM CONF MODULE)};
    @ENV{qw(PORT HOME LC_ALL)} = ($port, $work, 'C.UTF-8');
    exec @as_user, 'setpriv', '--pdeathsig', 'TERM', @command or POSIX::_exit(127);
}

# Starts the server with this module, and returns when it serves.
sub start_sample
{
    my ($module) = @_;
    make_path("$work/build-aux", "$work/build");
    system('cp', '-R', "$top/conf", $work) == 0 or die "cannot copy conf\n";
    system('cp', "$top/build-aux/run", "$work/build-aux/run") == 0 or die "cannot copy build-aux/run\n";
    system('cp', $module, "$work/build/mod_batch.so") == 0 or die "cannot copy $module\n";
    if (!$>) {
        system('chown', '-R', 'nobody', $work) == 0 or die "cannot give $work away\n";
        @as_user = ('setpriv', '--reuid=nobody', '--regid=' . (getpwnam 'nobody')[3], '--clear-groups');
    }
    open my $nothing, '<', '/dev/null'    or die "/dev/null: $!\n";
    open my $log,     '>', "$work/output" or die "$work/output: $!\n";
    my $server = spawn($nothing, $log, 'build-aux/run');
    my $end = time + DEADLINE;
    while (slurp("$work/output") !~ /^Serving /m) {
        die 'the server does not start: ', slurp("$work/output") if waitpid($server, 1) || time > $end;
        sleep 0.05;
    }
    return;
}

# The configuration of the server that was started, up to what is its own.
sub sample_base
{
    my ($base) = slurp("$work/var/httpd.conf") =~ /\A(.*?)^Define /ms or die "the sample has another configuration\n";
    return $base;
}

# The exit code of httpd -t for a configuration, and what it says of it.
sub configtest
{
    my ($text) = @_;
    my ($apxs) = grep { -x } map { ("$_/apxs", "$_/apxs2") } split /:/, $ENV{PATH};
    my $httpd = `$apxs -q SBINDIR` . '/' . `$apxs -q PROGNAME`;
    $httpd =~ s/\n//g;
    my $name = "$work/example.conf";
    open my $file, '>:encoding(UTF-8)', $name or die "$name: $!\n";
    print {$file} $text;
    close $file or die "$name: $!\n";
    open my $nothing, '<', '/dev/null' or die "/dev/null: $!\n";
    open my $out, '>', "$work/said" or die "said: $!\n";
    my $pid = spawn($nothing, $out, $httpd, '-t', '-f', $name);
    waitpid $pid, 0;
    return ($?, slurp("$work/said"));
}

END {
    my $code = $?;
    for my $pid (reverse @processes) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
    chdir '/';
    $? = $code;
}
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP PIPE);

# ---- Ids and times -------------------------------------------------------------------------------

my %fixed;

# These ids have to be what they are: those of the sample, and those that a document sends.
sub fixed_ids
{
    $fixed{$_} = 1 for map { /${\UUID}/g } @_;
    return;
}

# The text without its times and digests; each id that was made up has a number, the same one everywhere. numbers:
# a hash for all that one side says.
sub alike
{
    my ($text, $numbers) = @_;
    $text =~ s/(${\UUID})/$fixed{$1} ? $1 : 'ID-' . ($numbers->{$1} \/\/= 1 + keys %$numbers)/ge;
    $text =~ s/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/TIME/g;
    $text =~ s/\b1[789]\d{8}\b/TIME/g;
    $text =~ s/\b[0-9a-f]{64}\b/DIGEST/g;
    return $text;
}

1;
