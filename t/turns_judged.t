# Batches whose items are judged once more when their turn comes, and the ways in which they wait.
#
# Without a small first part of what is judged again, a chunk of it takes as long as 500 rows do.
#
# needs: processes
use strict;
use warnings;

use BatchTest;
use IO::Handle;
use IO::Socket::INET;
use IPC::Open2;

my $table = 'batchless_turns';

END { eval { sql("DROP TABLE IF EXISTS $table") } }

sql("CREATE TABLE $table (id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT, notes TEXT,"
        . ' PRIMARY KEY (organization_id, id))');
configure('<BatchResource turn>', "BatchTable $table", 'BatchKey id client', 'BatchScope organization_id',
    'BatchColumn name text required', 'BatchColumn kind text immutable', 'BatchColumn notes text',
    'BatchActions merge overwrite delete', '</BatchResource>');
tolerate_log(qr/$table/);
# Connections that are ended while they are opened: slow_trigger.
tolerate_log(qr/MB0101: cannot look into the queue/);
server_stop();
ok(server_start(), 'a resource whose keys are the clients own') or BAIL_OUT('the server does not start');

# A batch that is under way, and goes on for a while.
sub slow_one
{
    my (@items) = @_;
    on_table($table, sub { slow_trigger('INSERT', 400) });
    my $slow = accepted(merge('turn', [@items, map { {id => "slow $_", name => 'slow'} } 1 .. 10]));
    wait_for('it to begin', sub { resource_batch($slow)->{status} eq 'processing' });
    return $slow;
}

sub rows_now
{
    return join ' ', map {"$_->{id}=$_->{name}," . ($_->{kind} // '')}
        rows("SELECT * FROM $table WHERE organization_id = 'acme' AND id NOT LIKE 'slow %' ORDER BY id");
}

# ---- Deletes -------------------------------------------------------------------------------------

# Who deletes by id may send whole items, whatever they say of the rest.
sql("INSERT INTO $table VALUES ('a', 'acme', 'Anna', 'x', NULL), ('b', 'acme', 'Bert', 'y', NULL)");
my $slow = slow_one({id => 'c', name => 'Cleo', kind => 'z'});
my $behind = accepted(removal('turn', [{id => 'a', kind => 'other'}, {id => 'c', name => 'C', kind => 'other'}]));
let_go();
my $end = resource_final($behind);
is(resource_batch($slow)->{status}, 'completed', 'another came before');
drop_triggers();
is_result($end, 'completed', {deleted => 2}, 'a delete looks at nothing but the id, also when it is judged again');
is(rows_now(), 'b=Bert,y', 'the rows are gone');

# ---- Chunks --------------------------------------------------------------------------------------

sql("DELETE FROM $table");
$slow = slow_one();
$behind = accepted(merge('turn', [map { {id => sprintf('m %03d', $_), name => 'M'} } 1 .. 60]));
wait_for('its turn', sub { resource_batch($behind)->{status} eq 'processing' });
my (%seen, $quick);
wait_for('its end', sub { my $now = resource_batch($behind); $seen{$now->{stats}{created}}++; let_go() if keys %seen > 4 && !$quick++; $now->{status} eq 'completed' });
drop_triggers();
cmp_ok(scalar(grep { $_ > 0 && $_ < 60 } keys %seen), '>', 1, 'what is judged again goes in chunks, too') or diag(join ' ', sort keys %seen);

# ---- Queries -------------------------------------------------------------------------------------

# A query is run once more only where rows may have changed since: each chunk and each such run is a
# revision of the batch.
my @ids = record_ids(3);
sql("UPDATE records SET status = 'twice' WHERE id IN ('" . join("', '", @ids) . "')");
finished(create(update_ids({status => 'twice'}, @ids)));
sql('UPDATE batch_jobs SET completed_at = completed_at - 60000000');
sub revision_of { return value("SELECT revision FROM batch_jobs WHERE id = '$_[0]{id}'") }
my $by_ids = finished(create(update_ids({status => 'twice'}, @ids)));
sql('UPDATE batch_jobs SET completed_at = completed_at - 60000000');
my $by_query = finished(create(operation(query => "_status = 'twice'", action => 'update', data => {status => 'twice'})));
is($by_query->{objects_success}, 3, 'a batch by a query, long after another');
is(revision_of($by_query), revision_of($by_ids), 'selects once');
sql('UPDATE batch_jobs SET completed_at = completed_at - 60000000');
my $pending = pending(operation(query => "_status = 'twice'", action => 'update', data => {status => 'twice'}));
my $added = revision_of($pending);
finished(create(update_ids({status => 'twice'}, $ids[0])));
sql('UPDATE batch_jobs SET completed_at = completed_at - 60000000 WHERE completed_at > 0', "UPDATE batch_jobs SET created_at = created_at - 90000000 WHERE id = '$pending->{id}'");
is(start($pending)->status, 202, 'one that is started later');
finished($pending);
is(revision_of($pending) - $added, revision_of($by_ids), 'selects when it starts, and no more');

# ---- A batch that ends while another is judged ---------------------------------------------------

# Its rows are there when its COMMIT has ended; by its clock that was before the other was made.
# PostgreSQL only: on SQLite nobody is judged while another writes.
sub hold
{
    my ($lock) = @_;
    my $pid = open2(my $out, my $in, BatchTest::Database::_command());
    $in->autoflush(1);
    print {$in} "BEGIN; SELECT pg_advisory_xact_lock($lock);\nSELECT 'held';\n";
    while (defined(my $line = <$out>)) { last if $line =~ /held/ }
    return sub { print {$in} "ROLLBACK;\n"; close $in; waitpid $pid, 0; return };
}

# Sends a request that is not answered soon.
sub begin
{
    my ($request) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port')) or die "no connection: $!\n";
    syswrite $socket, request_text('POST', '/batches', json => $request);
    return $socket;
}

# Its batch, when that has ended.
sub end
{
    my ($socket) = @_;
    my ($id) = join('', readline $socket) =~ /"id":"([^"]+)"/;
    return resource_final({id => $id});
}

sub waiting { return value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == $_[0] }

if (driver() eq 'pgsql') {
    sql("CREATE FUNCTION batchless_wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(78855); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER batchless_wait AFTER INSERT ON $table DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION batchless_wait()");
    foreach my $mode ('mixed', 'sync') {
        sql("DELETE FROM $table");
        my $commits = hold(78855);
        my $first = begin({%{merge('turn', [{id => 'a', name => 'Anna'}])}, mode => $mode});
        wait_for('its COMMIT', sub { waiting(1) });
        my $queue = hold("hashtextextended(current_schema() || chr(10) || '$table' || chr(10) || 'acme', 78857)");
        my $second = begin(merge('turn', [{id => 'a', notes => 'known by then'}]));
        wait_for('another to be judged', sub { waiting(2) });
        $commits->();
        is(end($first)->{stats}{created}, 1, "a batch, $mode, ends while another is judged");
        $queue->();
        is_result(end($second), 'completed', {updated => 1}, 'what it has made is known when the turn of the other comes');
    }

    # Two of the mode sync: what one has made is known of all items of the other, or of none.
    sql("DELETE FROM $table");
    my $commits = hold(78855);
    my $first = begin({%{merge('turn', [{id => 'a', name => 'Anna'}, {id => 'z', name => 'Zoe'}])}, mode => 'sync'});
    wait_for('its COMMIT', sub { waiting(1) });
    my $second = begin({%{merge('turn', [{id => 'a', name => 'Ann'}, {id => 'z', notes => 'known by then'}])}, mode => 'sync', atomic => JSON::PP::false});
    wait_for('another, also for its turn',
        sub { value("SELECT count(*) FROM pg_locks WHERE NOT granted") == 2 });
    $commits->();
    is(end($first)->{stats}{created}, 2, 'a batch that is carried out at once');
    is_result(end($second), 'completed', {updated => 2}, 'and the next one, which sees all that it has made');
    sql("DROP TRIGGER batchless_wait ON $table", 'DROP FUNCTION batchless_wait()');
}

unconfigure();
server_stop();
ok(server_start(), 'the server as it was');
finish();
