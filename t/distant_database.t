# A PostgreSQL server that is far away: each round trip takes longer than a chunk should. A chunk
# then has as many items as are worth its round trips, not one: what counts is how many statements
# there are, not how long it takes.
#
# needs: drivers; takes: waiting
use strict;
use warnings;

use BatchTest;
use BatchTest::Proxy;

plan skip_all => 'SQLite is not far away' if driver() ne 'pgsql';

my $count = 3000;
my ($server) = $ENV{BATCH_TEST_PARAMS} =~ /host=(\S+)/;
my $folder = work_folder() . '/far';
my $proxy = BatchTest::Proxy->new($folder, $server);
(my $params = $ENV{BATCH_TEST_PARAMS}) =~ s/host=\S+/host=$folder/;

END { eval { sql('DROP TABLE IF EXISTS batchless_far') } }

sql('DROP TABLE IF EXISTS batchless_far', 'CREATE TABLE batchless_far (id TEXT PRIMARY KEY, name TEXT)');
# One worker, and two, which may share a batch.
foreach my $workers (1, 2) {
    $proxy->delay(0);
    configure("BatchDBDParams \"$params\"", 'BatchChunkTime 2ms', "BatchWorkers $workers",
        '<BatchResource far>', 'BatchTable batchless_far', 'BatchKey id client', 'BatchColumn name text',
        'BatchActions merge overwrite delete', '</BatchResource>');
    server_stop();
    ok(server_start(), "httpd starts with its database behind a proxy, workers: $workers");
    foreach my $action (qw(merge overwrite delete)) {
        my @items = map { {id => sprintf('f%06d', $_), $action eq 'delete' ? () : (name => "$action $_")} } 1 .. $count;
        my $request = {action => $action, resource => 'far', data => \@items};
        $proxy->delay(15);
        $proxy->executed;
        my $batch = resource_final(accepted($request));
        my $executed = $proxy->executed;
        $proxy->delay(0);
        is($batch->{status}, 'completed', "$action from far away");
        is(value('SELECT count(*) FROM batchless_far' . ($action eq 'delete' ? '' : " WHERE name LIKE '$action %'")),
            $action eq 'delete' ? 0 : $count, '… did its work');
        cmp_ok($executed, '<', $count / 2, '… with fewer statements than it had items');
        note("$action: $executed statements");
    }
}
unconfigure();
server_stop();
ok(server_start(), 'back to what it was');
finish();
