# kill -9, whatever it hits: running batches go on by themselves, and each item is applied exactly
# once.
#
# BatchLease is an hour here (t/conf/extra.conf.in), so that going on means that the owner's death
# was noticed. Without the fence, or with the progress of a chunk outside of its transaction, "once
# each" fails.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;

# The pid file that a killed httpd leaves.
tolerate_log(qr/AH00098: pid file .* overwritten/);
# A batch that was claimed, and killed before its first chunk, a few times.
tolerate_log(qr/MB0417: .* without progress/);

my @ids = record_ids(300);

# Waits until the batch has come further than it had; returns it, or nothing when it has ended.
sub further
{
    my ($batch, $than) = @_;
    my $now = wait_for(
        "the batch to come further than $than",
        sub {
            my $now = eval { batch($batch) } or return;
            return $now->{status} ne 'running'
                || $now->{objects_success} + $now->{objects_failed} > $than ? $now : undef;
        }
    );
    return $now->{status} eq 'running' ? $now : undef;
}

# ---- Children ------------------------------------------------------------------------------------

slow_trigger('UPDATE');
count_trigger('UPDATE');
my $batch = create(update_ids({status => 'crashed'}, @ids, unknown_ids(5)));
my ($kills, $at) = (0, 0);
while ($kills < 5) {
    my $now = further($batch, $at) or last;
    $at = $now->{objects_success} + $now->{objects_failed};
    server_replace(server_children());
    $kills++;
}
let_go();
is($kills, 5, 'all children were killed five times while the batch ran');
is_batch_counts(
    finished($batch),
    ['success', 305, 300, 5],
    'it went on by itself to its end, with exact counts'
);
is_deeply(applied(), {touched => 300, ids => 300, most => 1}, 'each item was applied once');
is(value("SELECT count(*) FROM records WHERE status = 'crashed'"), 300, 'and its rows are there');
is_deeply([map { $_->{id} } @{request('GET', "/batch/$batch->{id}/errors.json")->json}],
    [unknown_ids(5)], 'each error was written once');

# One child after the other, so that another is there to take over.
restore();
slow_trigger('DELETE');
count_trigger('DELETE');
$batch = create(delete_ids(@ids[0 .. 199]));
($kills, $at) = (0, 0);
while ($kills < 6) {
    my $now = further($batch, $at) or last;
    $at = $now->{objects_success} + $now->{objects_failed};
    my @children = server_children();
    server_kill($children[$kills % @children]);
    $kills++;
}
let_go();
ok($kills >= 2, "a child was killed $kills times while a delete ran");
is_batch_counts(finished($batch), ['success', 200, 200, 0],
    'it ends, and no item is deleted twice');
is_deeply(applied(), {touched => 200, ids => 200, most => 1}, 'each row was deleted once');

# ---- A worker that is taken for dead and is not --------------------------------------------------

# As after a pause of a whole machine: the batch is claimed by another while its worker lives. That
# one must notice, at its next chunk, that the batch is no longer its own.
restore();
slow_trigger('UPDATE');
count_trigger('UPDATE');
$batch = create(update_ids({status => 'stolen'}, @ids));
my $steals = 0;
$at = 0;

while ($steals < 2) {
    my $now = further($batch, $at) or last;
    $at = $now->{objects_success} + $now->{objects_failed};
    my ($before) = rows("SELECT epoch FROM batch_jobs WHERE id = '$batch->{id}'");
    # What a claim does. 2^22 is more than the largest pid that Linux gives: the thief is dead, and
    # another worker takes the batch over from it.
    sql_at_once('UPDATE batch_jobs SET epoch = epoch + 1, owner_pid = 4194305 '
            . "WHERE id = '$batch->{id}' AND status = 'processing'");
    my $stolen = wait_for(
        'another worker to claim the batch',
        sub {
            my ($row) = rows("SELECT epoch, status FROM batch_jobs WHERE id = '$batch->{id}'");
            return $row->{epoch} > $before->{epoch} + 1 ? 1
                : $row->{status} ne 'processing' ? -1 : 0;
        }
    );
    last if $stolen < 0;
    $steals++;
}
let_go();
is($steals, 2, 'a batch was claimed twice from under a living worker');
is_batch_counts(finished($batch), ['success', 300, 300, 0], 'it ends, with exact counts');
is_deeply(applied(), {touched => 300, ids => 300, most => 1}, 'no item was applied by both');

# ---- All of httpd --------------------------------------------------------------------------------

restore();
slow_trigger('UPDATE');
count_trigger('UPDATE');
my @batches = create(update_ids({project_id => 'first'}, @ids[0 .. 199], unknown_ids(3)));
push @batches, create(update_ids({assigned_to_id => 'second'}, @ids[200 .. 219])),
    create(update_ids({assigned_to_id => 'third'}, @ids[220 .. 239]));
my $kills_of_all = 0;
$at = 0;

while ($kills_of_all < 3) {
    my $now = further($batches[0], $at) or last;
    $at = $now->{objects_success} + $now->{objects_failed};
    server_kill_all();
    my ($left) = rows("SELECT status, position FROM batch_jobs WHERE id = '$batches[0]{id}'");
    is($left->{status}, 'processing', 'httpd is gone, its batch is unfinished') if !$kills_of_all;
    ok(server_start(), 'httpd starts again');
    $kills_of_all++;
}
let_go();
is($kills_of_all, 3, 'all of httpd was killed three times');
# Nobody asks for it: it goes on by itself.
wait_for(
    'the batches to end by themselves',
    sub {
        value("SELECT count(*) FROM batch_jobs WHERE status IN ('completed', 'failed')") == 3;
    }
);
is_batch_counts(batch($batches[0]), ['success', 203, 200, 3], 'the one that ran');
is_batch_counts(batch($_), ['success', 20, 20, 0], 'one that may have waited') for @batches[1, 2];
is_deeply(applied(), {touched => 240, ids => 240, most => 1}, 'each item of each was applied once');
is_deeply([map { $_->{id} } @{request('GET', "/batch/$batches[0]{id}/errors.json")->json}],
    [unknown_ids(3)], 'each error was written once');

# ---- Promises that were made ---------------------------------------------------------------------

restore();
for my $round (1 .. 3) {
    my $waiting = pending(delete_ids(@ids[0 .. 1]));
    my $started = create(update_ids({status => "round $round"}, @ids[2 .. 9]));
    my $set = pending([]);
    request(
        'POST',
        "/batch/$set->{id}/operations",
        json => {operations => [delete_ids(@ids[3 .. 5])]}
    );
    server_kill_all();
    ok(server_start(), "round $round: killed right behind the answers");
    is_batch_counts(batch($waiting), ['pending', 2, 0, 0], "round $round: a 201 is on disk");
    is_batch_counts(batch($set), ['pending', 3, 0, 0], "round $round: operations are on disk");
    is_batch_counts(
        finished($started),
        ['success', 8, 8, 0],
        "round $round: a 202 is on disk, and ends"
    );
}
is(value('SELECT count(*) FROM records'), 600, 'what waits has not run');

if (driver() ne 'pgsql') {
    is(run_sql('PRAGMA integrity_check;'), "ok\n", 'the database is sound');
}

finish();
