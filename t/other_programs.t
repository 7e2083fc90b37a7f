# Programs beside httpd that write to the same SQLite file get their turn while batches run: they
# wait with SQLite's busy handler, which looks ten times a second.
#
# needs: nothing; takes: waiting
use strict;
use warnings;

use BatchTest;

if (driver() eq 'pgsql') {
    plan(skip_all => 'writers of PostgreSQL do not wait for each other');
}

# Two workers, both at it: neither may fill the gap that the other leaves. Of two tables, since batches
# of the same rows come one after the other; they take minutes as long as the triggers are there.
sql('CREATE TABLE test_beside (n INTEGER)');
on_table($_, sub { slow_trigger('INSERT', 45) }) for qw(trackers shipments);
my @batches = map { accepted(merge($_, [map { {tracking_number => "slow $_"} } 1 .. 4000])) } qw(tracker shipment);
foreach my $batch (@batches) {
    wait_for('progress', sub { resource_batch($batch)->{stats}{created} > 0 });
}
foreach my $n (1 .. 3) {
    my $said = eval { run_sql(".timeout 60000\nINSERT INTO test_beside VALUES ($n);"); 'done' };
    is($said // $@, 'done', "another program writes: $n");
}
is(value('SELECT count(*) FROM test_beside'), 3, 'what it wrote is there');
is(resource_batch($_)->{status}, 'processing', 'meanwhile the batch runs') or diag('it has ended before')
    for @batches;
cancel($_) for @batches;
is(resource_final($_)->{status}, 'failed', 'until it is cancelled') for @batches;
drop_triggers();

finish();
