# A client that sends exactly what a test says, malformed or not.
package BatchTest::Http;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 ();
use Time::HiRes qw(time);

use BatchTest::Config;

our @EXPORT = qw(request request_text raw parallel basic);

my $patience = $ENV{SANITIZE} ? 300 : 180;
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub basic { return 'Basic ' . MIME::Base64::encode_base64("$_[0]:$_[1]", '') }

# The bytes of a request. Options:
#   as => user      whose token goes along (alice); undef: none
#   header => name  of the token's header
#   headers => {}   more of them, or others; undef removes one
#   json => data, or body => bytes with type => media type
#   version => '1.0'
sub request_text
{
    my ($method, $path, %option) = @_;
    my $as = exists $option{as} ? $option{as} : 'alice';
    my %header
        = (Host => '127.0.0.1:' . var('port'), Connection => 'close', Accept => 'application/json');
    $header{$option{header} || 'X-ApiToken'} = "$as-token" if defined $as;
    my $body = $option{body};
    if (exists $option{json}) {
        $body = $json->encode($option{json});
        $header{'Content-Type'} = 'application/json';
    }
    elsif (defined $body) {
        $header{'Content-Type'} = 'application/json';
    }
    $header{'Content-Type'} = $option{type} if exists $option{type};
    $header{'Content-Length'} = length($body // '')
        if defined $body || $method =~ /^(?:POST|PUT|PATCH)$/;
    %header = (%header, %{$option{headers}}) if $option{headers};
    my $version = $option{version} || '1.1';
    my $text = "$method $path HTTP/$version\r\n";
    foreach my $name (sort keys %header) {
        next unless defined $header{$name};
        $text .= "$name: $_\r\n" for ref $header{$name} ? @{$header{$name}} : $header{$name};
    }
    return $text . "\r\n" . ($body // '');
}

sub request
{
    my ($method, $path, %option) = @_;
    my ($answer) = parallel([request_text($method, $path, %option)], $method);
    return $answer;
}

# Sends the bytes as they are and returns the answer; closes our half of the connection then if
# half_close is true.
sub raw
{
    my ($bytes, %option) = @_;
    my ($answer) = parallel([$bytes], undef, %option);
    return $answer;
}

# Sends all requests at once, each on a connection of its own: the last byte of each is held back
# until all the others are on their way. Returns the answers in the same order.
sub parallel
{
    my ($texts, $method, %option) = @_;
    my @connections;
    foreach my $text (@$texts) {
        my $socket = IO::Socket::INET->new(
            PeerAddr => '127.0.0.1',
            PeerPort => var('port'),
            Proto => 'tcp',
            Timeout => $patience
        ) or do { push @connections, {failed => "cannot connect: $!", in => ''}; next; };
        my $head = length $text > 1 ? substr($text, 0, -1) : '';
        my $connection = {
            socket => $socket,
            in => '',
            out => substr($text, -1),
            head => $text =~ /^HEAD / || ($method // '') eq 'HEAD'
        };
        # A server that has seen enough closes the connection: what is not taken is not sent.
        local $SIG{PIPE} = 'IGNORE';
        if (@$texts == 1) {
            $connection->{out} = $text;
        }
        else {
            _send($connection, $head);
        }
        push @connections, $connection;
    }
    {
        local $SIG{PIPE} = 'IGNORE';
        foreach my $connection (grep { $_->{socket} } @connections) {
            _send($connection, $connection->{out});
            shutdown $connection->{socket}, 1 if $option{half_close};
        }
    }
    my $select = IO::Select->new(map { $_->{socket} } grep { $_->{socket} } @connections);
    my %by_socket = map { $_->{socket} => $_ } grep { $_->{socket} } @connections;
    my $end = time + $patience;
    while ($select->count && time < $end) {
        foreach my $socket ($select->can_read(1)) {
            my $connection = $by_socket{$socket};
            my $got = sysread $socket, $connection->{in}, 262144, length $connection->{in};
            next if $got;
            $select->remove($socket);
            close $socket;
        }
    }
    $_->{timed_out} = 1 for map { $by_socket{$_} } $select->handles;
    return map { BatchTest::Answer->new($_) } @connections;
}

# Sends all of it, and reads what comes meanwhile: a server may answer before it has heard the end.
sub _send
{
    my ($connection, $bytes) = @_;
    my $socket = $connection->{socket};
    $socket->blocking(0);
    my $offset = 0;
    my $end = time + $patience;
    while ($offset < length $bytes && time < $end) {
        my $sent = syswrite $socket, $bytes, 65536, $offset;
        if (defined $sent) {
            $offset += $sent;
            next;
        }
        last unless $!{EAGAIN};
        my ($reading, $writing)
            = IO::Select->select(IO::Select->new($socket), IO::Select->new($socket), undef, 1);
        if ($reading && @$reading) {
            my $got = sysread $socket, $connection->{in}, 65536, length $connection->{in};
            last if defined $got && !$got;
        }
    }
    $socket->blocking(1);
    return;
}

# A connection that stays open, for tests of many requests.
package BatchTest::Connection;

use strict;
use warnings;

use BatchTest::Config;

sub new
{
    my ($class, %option) = @_;
    return bless {as => 'alice', %option}, $class;
}

sub request
{
    my ($self, $method, $path, %option) = @_;
    my $text = BatchTest::Http::request_text(
        $method, $path,
        as => $self->{as},
        %option,
        headers => {Connection => 'keep-alive', %{$option{headers} || {}}}
    );
    my $answer = $self->{socket} && $self->_exchange($text, $method);
    return $answer if $answer;
    # The server may close a connection that rests: once more, on a new one.
    $self->{socket} = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => var('port'),
        Proto => 'tcp',
        Timeout => 60
    ) or die "cannot connect: $!\n";
    return $self->_exchange($text, $method) || die "no answer to $method $path\n";
}

sub _exchange
{
    my ($self, $text, $method) = @_;
    my $socket = $self->{socket};
    local $SIG{PIPE} = 'IGNORE';
    $socket->print($text) && $socket->flush or return $self->_lost;
    my $in = '';
    while ($in !~ /\r\n\r\n/) {
        sysread($socket, $in, 65536, length $in) or return $self->_lost;
    }
    my ($head) = $in =~ /^(.*?\r\n\r\n)/s;
    my ($length) = $head =~ /^content-length:\s*(\d+)/im;
    my $chunked = $head =~ /^transfer-encoding:\s*chunked/im;
    my $none = $method eq 'HEAD' || $head =~ m{^HTTP/1\.1 (?:304|204)};
    while (!$none
        && ($chunked ? $in !~ /\r\n0\r\n\r\n\z/ : length($in) < length($head) + ($length // 0)))
    {
        sysread($socket, $in, 65536, length $in) or return $self->_lost;
    }
    delete $self->{socket} if $head =~ /^connection:\s*close/im;
    return BatchTest::Answer->new({in => $in, head => $method eq 'HEAD'});
}

sub _lost { my ($self) = @_; delete $self->{socket}; return }

# What a server said.
package BatchTest::Answer;

use strict;
use warnings;

sub new
{
    my ($class, $connection) = @_;
    my $self = bless {status => 0, headers => {}, body => '', why => $connection->{failed}}, $class;
    my $in = $connection->{in};
    $self->{timed_out} = $connection->{timed_out};
    $in =~ s{\AHTTP/1\.[01] 1\d\d[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n}{} and $self->{interim} = 1;
    return $self unless $in =~ s{\AHTTP/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n}{};
    $self->{status} = $1;
    foreach my $line (split /\r\n/, $2) {
        my ($name, $value) = $line =~ /^([^:]+):\s*(.*?)\s*$/ or next;
        push @{$self->{headers}{lc $name}}, $value;
    }
    $self->{rest} = $in;
    if (!$connection->{head} && ($self->header('Transfer-Encoding') // '') =~ /chunked/i) {
        my $body = '';
        my $whole;
        while ($in =~ s/\A([0-9A-Fa-f]+)[^\r\n]*\r\n//) {
            my $length = hex $1;
            $whole = 1, last unless $length;
            $body .= substr $in, 0, $length, '';
            $in =~ s/\A\r\n// or last;
        }
        $in = $body;
        $self->{truncated} = !$whole;
    }
    elsif (!$connection->{head} && defined $self->header('Content-Length')) {
        $self->{truncated} = length $in < $self->header('Content-Length');
    }
    $self->{body} = $in;
    return $self;
}

sub status { return $_[0]{status} }
sub body { return $_[0]{body} }
sub truncated { return $_[0]{truncated} }
sub headers { return $_[0]{headers} }

# The value of a header, several of one name joined; undef where there is none.
sub header
{
    my ($self, $name) = @_;
    my $values = $self->{headers}{lc $name} or return;
    return join ', ', @$values;
}

sub media_type
{
    my ($self) = @_;
    my ($type) = split /;/, $self->header('Content-Type') // '';
    return $type // '';
}

sub json
{
    my ($self) = @_;
    return $json->decode($self->{body});
}

1;
