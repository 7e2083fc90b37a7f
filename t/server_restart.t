# The PostgreSQL server is stopped and started while batches run: 503 with Retry-After meanwhile, then
# all goes on by itself, and each item is applied exactly once.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;

plan skip_all => 'SQLite has no server' if driver() ne 'pgsql';

tolerate_log(qr/MB\d{4}: /);

my @ids = record_ids(200);

sub is_unavailable
{
    my ($answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_error($answer, 503, $name);
    like($answer->header('Retry-After') // '', qr/^[1-9]\d*$/,
        "$name: with Retry-After in seconds");
    return;
}

# Waits until the batch has come further than it had; returns how far, or nothing when it has ended.
sub further
{
    my ($batch, $than) = @_;
    my ($now) = wait_for(
        "the batch to come further than $than",
        sub {
            my ($row) = eval { rows("SELECT position, status FROM batch_jobs WHERE id = '$batch->{id}'") };
            return $row && ($row->{position} > $than || $row->{status} =~ /^(?:completed|failed)$/)
                ? $row : undef;
        }
    );
    return $now->{status} eq 'processing' ? $now->{position} : undef;
}

# A batch of slow updates, of all ids and of two that are not there.
sub slow_batch
{
    my ($status) = @_;
    restore();
    slow_trigger('UPDATE');
    count_trigger('UPDATE');
    return create(update_ids({status => $status}, @ids, unknown_ids(2)));
}

sub is_done
{
    my ($batch, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    let_go();
    wait_for("$name: the batch to end by itself",
        sub { value("SELECT count(*) FROM batch_jobs WHERE status = 'completed'") });
    is_batch_counts(batch($batch), ['success', 202, 200, 2], "$name: it ends, with exact counts");
    is_deeply(applied(), {touched => 200, ids => 200, most => 1},
        "$name: each item was applied once");
    is(value('SELECT count(*) FROM batch_errors'), 2, "$name: each error was written once");
    return;
}

# ---- Away, and back ------------------------------------------------------------------------------

my $batch = slow_batch('outlived');
my $pending = pending(delete_ids(@ids[0 .. 1]));
ok(defined further($batch, 0), 'a batch runs');
postgres_control('stop', '-m', 'immediate');
is_unavailable(request('GET', '/batch'), 'no server: the list');
is_unavailable(request('GET', "/batch/$batch->{id}"), 'no server: a batch');
is_unavailable(request('GET', "/batch/$batch->{id}/errors.csv"), 'no server: its errors');
is_unavailable(post_batch(delete_ids($ids[0])), 'no server: a create');
is_unavailable(start($pending), 'no server: a start');
is_unavailable(request('DELETE', "/batch/$pending->{id}"), 'no server: a removal');
is_error(request('GET', '/batch', as => undef), 401, 'no server: who is asking comes first');
is_error(request('POST', '/batch', body => '{'), 400, 'no server: what is wrong anyway is wrong');
is(request('GET', '/index.html', as => undef)->status, 200, 'no server: other URLs are served');
postgres_control('start');
is(request('GET', '/batch')->status, 200, 'with the server again, the first request is answered');
is_done($batch, 'stopped and started');
is_batch_counts(batch($pending), ['pending', 2, 0, 0], 'what was answered 503 has not happened');
is(value('SELECT count(*) FROM batch_jobs'), 2, 'nor the create');

# ---- Restarts ------------------------------------------------------------------------------------

foreach my $mode (qw(fast immediate)) {
    $batch = slow_batch($mode);
    my ($restarts, $at) = (0, 0);
    while ($restarts < 3 && defined($at = further($batch, $at))) {
        postgres_control('restart', '-m', $mode);
        $restarts++;
    }
    is($restarts, 3, "three restarts ($mode) while a batch runs");
    is_done($batch, $mode);
}

# ---- Terminated server processes -----------------------------------------------------------------

$batch = slow_batch('terminated');
my ($times, $at) = (0, 0);
while ($times < 10 && defined($at = further($batch, $at))) {
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mod_batch'");
    $times++;
}
ok($times >= 5, "all server processes were terminated $times times while a batch runs");
is_done($batch, 'terminated');

# ---- httpd starts first --------------------------------------------------------------------------

restore();
server_stop();
postgres_control('stop', '-m', 'fast');
ok(server_start(), 'httpd starts without its database server');
is_unavailable(post_batch(delete_ids($ids[0])), 'not there yet: a create');
postgres_control('start');
is_batch_counts(
    finished(create(delete_ids(@ids[0 .. 4]))),
    ['success', 5, 5, 0],
    'when it comes up, batches run'
);
finish();
