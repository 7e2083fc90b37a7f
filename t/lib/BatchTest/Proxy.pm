# A way to the PostgreSQL server on which connections are lost where a test wants it: a process that
# takes connections on a socket in a folder of its own, passes on what it gets, and counts the
# statements that clients have the server execute.
package BatchTest::Proxy;

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Time::HiRes qw(sleep);

# new(folder, folder of the server's socket): starts it. It ends with the object.
sub new
{
    my ($class, $folder, $server) = @_;
    mkdir $folder;
    unlink "$folder/.s.PGSQL.5432";    # of one that was killed
    my $listener = IO::Socket::UNIX->new(Local => "$folder/.s.PGSQL.5432", Listen => 64)
        or die "cannot listen in $folder: $!\n";
    socketpair my $here, my $there, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        close $here;
        my $self = bless {
            listener => $listener,
            control => $there,
            server => "$server/.s.PGSQL.5432",
            select => IO::Select->new($listener, $there),
            ends => {},
            armed => 0,
            executed => 0
        }, $class;
        eval { $self->_serve() };
        require POSIX;
        POSIX::_exit(0);
    }
    close $there;
    return bless {pid => $pid, control => $here, owner => $$}, $class;
}

sub _ask
{
    my ($self, $words) = @_;
    syswrite $self->{control}, "$words\n";
    sysread $self->{control}, my $answer, 100 or die "the proxy is gone\n";
    return split ' ', $answer;
}

# Something happens once to the connection that has its server execute the number-th statement from
# now on:
#   cut        the connection ends before the server hears of it
#   terminate  the server process is terminated when it has executed it
#   mute       the connection ends when it has been executed, and the client is told nothing
sub arm { my ($self, $mode, $number) = @_; $self->_ask("$mode $number"); return }

# Nothing will happen any more. True if it has.
sub disarm { my ($self) = @_; return ($self->_ask('pass 0'))[0] }

# From now on each answer of the server, which ends a round trip, comes so many milliseconds late.
sub delay { my ($self, $milliseconds) = @_; $self->_ask("delay $milliseconds"); return }

# How many statements were executed since that was last asked.
sub executed { my ($self) = @_; return ($self->_ask('count 0'))[1] }

sub DESTROY
{
    my ($self) = @_;
    return if !$self->{pid} || $self->{owner} != $$;
    local $?;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

# ---- In its own process --------------------------------------------------------------------------

sub _serve
{
    my ($self) = @_;
    local $SIG{PIPE} = 'IGNORE';
    while (1) {
        foreach my $handle ($self->{select}->can_read) {
            if ($handle == $self->{listener}) { $self->_accept }
            elsif ($handle == $self->{control}) { $self->_obey or return }
            elsif (my $end = $self->{ends}{$handle}) { $self->_pass($end) }
        }
    }
    return;
}

sub _obey
{
    my ($self) = @_;
    sysread $self->{control}, my $line, 100 or return 0;
    my ($mode, $number) = split ' ', $line;
    my $fired = $self->{fired} ? 1 : 0;
    syswrite $self->{control}, "$fired $self->{executed}\n";
    if ($mode eq 'count') {
        $self->{executed} = 0;
        return 1;
    }
    if ($mode eq 'delay') {
        $self->{delay} = $number / 1000;
        return 1;
    }
    @$self{qw(mode armed fired)} = ($mode, $number, 0);
    return 1;
}

sub _accept
{
    my ($self) = @_;
    my $client = $self->{listener}->accept or return;
    my $server = IO::Socket::UNIX->new(Peer => $self->{server}) or return close $client;
    my $connection = {client => $client, server => $server, unanswered => 0};
    $self->{ends}{$client} = {connection => $connection, from => $client, bytes => '', begins => 1};
    $self->{ends}{$server} = {connection => $connection, from => $server, bytes => ''};
    $self->{select}->add($client, $server);
    return;
}

sub _close
{
    my ($self, $connection) = @_;
    foreach my $handle (@$connection{qw(client server)}) {
        $self->{select}->remove($handle);
        delete $self->{ends}{$handle};
        close $handle;
    }
    return;
}

sub _send
{
    my ($handle, $bytes) = @_;
    while (length $bytes) {
        my $sent = syswrite $handle, $bytes or return;
        substr $bytes, 0, $sent, '';
    }
    return;
}

# The next whole message of those bytes, taken out of them.
sub _message
{
    my ($end) = @_;
    my $header = $end->{begins} ? 0 : 1;
    return if length $end->{bytes} < $header + 4;
    my $length = $header + unpack 'N', substr $end->{bytes}, $header, 4;
    return if length $end->{bytes} < $length;
    $end->{begins} = 0;
    return ($header ? substr $end->{bytes}, 0, 1 : '', substr $end->{bytes}, 0, $length, '');
}

sub _pass
{
    my ($self, $end) = @_;
    my $connection = $end->{connection};
    if (!sysread $end->{from}, $end->{bytes}, 65536, length $end->{bytes}) {
        return $self->_close($connection);
    }
    while (my ($type, $message) = _message($end)) {
        if ($end->{from} == $connection->{client}) { $self->_from_client($connection, $type, $message) }
        else { $self->_from_server($connection, $type, $message) }
        return if !$self->{ends}{$end->{from}};
    }
    return;
}

sub _from_client
{
    my ($self, $connection, $type, $message) = @_;
    return if $connection->{mode};    # it has come to its end
    my $executes = $type eq 'E' || $type eq 'Q';
    $self->{executed}++ if $executes;
    if (!$executes || !$self->{armed} || --$self->{armed}) {
        $connection->{unanswered}++ if $executes;
        return _send($connection->{server}, $message);
    }
    $self->{fired} = 1;
    return $self->_close($connection) if $self->{mode} eq 'cut';
    $connection->{mode} = $self->{mode};
    $connection->{unanswered}++;
    # Flush: it is executed, and answered, without waiting for what would come behind it.
    return _send($connection->{server}, $message . pack 'a N', 'H', 4);
}

sub _from_server
{
    my ($self, $connection, $type, $message) = @_;
    my $mode = $connection->{mode} || '';
    $connection->{pid} = unpack 'N', substr $message, 5, 4 if $type eq 'K';
    $connection->{unanswered}-- if $type =~ /[CIs]/;
    # Behind an error the server executes nothing until it is synchronized.
    $connection->{unanswered} = 0 if $type eq 'E' || $type eq 'Z';
    sleep $self->{delay} if $type eq 'Z' && $self->{delay};
    _send($connection->{client}, $message) if $mode ne 'mute';
    return if $connection->{unanswered} > 0;
    return $self->_close($connection) if $mode eq 'mute';
    if ($mode eq 'terminate' && !$connection->{terminated}++) {
        kill 'TERM', $connection->{pid};
    }
    return;
}

1;
