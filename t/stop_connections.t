# A stop while connections end. httpd's main thread closes the sockets of the connections that are
# under way in a child; the threads that serve them may be done at that moment. Nothing in httpd
# keeps them from freeing the memory that the main thread looks at: the child would die of SIGSEGV,
# and its worker would not give its batch back.
#
# That takes a main thread that is slow between two instructions. Here it is always slow, by a
# library that is preloaded into httpd.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use IO::Socket::INET;

use BatchTest;

BEGIN {
    plan skip_all => 'prefork has one thread a child' if mpm() eq 'prefork';
    plan skip_all => 'what is preloaded is the sanitizer' if $ENV{SANITIZE};
}

my $library = work_folder() . '/var/slow_close.so';
is(system('cc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', $library, 't/preload/slow_close.c', '-ldl'), 0,
    'the library is built');

# A client that is gone before its request is answered, again and again: its connection is freed as
# soon as the request is over.
sub hasty_client
{
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    while (1) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port'));
        print {$socket} request_text('GET', '/batch') if $socket;
        close $socket if $socket;
        select undef, undef, undef, 0.01;
    }
}

tolerate_log(qr/AH00045: child process \d+ still did not exit/);
# On a busy machine the clients are quicker than the server.
tolerate_log(qr/AH00484: server reached MaxRequestWorkers/);

create(delete_ids(unknown_ids($_))) for 1 .. 60;
wait_for('the batches to end',
    sub { value("SELECT count(*) FROM batch_jobs WHERE status = 'failed'") == 60 });
server_stop();
my @clients = map { hasty_client() } 1 .. 5;
foreach my $round (1 .. 3) {
    {
        local $ENV{LD_PRELOAD} = $library;
        ok(server_start(), "start $round");
    }
    wait_for('an answer', sub { request('GET', '/batch')->status == 200 });
    my $log = log_size();
    server_stop();
    my $text = log_text($log);
    ok($text !~ /exit signal/, "stop $round: no child crashes") or diag($text);
}
kill 'KILL', @clients;
waitpid $_, 0 for @clients;
ok(server_start(), 'httpd starts without the library');
is(request('GET', '/batch')->json->{total_count}, 60, 'all batches are there');

finish();
