# Requests of the mode sync that wait for their turn, and what may come between.
#
# Without the turn of a second try a batch that has to be tried with more care is answered with an
# error that says nothing, where another has come meanwhile. Where merges that match share their turn,
# each of them makes a row of its own.
#
# needs: processes
use strict;
use warnings;

use BatchTest;
use IO::Socket::INET;

my $table = 'batchless_turns';
my $kinds = 'batchless_turn_kinds';

END { eval { sql("DROP TABLE IF EXISTS $table", "DROP TABLE IF EXISTS $kinds") } }

sql("CREATE TABLE $kinds (id TEXT PRIMARY KEY)", "INSERT INTO $kinds VALUES ('k')",
    "CREATE TABLE $table (id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, name TEXT NOT NULL,"
        . " kind TEXT REFERENCES $kinds (id) DEFERRABLE INITIALLY DEFERRED)");
configure('<BatchResource turn>', "BatchTable $table", 'BatchKey id generated', 'BatchScope organization_id',
    'BatchColumn name text required', 'BatchColumn kind text', 'BatchActions merge overwrite delete', '</BatchResource>');
tolerate_log(qr/$table/);
# Connections that are ended while they are opened: slow_trigger.
tolerate_log(qr/MB0101: cannot look into the queue/);
server_stop();
ok(server_start(), 'a resource of our own') or BAIL_OUT('the server does not start');

sub names { return join ' ', map { $_->{name} } rows("SELECT name FROM $table ORDER BY name") }

# ---- A second try --------------------------------------------------------------------------------

# The first try ends with its COMMIT; when that comes, the other batch stands in line.
foreach my $atomic (JSON::PP::false, JSON::PP::true) {
    sql("DELETE FROM $table");
    # SQLite's writers wait for the whole batch, and not for ever.
    on_table($table, sub { slow_trigger('INSERT', driver() eq 'pgsql' ? 250 : 60) });
    my @wanted = (
        {%{merge('turn', [map { {name => "sync $_", kind => $_ == 3 ? 'unknown' : 'k'} } 1 .. 8])}, mode => 'sync', atomic => $atomic},
        merge('turn', [{name => 'mixed'}])
    );
    my ($sync, $mixed) = parallel([map { request_text('POST', '/batches', json => $_) } @wanted]);
    is($sync->status, $atomic ? 422 : 201, 'a sync batch that a deferred constraint refuses as a whole')
        or diag($sync->body);
    is($mixed->status, 202, 'beside a mixed one');
    is(resource_final($mixed->json->{data})->{status}, 'completed', 'which is done, too');
    drop_triggers();
    is_item_errors($sync->json->{errors}, [[2, undef, 'refused']], 'the one item is named') or diag($sync->body);
    is(names(), $atomic ? 'mixed' : 'mixed ' . join(' ', map {"sync $_"} 1, 2, 4 .. 8), 'and the others are there');
}

# ---- In line -------------------------------------------------------------------------------------

# Those behind a request that dies in line do not wait long for it.
sql("DELETE FROM $table");
on_table($table, sub { slow_trigger('INSERT', 250) });
my $slow = accepted(merge('turn', [map { {name => "slow $_"} } 1 .. 60]));
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port')) or die "no connection: $!\n";
syswrite $socket, request_text('POST', '/batches', json => {%{merge('turn', [{name => 'waits'}])}, mode => 'sync'});
my $place = wait_for('a request to stand in line', sub { (rows("SELECT * FROM batch_jobs WHERE status = 'receiving' AND queued_at > 0"))[0] });
cmp_ok($place->{lease_until} - $place->{queued_at}, '<', 5_000_000, 'its place is free soon, should it die');
ok(wait_for('more of that', sub { value("SELECT max(lease_until) FROM batch_jobs WHERE id = '$place->{id}'") > $place->{lease_until} }),
    'as long as it is there it says so');
server_kill_all();
close $socket;
is(value("SELECT count(*) FROM batch_jobs WHERE id = '$place->{id}'"), 1, 'the whole server dies, and its place is left');
drop_triggers();
ok(server_start(), 'it is there again');
is(run_batch(merge('turn', [{name => 'behind'}]))->{status}, 'completed', 'a batch behind it goes on');
is(resource_final($slow)->{stats}{created}, 60, 'and so did the one before');
is(value("SELECT count(*) FROM $table WHERE name = 'waits'"), 0, 'it has done nothing');

# ---- Merges at once ------------------------------------------------------------------------------

# No unique index has the match values: on PostgreSQL none sees what another has not committed.
configure('<BatchResource turn>', "BatchTable $table", 'BatchKey id generated', 'BatchScope organization_id', 'BatchMatch name',
    'BatchColumn name text required', 'BatchColumn kind text', 'BatchActions merge overwrite delete', '</BatchResource>');
server_stop();
ok(server_start(), 'rows that are found by their name');
my (%answers, %created, %there);
foreach my $round (1 .. 6) {
    sql("DELETE FROM $table");
    my $request = {%{merge('turn', [map { {name => "n $_"} } 1 .. 50])}, mode => 'sync'};
    my @answers = parallel([map { request_text('POST', '/batches', json => $request) } 1 .. 8]);
    my $created = 0;
    $created += $_->json->{data}{stats}{created} foreach @answers;
    $answers{join ' ', map { $_->status } @answers}++;
    $created{$created}++;
    $there{value("SELECT count(*) FROM $table")}++;
}
is_deeply(\%answers, {join(' ', (201) x 8) => 6}, 'eight sync merges of the same new rows at once');
is_deeply(\%there, {50 => 6}, 'make each of them once');
is_deeply(\%created, {50 => 6}, 'and count that');

unconfigure();
server_stop();
ok(server_start(), 'the server as it was');
finish();
