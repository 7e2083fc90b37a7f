# A port for a server that is stopped and started again and again, beside other suites.
package BatchTest::Port;

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;

our @EXPORT = qw(free_port);

# Below those that the system gives to clients: while the server is down one of them could have it.
# Each process begins at another, so that two suites that start at once do not find the same one.
use constant {FIRST => 10_000, COUNT => 10_000};

my $next = $$ * 7;

sub free_port
{
    foreach (1 .. COUNT) {
        my $port = FIRST + $next++ % COUNT;
        return $port if IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port);
    }
    die "no free port: $!\n";
}

1;
