# Batches of several servers with one database: virtual hosts whose resources are not the same ones,
# and the configuration before a graceful restart, whose last requests end behind it.
#
# Without a look at the sections of all servers with the database, two of them change the same rows
# at once. A batch that an old configuration made behind a restart stayed in the queue for ever.
#
# needs: processes
use strict;
use warnings;

use BatchTest;
use IO::Socket::INET;

my @tables = qw(batchless_ours batchless_theirs);

END { eval { sql(map {"DROP TABLE IF EXISTS $_"} @tables) } }

sql(map {"CREATE TABLE $_ (id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, name TEXT NOT NULL)"} @tables);
tolerate_log(qr/batchless_|elsewhere\.db/);
tolerate_log(qr{MB0404: |MB0424: |MB0205: out of service});
# Connections that are ended while they are opened: slow_trigger.
tolerate_log(qr/MB0101: cannot look into the queue/);

sub section
{
    my ($name, $table, @lines) = @_;
    return ("<BatchResource $name>", "BatchTable $table", 'BatchKey id generated', 'BatchColumn name text required',
        'BatchActions merge overwrite delete', @lines, '</BatchResource>');
}

my @scope = ('BatchScope organization_id');
my @other = (Host => 'other');

sub servers
{
    my ($main, $other) = @_;
    my $port = var('port');
    configure(@$main, "<VirtualHost *:$port>", 'ServerName main', '</VirtualHost>', "<VirtualHost *:$port>", 'ServerName other',
        @$other, '</VirtualHost>');
    return;
}

sub set_up
{
    my ($name, @servers) = @_;
    drop_triggers();
    servers(@servers);
    server_stop();
    ok(server_start(), "$name: two servers") or BAIL_OUT('the server does not start');
    sql(map {"DELETE FROM $_"} @tables);
    return;
}

sub made { return map { {name => "$_[0] $_"} } 1 .. $_[1] }

sub final_of
{
    my ($batch) = @_;
    wait_for('a batch to end', sub { value("SELECT completed_at FROM batch_jobs WHERE id = '$batch->{id}'") });
    my ($row) = rows("SELECT status, coalesce(reason, '') AS reason FROM batch_jobs WHERE id = '$batch->{id}'");
    return "$row->{status} $row->{reason}";
}

# ---- One table, scoped by one of them ------------------------------------------------------------

set_up('one table', [section('scoped', $tables[0], @scope)], [section('whole', $tables[0])]);
on_table($tables[0], sub { slow_trigger('INSERT', 150) });
my $slow = accepted(merge('scoped', [made('scoped', 40)]));
wait_for('it to begin', sub { resource_batch($slow)->{status} eq 'processing' });
my $answer = post_batches(overwrite('whole', [{name => 'whole'}]), headers => {@other});
is($answer->status, 202, 'the other server has the table without its scope') or diag($answer->body);
my $behind = $answer->json->{data};
let_go();
wait_for('one of them to end', sub { value("SELECT count(*) FROM batch_jobs WHERE id IN ('$slow->{id}', '$behind->{id}') AND completed_at > 0") });
is(value("SELECT status FROM batch_jobs WHERE id = '$slow->{id}'"), 'completed', 'the earlier one ends first');
like(final_of($behind), qr/^(?:completed|failed) /, 'then comes its turn');
drop_triggers();

# ---- One name, two databases ---------------------------------------------------------------------

# What another server's resources are called does not matter where that has another database.
my @elsewhere = ('BatchDBDriver sqlite3', 'BatchDBDParams ' . work_folder() . '/elsewhere.db');
set_up('one name', [section('scoped', $tables[0], @scope)], [@elsewhere, section('scoped', $tables[0], @scope)]);
on_table($tables[0], sub { slow_trigger('INSERT', 150) });
my $gone = accepted(merge('scoped', [made('gone', 300)]));
wait_for('it to begin', sub { resource_batch($gone)->{stats}{created} > 0 });
servers([], [@elsewhere, section('scoped', $tables[0], @scope)]);
server_graceful();
like(final_of($gone), qr/^failed .*not configured any more/, 'a batch whose resource is gone ends, though another database has one of its name');
drop_triggers();

# ---- A request that ends behind a restart --------------------------------------------------------

# Not under prefork: a process that is at a request still has its workers, who carry the batch out.
foreach my $change (['changed', [section('scoped', $tables[1], @scope)], qr/was changed/], ['gone', [], qr/not configured any more/]) {
    my ($name, $lines, $reason) = @$change;
    next if mpm() eq 'prefork';
    set_up($name, [section('scoped', $tables[0], @scope)], []);
    my $text = request_text('POST', '/batches', json => merge('scoped', [made('late', 3)]));
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port')) or die "no connection: $!\n";
    syswrite $socket, substr($text, 0, -5);
    wait_for('its child to read it', sub { sleep 1; 1 });
    configure(@$lines);
    server_graceful();
    syswrite $socket, substr($text, -5);
    my $reply = join '', readline $socket;
    my ($id) = $reply =~ /"id":"([^"]+)"/;
    like($reply, qr/^HTTP\S+ 202/, "$name: a request is answered behind a restart") or diag($reply);
    like(final_of({id => $id}), $reason, "$name: its batch ends, since it was made for what was before");
    is(value("SELECT count(*) FROM $tables[1]"), 0, "$name: nothing was changed");
}

unconfigure();
server_stop();
ok(server_start(), 'the server as it was');
finish();
