# kill -9 in the midst of a merge, of a cleanup, of the taking in of a batch: what was accepted goes on
# by itself, each item is applied exactly once, and every count is right.
#
# Without the fence, or with the progress of a chunk outside of its transaction, "once" fails.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;

use IO::Socket::INET;

tolerate_log(qr/AH00098: pid file .* overwritten/);
tolerate_log(qr/MB0417: .* without progress/);

# What a batch has behind it, in all its phases.
sub reached
{
    my ($batch) = @_;
    my $sum = 0;
    $sum += $_->{processed} for grep { $_->{name} =~ /^(?:processing|cleanup)$/ } @{$batch->{phases}};
    return $sum;
}

# Waits until the batch has come further than it had, and, with a condition, until that is true of
# it; undef when it has ended.
sub further
{
    my ($batch, $than, $condition) = @_;
    my $now = wait_for(
        "the batch to come further than $than",
        sub {
            my $now = eval { resource_batch($batch) } or return;
            return $now->{status} !~ /^(?:queued|processing)$/
                || (reached($now) > $than && (!$condition || $condition->($now))) ? $now : undef;
        }
    );
    return $now->{status} =~ /^(?:queued|processing)$/ ? $now : undef;
}

# Kills all children each time that the batch has come further, at most so often; how often it did.
sub kill_children
{
    my ($batch, $most, $condition) = @_;
    my ($kills, $at) = (0, 0);
    while ($kills < $most) {
        my $now = further($batch, $at, $condition) or last;
        $at = reached($now);
        server_replace(server_children());
        $kills++;
    }
    return $kills;
}

sub triggers
{
    my (@events) = @_;
    on_table('contacts', sub { slow_trigger($_) for @events; count_trigger($_) for qw(INSERT UPDATE DELETE) });
    return;
}

# ---- Children, in a merge ------------------------------------------------------------------------

restore();
is_result(run_batch(merge('contact', [contact_items(150)])), 'completed', {created => 150}, 'rows that are there');
my @ids = map { $_->{id} } contacts("notes = 'made'");
my $others = table_hash('contacts', "notes IS NULL OR notes <> 'made'");
triggers(qw(INSERT UPDATE));
my @items;
foreach my $i (0 .. 149) {
    push @items, {id => $ids[$i], phone => "p$i", notes => 'merged'};
    push @items, {name => "new $i", phone => "n$i", notes => 'merged'};
    push @items, {name => "wrong $i", fax => 1} if $i % 50 == 0;
    push @items, {id => $ids[$i], phone => 'duplicate', notes => 'merged'} if $i % 30 == 0;
}
my $batch = accepted(merge('contact', \@items));
my $kills = kill_children($batch, 5);
let_go();
cmp_ok($kills, '>=', 3, "all children were killed $kills times while the batch ran");
my $end = resource_final($batch);
is_result($end, 'completed', {created => 150, updated => 150, duplicates => 5, errors => 3}, 'it ends, with exact counts');
is_phases($end, {received => 308, duplicates => 5, invalid => 3}, 'killed');
is_deeply(applied(), {touched => 300, ids => 300, most => 1}, 'each item was applied once');
is(value("SELECT count(*) FROM contacts WHERE notes = 'merged'"), 300, 'its rows are there');
is(value("SELECT count(DISTINCT phone) FROM contacts WHERE notes = 'merged'"), 300, 'each with its own');
is(value("SELECT count(*) FROM contacts WHERE phone = 'duplicate' OR name LIKE 'wrong%'"), 0, 'and no other');
is(table_hash('contacts', "notes IS NULL OR notes NOT IN ('made', 'merged')"), $others, 'nothing else was touched');
is(scalar(stored_errors($batch)), 8, 'each error is there once');

# ---- Children, in an overwrite and its cleanup ---------------------------------------------------

restore();
is_result(run_batch(merge('contact', [contact_items(300)])), 'completed', {created => 300}, 'rows that are there');
my $globex = table_hash('contacts', "organization_id = 'globex'");
triggers(qw(INSERT DELETE));
@ids = map { $_->{id} } contacts("notes = 'made'");
on_table('contacts', sub { refuse_trigger('DELETE', "OLD.id = '$ids[299]'", 'stays') });
$batch = accepted(
    overwrite('contact',
        [(map { {id => $_, notes => 'kept'} } @ids[0 .. 49]), (map { {name => "new $_", notes => 'new'} } 1 .. 100),
            {id => $ids[50], name => 5}]));
$kills = kill_children($batch, 2);
cmp_ok($kills, '>=', 1, "all children were killed $kills times in the overwrite");
$kills = kill_children($batch, 4, sub { $_[0]{stats}{overwritten} });
let_go();
cmp_ok($kills, '>=', 2, "and $kills times in its cleanup");
$end = resource_final($batch);
# 304 rows of acme, 50 named, 1 named by a wrong item, 1 that stays.
is_result($end, 'completed', {created => 100, updated => 50, overwritten => 252, errors => 2}, 'exact counts');
is_phases($end, {received => 151, invalid => 1, cleanup => 253, kept => 1}, 'killed in its cleanup');
is_deeply(applied(), {touched => 402, ids => 402, most => 1}, 'each row was touched once');
is(value("SELECT count(*) FROM contacts WHERE organization_id = 'acme'"), 152, 'what is left is right');
is(value("SELECT count(*) FROM contacts WHERE id IN ('$ids[50]', '$ids[299]')"), 2, 'with those that stay');
is(table_hash('contacts', "organization_id = 'globex'"), $globex, 'globex is untouched');
is(scalar(stored_errors($batch)), 2, 'each error is there once');

# ---- A worker that is taken for dead and is not --------------------------------------------------

restore();
is_result(run_batch(merge('contact', [contact_items(200)])), 'completed', {created => 200}, 'rows that are there');
# Slow enough that another worker finds it before it ends.
on_table('contacts', sub { slow_trigger($_) for qw(INSERT DELETE); count_trigger($_) for qw(INSERT DELETE) });
$batch = accepted(overwrite('contact', [map { {name => "stolen $_"} } 1 .. 150]));
my ($steals, $at) = (0, 0);
while ($steals < 2) {
    my $now = further($batch, $at) or last;
    $at = reached($now) + 30;
    my ($before) = rows("SELECT epoch FROM batch_jobs WHERE id = '$batch->{id}'");
    # What a claim does. 2^22 is more than the largest pid that Linux gives: the thief is dead, and
    # another worker takes the batch over from it.
    sql_at_once('UPDATE batch_jobs SET epoch = epoch + 1, owner_pid = 4194305 '
            . "WHERE id = '$batch->{id}' AND status = 'processing'");
    my $stolen = wait_for(
        'another worker to claim the batch',
        sub {
            my ($row) = rows("SELECT epoch, status FROM batch_jobs WHERE id = '$batch->{id}'");
            return $row->{epoch} > $before->{epoch} + 1 ? 1 : $row->{status} ne 'processing' ? -1 : 0;
        }
    );
    last if $stolen < 0;
    $steals++;
}
let_go();
is($steals, 2, 'the batch was claimed twice from under a living worker');
is_result(resource_final($batch), 'completed', {created => 150, overwritten => 204}, 'it ends, with exact counts');
is_deeply(applied(), {touched => 354, ids => 354, most => 1}, 'nothing was done by both');

# ---- All of httpd --------------------------------------------------------------------------------

restore();
triggers(qw(INSERT UPDATE));
$batch = accepted(merge('contact', [map { {name => "all $_"} } 1 .. 200]));
my @waiting = map { accepted(merge('shipment', [map { {tracking_number => $_} } "w$_", "x$_"])) } 1 .. 3;
($kills, $at) = (0, 0);
while ($kills < 3) {
    my $now = further($batch, $at) or last;
    $at = reached($now);
    server_kill_all();
    ok(server_start(), 'httpd was killed, and starts again');
    $kills++;
}
let_go();
is($kills, 3, 'three times');
wait_for('the batches to end by themselves',
    sub { value("SELECT count(*) FROM batch_jobs WHERE status = 'completed'") == 4 });
is_result(resource_batch($batch), 'completed', {created => 200}, 'the one that ran');
is_result(resource_batch($_), 'completed', {created => 2}, 'one that may have waited') for @waiting;
is_deeply(applied(), {touched => 200, ids => 200, most => 1}, 'each item was applied once');
is(value("SELECT count(*) FROM shipments WHERE created_at > '2024'"), 6, 'the others, too');

# ---- What was answered is there ------------------------------------------------------------------

restore();
foreach my $round (1 .. 3) {
    my $mixed = accepted(overwrite('contact', [map { {name => "round $round $_"} } 1 .. 50]));
    server_kill_all();
    ok(server_start(), "round $round: killed right behind a 202");
    my $end = resource_final($mixed);
    is_deeply([@{$end->{stats}}{qw(created errors)}], [50, 0], "round $round: it goes on");
    is(join(' ', map { $_->{name} =~ /^round (\d+)/ ? $1 : 'x' } contacts()), join(' ', ($round) x 50),
        "round $round: to its end");
    my $sync = synchronous(merge('shipment', [{tracking_number => "sync $round"}]));
    server_kill_all();
    ok(server_start(), "round $round: killed right behind a 201");
    is(value("SELECT count(*) FROM shipments WHERE tracking_number = 'sync $round'"), 1, "round $round: it is on disk");
    is(resource_batch($sync->json->{data})->{status}, 'completed', "round $round: so is its batch");
}

# ---- What was not answered is not there ----------------------------------------------------------

# Half a body, and then: the client goes, or the server does.
restore();
my $before = table_hash('contacts');
my $body = JSON::PP->new->canonical->encode(overwrite('contact', [map { {name => "half $_", notes => 'x' x 200} } 1 .. 4000]));
my $text = request_text('POST', '/batches', body => $body);
foreach my $way ('the client', 'the server') {
    foreach my $part (0.5, 0.999) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port')) or die "connect: $!\n";
        local $SIG{PIPE} = 'IGNORE';
        syswrite $socket, substr $text, 0, int($part * length $text);
        if ($way eq 'the server') {
            server_replace(server_children());
        }
        close $socket;
        is_result(run_batch(merge('shipment', [{tracking_number => "$way $part"}])), 'completed', {created => 1},
            "$way goes away in the midst of a body");
    }
}
is(table_hash('contacts'), $before, 'no row was touched');
is(value('SELECT count(*) FROM batch_jobs'), 4, 'no batch was made');
is(request('GET', '/batches')->json->{pagination}{total_count}, 4, 'none is listed');

# Killed while it takes a whole large body in: all of it or none, and nothing is left of none.
foreach my $round (1 .. 6) {
    restore();
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port')) or die "connect: $!\n";
    local $SIG{PIPE} = 'IGNORE';
    $socket->print($text);
    $socket->flush;
    my @children = server_children();
    my $kind = $round % 2;
    # As soon as there is something in the database, or at once.
    my $end = time + 1;
    while ($kind && time < $end && !value('SELECT count(*) FROM batch_items') && !value('SELECT count(*) FROM batch_jobs')) {}
    server_replace(@children);
    my $reply = do { local $/; <$socket> } // '';
    close $socket;
    is_result(run_batch(merge('shipment', [{tracking_number => "in $round"}])), 'completed', {created => 1},
        "round $round: killed while it takes a batch in");
    my ($made) = grep { $_->{resource} eq 'contact' } @{request('GET', '/batches')->json->{data}};
    ok($made || $reply !~ m{^HTTP/1.1 2}, "round $round: what was answered is there");
    if ($made) {
        is_result(resource_final($made), 'completed', {created => 4000, overwritten => 4}, "round $round: all of it");
        is(value("SELECT count(*) FROM contacts WHERE organization_id = 'acme'"), 4000, "round $round: its rows");
    }
    else {
        is(table_hash('contacts'), $before, "round $round: none of it");
    }
}

# What is left of batches that were not received goes, too.
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port')) or die "connect: $!\n";
$socket->print($text);
$socket->flush;
my @children = server_children();
eval { wait_for('the batch to be received', sub { value("SELECT count(*) FROM batch_jobs WHERE status = 'receiving'") }, 2) };
server_kill(@children);
close $socket;
wait_for(
    'what was not received to be removed',
    sub {
        value("SELECT count(*) FROM batch_jobs WHERE status = 'receiving'") == 0
            && value('SELECT count(*) FROM batch_items WHERE job NOT IN (SELECT seq FROM batch_jobs)') == 0;
    },
    120
);
pass('nothing is left of what was not received');
resource_final($_) for @{request('GET', '/batches')->json->{data}};

if (driver() ne 'pgsql') {
    is(run_sql('PRAGMA integrity_check;'), "ok\n", 'the database is sound');
}

finish();
