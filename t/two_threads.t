# PostgreSQL: two threads apply the items of a batch, in transactions of their own. Whatever comes
# between, each item is applied exactly once, and the rows are those that are counted.
#
# Without the fence, or where a chunk is committed before the one in front of it, that fails.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

if (driver() ne 'pgsql') {
    plan(skip_all => 'SQLite has one writer at a time');
}
tolerate_log(qr/MB0417: .* without progress/);

my $count = 24_000;
my @items = map { {tracking_number => sprintf('two %05d', $_), carrier => 'fast'} } 1 .. $count;

# Transactions of the module that have changed shipments and are not committed.
sub at_work
{
    return value("SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE relation ="
            . " 'shipments'::regclass AND mode = 'RowExclusiveLock' AND granted AND application_name = 'mod_batch'");
}

# A batch whose items two threads are at, and which stands still in the middle: at a row that
# another program has.
sub standing_still
{
    restore();
    sql("INSERT INTO shipments (id, organization_id, tracking_number, created_at, updated_at)"
        . " VALUES ('two-held', 'acme', 'two 06000', '2023-10-06T02:56:34Z', '2023-10-06T02:56:34Z')");
    hold_statement("SELECT 'held' FROM shipments WHERE id = 'two-held' FOR UPDATE");
    my $batch = accepted(merge('shipment', \@items));
    wait_for('two transactions at once', sub { at_work() >= 2 });
    wait_for('one that waits for the row',
        sub { value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mod_batch' AND wait_event_type = 'Lock'") });
    return $batch;
}

sub made { return value("SELECT count(*) FROM shipments WHERE tracking_number LIKE 'two %' AND id <> 'two-held'") }

# ---- To the end ----------------------------------------------------------------------------------

my $batch = standing_still();
my $now;
# What is in front of the row may be committed between two looks.
wait_for('its rows to be those that are counted',
    sub { $now = resource_batch($batch); made() == $now->{stats}{created} });
is($now->{status}, 'processing', 'a batch stands still in the middle, and its rows are those that are counted');
cmp_ok($now->{stats}{created}, '<', 6000, 'with nothing committed of what is behind it');
release_locks();
is_result(resource_final($batch), 'completed', {created => $count - 1, updated => 1}, 'when the row is let go it goes on');
is(made(), $count - 1, 'each row was made once');
is(value("SELECT count(*) FROM shipments WHERE tracking_number LIKE 'two %' AND carrier = 'fast'"),
    $count, 'and has what was sent');
is_result(run_batch(merge('shipment', \@items)), 'completed', {updated => $count}, 'once more it changes them');

# ---- Killed --------------------------------------------------------------------------------------

$batch = standing_still();
server_replace(server_children());
release_locks();
is_result(resource_final($batch), 'completed', {created => $count - 1, updated => 1},
    'a batch whose process was killed goes on');
is(made(), $count - 1, 'each row was made once');

# ---- Cancelled -----------------------------------------------------------------------------------

$batch = standing_still();
is(cancel($batch)->status, 200, 'a batch is cancelled');
release_locks();
my $end = resource_final($batch);
is($end->{status}, 'failed', 'it ends');
cmp_ok($end->{stats}{created}, '<', 6000, 'in front of the row that it waited for');
wait_for('both transactions to be rolled back', sub { !at_work() });
is(made(), $end->{stats}{created}, 'its rows are those that are counted');
is(value("SELECT carrier FROM shipments WHERE id = 'two-held'"), undef, 'and no other was touched');

# ---- Errors --------------------------------------------------------------------------------------

restore();
sql("ALTER TABLE shipments ADD CONSTRAINT test_slow CHECK (carrier <> 'slow')");
my @wrong = map { {%$_} } @items;
$wrong[$_]{carrier} = 'slow' for 2000, 7000, 7001;
$batch = run_batch(merge('shipment', \@wrong));
sql('ALTER TABLE shipments DROP CONSTRAINT test_slow');
is_result($batch, 'completed', {created => $count - 3, errors => 3}, 'items that the table refuses are errors');
is_deeply([sort { $a <=> $b } map { $_->{index} } stored_errors($batch)], [2000, 7000, 7001], 'those');
is(made(), $count - 3, 'all others were made');

finish();
