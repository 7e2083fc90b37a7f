# A look into the database, by its own command line client: a process of its own, as the
# administrator's is.
package BatchTest::Database;

use strict;
use warnings;

use Exporter 'import';
use IPC::Open2 qw(open2);
use JSON::PP ();
use Time::HiRes qw(sleep time);

use BatchTest::Config;

our @EXPORT = qw(
    rows value sql run_sql restore table_hash database_file
    on_table trigger drop_triggers slow_trigger let_go refuse_trigger count_trigger applied
    hold_lock hold_record hold_statement release_locks sql_at_once
    postgres_control restart_database
);

my @tables = qw(records forms contacts groups shipments trackers assets);
my $json = JSON::PP->new->utf8->allow_nonref;

sub database_file { return $ENV{BATCH_TEST_DATABASE} }

sub _command
{
    return driver() eq 'pgsql'
        ? ('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $ENV{BATCH_TEST_PARAMS})
        : ('sqlite3', '-batch', '-bail', '-cmd', '.timeout 30000', database_file());
}

# PostgreSQL's client stays: to connect takes longer than most of what it is asked.
my $client;

sub _end_client
{
    my $ended = $client or return;
    undef $client;
    close $ended->{in};
    local $?;
    waitpid $ended->{pid}, 0;
    return;
}

# What the client prints for the statements; nothing if one of them fails, which ends it.
sub _ask_client
{
    my ($statements) = @_;
    if (!$client) {
        my $pid = open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'sh', _command());
        $in->autoflush(1);
        $client = {pid => $pid, in => $in, out => $out};
    }
    my $text = '';
    print {$client->{in}} $statements, "\n;SELECT 'that is all';\n";
    while (defined(my $line = readline $client->{out})) {
        return ($text, 1) if $line eq "that is all\n";
        $text .= $line;
    }
    _end_client();
    return ($text, 0);
}

# Runs the statements; returns what the client printed. Dies if one of them fails.
sub run_sql
{
    my ($statements) = @_;
    my ($text, $good);
    if (driver() eq 'pgsql') {
        local $SIG{PIPE} = 'IGNORE';
        ($text, $good) = _ask_client($statements);
        # A test has ended the server, and with it the client that asked before.
        if (!$good && $statements =~ /^\s*SELECT/ && $text =~ /terminating connection|server closed the connection/) {
            ($text, $good) = _ask_client($statements);
        }
    }
    else {
        my $pid = open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'sh', _command());
        print {$in} $statements, "\n";
        close $in;
        $text = do { local $/; <$out> }
            // '';
        waitpid $pid, 0;
        $good = !$?;
    }
    die "SQL failed: $text\n  in: ", substr($statements, 0, 400), "\n" if !$good;
    return $text;
}

sub sql { run_sql(join ";\n", @_, ''); return }

# The rows that a SELECT gives, each a hash.
sub rows
{
    my ($select) = @_;
    my $text;
    if (driver() eq 'pgsql') {
        $text = run_sql("SELECT coalesce(json_agg(t), '[]') FROM ($select) t;");
    }
    else {
        $text = run_sql(".mode json\n$select;");
    }
    return $text =~ /\S/ ? @{$json->decode($text)} : ();
}

# The only value of the only row.
sub value
{
    my ($row) = rows($_[0]);
    return $row ? (values %$row)[0] : undef;
}

# The columns of a table of the sample as it was at the beginning.
my %columns;

sub _columns
{
    my ($table) = @_;
    return $columns{$table} ||=
        driver() eq 'pgsql'
        ? join ', ',
        map { $_->{column_name} }
        rows("SELECT column_name FROM information_schema.columns " .
            "WHERE table_schema = 'pristine' AND table_name = '$table' ORDER BY ordinal_position")
        : join ', ', map { $_->{name} } rows("SELECT name FROM pragma_table_info('$table')");
}

# Brings the sample's data back, and forgets all batches. Call it while no batch runs.
sub restore
{
    drop_triggers();
    my @statements = ('BEGIN');
    unshift @statements, "ATTACH '" . database_file() . ".pristine' AS pristine"
        if driver() ne 'pgsql';
    # The module makes its tables when it first needs them.
    my %there = map { $_->{name} => 1 } rows(
        driver() eq 'pgsql'
        ? 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()'
        : "SELECT name FROM sqlite_master WHERE type = 'table'"
    );
    push @statements,
        map {"DELETE FROM $_"} grep { $there{$_} } qw(batch_kept batch_errors batch_items batch_jobs);
    push @statements, map {"DELETE FROM $_"} @tables;
    foreach my $table (reverse @tables) {
        my $columns = _columns($table);
        push @statements, "INSERT INTO $table ($columns) SELECT $columns FROM pristine.$table";
    }
    sql(@statements, 'COMMIT');
    return;
}

# A digest of the rows of a table, so that "nothing changed" is one comparison.
sub table_hash
{
    my ($table, $where) = @_;
    my $order = $table =~ /^batch_/ ? '1, 2' : 'id, organization_id';
    require Digest::SHA;
    return Digest::SHA::sha256_hex(
        run_sql("SELECT * FROM $table WHERE " . ($where || '1 = 1') . " ORDER BY $order;"));
}

# Stops the PostgreSQL server and starts it again. how: fast, immediate (as after a crash), or kill
# (SIGKILL to all of its processes).
sub restart_database
{
    my ($how) = @_;
    my ($folder) = $ENV{BATCH_TEST_PARAMS} =~ /host=(\S+)/;
    my ($bin) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] } glob '/usr/lib/postgresql/*/bin';
    my @control = ("$bin/pg_ctl", '-s', '-w', '-D', "$folder/data");
    if ($how eq 'kill') {
        open my $file, '<', "$folder/data/postmaster.pid" or die "postmaster.pid: $!\n";
        my ($pid) = <$file> =~ /(\d+)/;
        # It begins no process any more once it is stopped.
        kill 'STOP', $pid;
        my $end = time + 30;
        sleep 0.01 while time < $end && (_process($pid))[0] !~ /[TtZX]/;
        my @all = map { m{/(\d+)/stat$} && _parent_of($1) == $pid ? $1 : () } glob '/proc/[0-9]*/stat';
        kill 'KILL', $pid, @all;
        sleep 0.01 while time < $end && grep { _parent_of($_) } $pid, @all;
        # Where nobody buries the dead, its pid file would name a server that seems to run.
        unlink "$folder/data/postmaster.pid", glob "$folder/.s.PGSQL.*.lock";
    }
    else {
        system(@control, '-m', $how, 'stop') == 0 or die "PostgreSQL does not stop\n";
    }
    system('sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh', @control, '-l', "$folder/log", '-o',
        "-c listen_addresses='' -c unix_socket_directories=$folder", 'start') == 0
        or die "PostgreSQL does not start\n";
    return;
}

# A process's state as proc(5) has it ("X": it is gone), and its parent.
sub _process
{
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/stat" or return ('X', 0);
    return (<$file> // '') =~ /^\d+ \(.*\) (\S) (\d+)/ ? ($1, $2) : ('X', 0);
}

# The parent of a process, 0 where it is gone.
sub _parent_of
{
    my ($state, $parent) = _process(@_);
    return $state =~ /[ZX]/ ? 0 : $parent;
}

# ---- Triggers ------------------------------------------------------------------------------------

my %triggers;

# On SQLite a transaction whose statements are slow keeps all other writers waiting.
my $holds_writers = 0;
sub holds_writers { return $holds_writers }

our $trigger_table = 'records';

# Runs the code; the triggers and locks that it makes are on that table instead of records.
sub on_table
{
    my ($name, $code) = @_;
    local $trigger_table = $name;
    return $code->();
}

# Makes a trigger: event is INSERT, UPDATE or DELETE, timing BEFORE or AFTER. body is SQL for both
# drivers, or {sqlite3 => …, pgsql => …}; condition for WHEN.
sub trigger
{
    my ($name, $timing, $event, $body, $condition) = @_;
    $body = $body->{driver()} if ref $body;
    my $when = $condition ? "WHEN ($condition)" : '';
    if (driver() eq 'pgsql') {
        my $back = $timing eq 'BEFORE' && $event eq 'DELETE' ? 'OLD' : 'NEW';
        run_sql("CREATE FUNCTION $name() RETURNS trigger LANGUAGE plpgsql AS"
                . " \$\$ BEGIN $body; RETURN $back; END \$\$;\n"
                . "CREATE TRIGGER $name $timing $event ON $trigger_table FOR EACH ROW $when"
                . " EXECUTE FUNCTION $name();");
    }
    else {
        run_sql("CREATE TRIGGER $name $timing $event ON $trigger_table $when BEGIN $body; END;");
    }
    $triggers{$name} = 1;
    return;
}

# Takes away all triggers and tables that the tests have made.
sub drop_triggers
{
    if (driver() eq 'pgsql') {
        my @made
            = map { $_->{name} }
            rows("SELECT c.relname AS name FROM pg_class c WHERE c.relkind = 'r'" .
                " AND c.relname LIKE 'test%' AND pg_table_is_visible(c.oid)");
        sql(map({"DROP FUNCTION IF EXISTS $_() CASCADE"} sort keys %triggers),
            map({"DROP TABLE $_ CASCADE"} @made))
            if %triggers || @made;
    }
    else {
        my @made = rows("SELECT type, name FROM sqlite_master" .
                " WHERE type IN ('trigger', 'table') AND name LIKE 'test%' ORDER BY type DESC");
        sql(map {"DROP $_->{type} $_->{name}"} @made) if @made;
    }
    %triggers = ();
    return;
}

# Makes every such event take so many milliseconds until let_go, however quick the machine is. SQLite
# cannot sleep: there it is a walk over pairs that takes so much processor time. On PostgreSQL rows
# are changed by sets whose size follows from how long the last ones took; so the connections that
# know of quicker ones are ended, and the next batch begins with a small set.
#
# A test that does something to a running batch makes it take far longer than that needs, and lets it
# go when it is done.
sub slow_trigger
{
    my ($event, $milliseconds) = @_;
    $milliseconds ||= 50;
    my $name = "test_slow_\L${event}_$trigger_table";
    if (driver() eq 'pgsql') {
        my $seconds = $milliseconds / 1000;
        sql('CREATE TABLE IF NOT EXISTS test_slow (slow INTEGER)', 'INSERT INTO test_slow VALUES (1)',
            'GRANT SELECT ON test_slow TO PUBLIC');
        trigger($name, 'BEFORE', $event, "IF EXISTS (SELECT FROM test_slow) THEN PERFORM pg_sleep($seconds); END IF");
        run_sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity'
                . " WHERE application_name = 'mod_batch' AND state = 'idle';");
        return;
    }
    my $count = int sqrt($milliseconds * _pairs_per_millisecond()) + 1;
    $holds_writers = 1;
    sql(
        'CREATE TABLE IF NOT EXISTS test_numbers (n INTEGER PRIMARY KEY)',
        _insert_numbers($count),
        'CREATE TABLE IF NOT EXISTS test_work (pairs INTEGER)',
        'INSERT INTO test_work SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM test_work)'
    );
    trigger($name, 'BEFORE', $event, "UPDATE test_work SET pairs = (${\ _walk($count)})");
    return;
}

# What is slow is so no more, from the next event or, on SQLite, chunk.
sub let_go
{
    return if !grep {/^test_slow/} keys %triggers;
    # A test may have ended the server: who only looks is connected anew.
    value('SELECT 1');
    sql('DELETE FROM ' . (driver() eq 'pgsql' ? 'test_slow' : 'test_numbers'));
    return;
}

sub _insert_numbers
{
    my ($count) = @_;
    return "WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c WHERE n < $count)"
        . ' INSERT OR IGNORE INTO test_numbers SELECT n FROM c';
}

sub _walk
{
    my ($count) = @_;
    return "SELECT count(*) FROM test_numbers a, test_numbers b WHERE a.n <= $count AND b.n <= $count AND a.n + b.n > 0";
}

# By the processor time of one walk, which other work on the machine hardly changes; once a run.
sub _pairs_per_millisecond
{
    my $path = "$ENV{BATCH_SUITE}/var/pairs_per_millisecond";
    if (open my $file, '<', $path) {
        return readline $file;
    }
    my $count = 2000;
    my $pid = open2(my $out, my $in, 'sqlite3', '-batch', ':memory:');
    print {$in} "CREATE TABLE test_numbers (n INTEGER PRIMARY KEY);\n${\ _insert_numbers($count)};\n.timer on\n${\ _walk($count)};\n";
    close $in;
    my ($seconds) = do { local $/; <$out> } =~ /user ([\d.]+)/;
    waitpid $pid, 0;
    my $pairs = $count * $count / 1000 / ($seconds || die "SQLite says no time\n");
    open my $file, '>', "$path.$$" or die "$path: $!\n";
    print {$file} $pairs;
    close $file or die "$path: $!\n";
    rename "$path.$$", $path or die "$path: $!\n";
    return $pairs;
}

# Counts in test_applied each time that a record is updated or deleted.
sub count_trigger
{
    my ($event) = @_;
    my $row = $event eq 'DELETE' ? 'OLD' : 'NEW';
    sql('CREATE TABLE IF NOT EXISTS test_applied (id TEXT, event TEXT)');
    trigger("test_count_\L$event", 'AFTER', $event,
        "INSERT INTO test_applied VALUES ($row.id, '$event')");
    return;
}

# {rows => how often records were touched, ids => how many of them, most => how often the most
# touched}
sub applied
{
    my ($row)
        = rows(
        'SELECT coalesce(sum(n), 0) AS touched, count(*) AS ids, coalesce(max(n), 0) AS most FROM '
            . '(SELECT id, count(*) AS n FROM test_applied GROUP BY id) AS per_id');
    return {map { $_ => $row->{$_} + 0 } keys %$row};
}

# Refuses the event for records where the condition (on OLD) is true. how: ABORT, ROLLBACK, FAIL
# (SQLite).
sub refuse_trigger
{
    my ($event, $condition, $words, $how) = @_;
    $how ||= 'ABORT';
    trigger("test_refuse_\L${event}_$how", 'BEFORE', $event,
        {sqlite3 => "SELECT RAISE($how, '$words')", pgsql => "RAISE EXCEPTION '$words'"},
        $condition);
    return;
}

# ---- The server ----------------------------------------------------------------------------------

# pg_ctl: start, or stop or restart with -m immediate or fast.
sub postgres_control
{
    my ($command, @mode) = @_;
    _end_client();
    my ($bin) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] } glob '/usr/lib/postgresql/*/bin';
    my ($folder) = $ENV{BATCH_TEST_PARAMS} =~ /host=(\S+)/;
    system 'sh', '-c', 'exec "$@" >>"$0/control.log" 2>&1 </dev/null', $folder, "$bin/pg_ctl", '-D',
        "$folder/data", '-w', '-l', "$folder/log", @mode, $command;
    die "pg_ctl $command failed\n" if $?;
    return;
}

# ---- Locks ---------------------------------------------------------------------------------------

my @locks;

# Another process takes the database's write lock (PostgreSQL: locks the records) and keeps it until
# release_locks. SQLite has no queue for it: it is asked for again and again, so as to find a gap
# between two chunks.
sub hold_lock
{
    my @command = driver() eq 'pgsql' ? _command() : ('sqlite3', '-batch', database_file());
    my $pid = open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command);
    $in->autoflush(1);
    push @locks, {pid => $pid, in => $in, out => $out};
    my $end = time + 180;
    while (time < $end) {
        print {$in} driver() eq 'pgsql'
            ? "BEGIN; LOCK TABLE batch_jobs, $trigger_table IN EXCLUSIVE MODE;\nSELECT 'tried';\n"
            : "BEGIN IMMEDIATE;\nSELECT 'tried';\n";
        my $refused;
        while (defined(my $line = <$out>)) {
            last if $line =~ /^tried/;
            $refused = 1 if $line =~ /error/i;
        }
        return unless $refused;
    }
    die "cannot take the lock\n";
}

# Another process locks a record and keeps it until release_locks, so that a batch that comes to it
# stands still in the middle of a chunk. PostgreSQL only: SQLite has no locks of rows.
sub hold_record
{
    my ($id) = @_;
    return hold_statement("SELECT 'held' FROM records WHERE id = '$id' FOR UPDATE");
}

# The same with what another statement locks, which returns 'held'.
sub hold_statement
{
    my ($statement) = @_;
    my $pid = open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'sh', _command());
    $in->autoflush(1);
    push @locks, {pid => $pid, in => $in, out => $out};
    print {$in} "BEGIN; $statement;\n";
    my $line = <$out> // '';
    die "cannot lock: $line\n" if $line !~ /^held/;
    return;
}

# Runs a statement under the lock of hold_lock, and lets it go.
sub sql_at_once
{
    my ($statement) = @_;
    hold_lock();
    my $lock = pop @locks;
    print {$lock->{in}} "$statement;\nCOMMIT;\n";
    close $lock->{in};
    my $text = do { local $/; readline $lock->{out} }
        // '';
    waitpid $lock->{pid}, 0;
    # The exit code tells of the refused attempts, too.
    die "SQL failed: $text\n  in: $statement\n" if $text =~ /error/i;
    return;
}

sub release_locks
{
    foreach my $lock (splice @locks) {
        print {$lock->{in}} "ROLLBACK;\n";
        close $lock->{in};
        waitpid $lock->{pid}, 0;
    }
    return;
}

1;
