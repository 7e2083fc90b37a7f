# Programs beside httpd that write to the same SQLite file get their turn while batches run: they
# wait with SQLite's busy handler, which looks ten times a second.
use strict;
use warnings;

use BatchTest;

if (driver() eq 'pgsql') {
    plan(skip_all => 'writers of PostgreSQL do not wait for each other');
}

# Two workers, both at it: neither may fill the gap that the other leaves. A few tens of seconds, if
# they were left alone.
my @ids = record_ids(400);
slow_trigger('UPDATE', 450);
sql('CREATE TABLE test_beside (n INTEGER)');
my @batches = map { create(update_ids({status => 'slow'}, @ids)) } 1, 2;
foreach my $batch (@batches) {
    wait_for('progress', sub { batch($batch)->{objects_success} > 0 });
}
foreach my $n (1 .. 3) {
    my $said = eval { run_sql(".timeout 60000\nINSERT INTO test_beside VALUES ($n);"); 'done' };
    is($said // $@, 'done', "another program writes: $n");
}
is(value('SELECT count(*) FROM test_beside'), 3, 'what it wrote is there');
is(batch($_)->{status}, 'running', 'meanwhile the batch runs') or diag('it has ended before')
    for @batches;
is_batch_counts(finished($_), ['success', 400, 400, 0], 'it ends') for @batches;

finish();
