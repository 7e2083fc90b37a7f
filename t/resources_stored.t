# What the database stores is not always what was sent: a trigger writes it in another form, or another
# key; a type rounds it, cuts it off, or compares without case. A row that an overwrite has made or
# touched is known by what is stored, and is not removed.
#
# Where the cleanup goes by what was sent, "the rows are there" fails: the table is empty.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

my $pgsql = driver() eq 'pgsql';
my $text = $pgsql ? 'varchar(40)' : 'TEXT';

# The tables, by what is peculiar to them.
my @columns = (
    plain => "id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code TEXT, note TEXT",
    unique => "id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code TEXT, note TEXT, UNIQUE (organization_id, code)",
    client => "id $text NOT NULL, organization_id TEXT NOT NULL, code TEXT, note TEXT, UNIQUE (organization_id, id)",
    loose => "id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code INTEGER, note TEXT",
    whole => "id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code INTEGER, note TEXT",
    caseless => $pgsql
    ? 'id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code TEXT COLLATE batchless_caseless, note TEXT'
    : 'id TEXT COLLATE NOCASE PRIMARY KEY, organization_id TEXT NOT NULL, code TEXT COLLATE NOCASE, note TEXT',
    yes => 'id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code BOOLEAN, note TEXT',
    money => "id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code NUMERIC(6, 2), note TEXT",
    $pgsql
    ? (
        instant => 'id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code TIMESTAMPTZ(0), note TEXT',
        padded => 'id CHAR(44) PRIMARY KEY, organization_id TEXT NOT NULL, code CHAR(10), note TEXT',
        short => 'id UUID PRIMARY KEY, organization_id TEXT NOT NULL, code VARCHAR(3), note TEXT',
        name => 'id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code NAME, note TEXT',
        )
    : (norowid => 'id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, code TEXT, note TEXT')
);
my %columns = @columns;
my %type = (whole => 'integer', yes => 'boolean', money => 'number', instant => 'timestamp');
my @tables = sort keys %columns;

sub drop { return sql(map {"DROP TABLE IF EXISTS batchless_$_"} @tables) }
END { eval { drop() } }
drop();
sql("CREATE COLLATION IF NOT EXISTS batchless_caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    if $pgsql;
sql(map { "CREATE TABLE batchless_$_ ($columns{$_})" . ($_ eq 'norowid' ? ' WITHOUT ROWID' : '') } @tables);
configure(
    map {
        my $type = $type{$_} || 'text';
        (
            "<BatchResource $_>", "BatchTable batchless_$_",
            'BatchKey id ' . ($_ eq 'client' ? 'client' : 'generated'),
            'BatchMatch code', 'BatchScope organization_id', "BatchColumn code $type", 'BatchColumn note text',
            'BatchActions merge overwrite delete', '</BatchResource>'
        )
    } @tables
);
tolerate_log(qr/batchless_|MB02/);
server_stop();
ok(server_start(), 'with tables that store other things than are sent') or BAIL_OUT('the server does not start');

sub run_in
{
    my ($mode, $request) = @_;
    my $answer = post_batches({%$request, mode => $mode, atomic => FALSE});
    die 'create was answered ', $answer->status, ' ', substr($answer->body, 0, 600), "\n" if !$answer->json->{data};
    return resource_final($answer->json->{data});
}

# What a table has, by note.
sub codes
{
    my ($table) = @_;
    return join ' ', map {"$_->{code}=$_->{note}"} rows("SELECT CAST(code AS TEXT) AS code, note FROM batchless_$table" .
            " WHERE organization_id = 'acme' ORDER BY note");
}

my $old = 0;

# Empties the table; then it has two rows that nobody names, and one of globex.
sub fill
{
    my ($table, @more) = @_;
    drop_triggers();
    my ($first, $second)
        = $table =~ /^(?:whole|loose)$/ ? (901, 902) : $table eq 'yes' ? ('NULL', 'NULL') : $table eq 'money' ? (901, 902)
        : $table eq 'instant' ? ("'2001-01-01T00:00:00Z'", "'2002-01-01T00:00:00Z'") : ("'XX1'", "'XX2'");
    $old++;
    my $id = sub { return sprintf "'0000%04d-71b9-4000-8000-%012d'", $old, $_[0] };
    sql("DELETE FROM batchless_$table",
        "INSERT INTO batchless_$table (id, organization_id, code, note) VALUES (" . $id->(1) . ", 'acme', $first, 'old1'), ("
            . $id->(2) . ", 'acme', $second, 'old2'), (" . $id->(3) . ", 'globex', $first, 'hers')",
        map {"INSERT INTO batchless_$table (id, organization_id, code, note) VALUES (" . $id->($_ + 10) . ", 'acme', $more[$_][0], '$more[$_][1]')"}
            0 .. $#more
    );
    return;
}

# A trigger that stores something else in a column.
sub rewrite
{
    my ($table, $event, $column, $pg, $lite) = @_;
    on_table("batchless_$table", sub {
            my $key = $table eq 'norowid' ? 'id = NEW.id' : 'rowid = NEW.rowid';
            trigger("test_rewrite_\L$event", $pgsql ? 'BEFORE' : 'AFTER', $event,
                {pgsql => "NEW.$column := " . ($pg || "upper(NEW.$column)"),
                    sqlite3 => "UPDATE batchless_$table SET $column = " . ($lite || "upper(NEW.$column)") . " WHERE $key"});
    });
    return;
}

my @new = ({code => 'abc', note => 'n1'}, {code => 'def', note => 'n2'});

foreach my $mode (qw(mixed sync)) {
    # ---- Triggers --------------------------------------------------------------------------------
    foreach my $table (qw(plain unique), $pgsql ? () : 'norowid') {
        fill($table);
        rewrite($table, 'INSERT', 'code');
        my $batch = run_in($mode, overwrite($table, \@new));
        is_result($batch, 'completed', {created => 2, overwritten => 2}, "$mode, $table: match values in capitals");
        is(codes($table), 'ABC=n1 DEF=n2', "$mode, $table: the rows are there");

        # The same file again. Its match values are not those of the rows; but they name them.
        $batch = run_in($mode, overwrite($table, [@new, {code => 'XYZ', note => 'n3'}]));
        is($batch->{stats}{errors}, 2, "$mode, $table: the same again is refused");
        is(scalar(rows("SELECT id FROM batchless_$table WHERE code IN ('ABC', 'DEF')")), 2, "$mode, $table: and its rows are kept")
            or diag(codes($table));
        like($batch->{reason}, qr/nothing was removed/, "$mode, $table: nothing is removed where it is not known what is named")
            if $table eq 'unique';
        $batch = run_in($mode, overwrite($table, [{code => 'ABC', note => 'm1'}, {code => 'XYZ', note => 'm2'}]));
        is_result($batch, 'completed', {updated => 2, overwritten => 1}, "$mode, $table: as they are stored they are found");
        is(codes($table), 'ABC=m1 XYZ=m2', "$mode, $table: and changed");

        # Rows that are there are changed, and given other match values by that.
        fill($table, ["'abc'", 'was1'], ["'def'", 'was2']);
        rewrite($table, 'UPDATE', 'code');
        $batch = run_in($mode, overwrite($table, \@new));
        is_result($batch, 'completed', {updated => 2, overwritten => 2}, "$mode, $table: rows that are there are given capitals");
        is(codes($table), 'ABC=n1 DEF=n2', "$mode, $table: and are there");

    }
    foreach my $table (qw(plain unique client), $pgsql ? () : 'norowid') {
        # Another key.
        fill($table);
        rewrite($table, 'INSERT', 'id', "'x-' || NEW.id", "'x-' || NEW.id");
        my $batch = run_in($mode, overwrite($table, [map { {%{$new[$_]}, $table eq 'client' ? (id => "k$_") : ()} } 0, 1]));
        if ($table eq 'norowid') {
            is_result($batch, 'failed', {errors => 2}, "$mode, $table: another key that cannot be found out");
            is(codes($table), 'XX1=old1 XX2=old2', "$mode, $table: is refused");
        }
        else {
            is_result($batch, 'completed', {created => 2, overwritten => 2}, "$mode, $table: another key");
            is(codes($table), 'abc=n1 def=n2', "$mode, $table: is known");
            like(value("SELECT min(id) FROM batchless_$table WHERE note = 'n1'"), qr/^x-/, "$mode, $table: as the trigger made it");
        }
        # In mid-life, of a row that an id names.
        next if $table eq 'norowid';
        fill($table);
        my $id = value("SELECT id FROM batchless_$table WHERE note = 'old1'");
        rewrite($table, 'UPDATE', 'id', "'y-' || OLD.id", "'y-' || OLD.id");
        $batch = run_in($mode, overwrite($table, [{id => $id, note => 'n1'}]));
        is_result($batch, 'completed', {updated => 1, overwritten => 1}, "$mode, $table: a row is given another key when it is changed");
        is(value("SELECT id FROM batchless_$table WHERE organization_id = 'acme'"), "y-$id", "$mode, $table: and is kept");
    }

    # Another item, or whoever it is, changes the match values of a row that was touched already.
    fill('plain', ["'abc'", 'was1'], ["'def'", 'was2']);
    on_table('batchless_plain', sub {
            trigger('test_rename', 'AFTER', 'UPDATE', "UPDATE batchless_plain SET code = 'other' WHERE code = 'abc'", "NEW.code = 'def'");
    });
    my $renamed = run_in($mode, overwrite('plain', \@new));
    is_result($renamed, 'completed', {updated => 2, overwritten => 2}, "$mode: a row that was touched is given other match values");
    is(codes('plain'), 'other=n1 def=n2', "$mode: and is kept");

    # PostgreSQL: behind what a statement returns.
    if ($pgsql) {
        foreach my $table (qw(plain unique)) {
            fill($table);
            on_table("batchless_$table", sub {
                    trigger('test_after', 'AFTER', 'INSERT', "UPDATE batchless_$table SET id = 'z-' || id WHERE id = NEW.id");
            });
            my $batch = run_in($mode, overwrite($table, [@new, {code => 'XX1', note => 'n3'}]));
            is_result($batch, 'completed', {updated => 1, errors => 2, overwritten => 1}, "$mode, $table: a key that is replaced later");
            is(codes($table), 'XX1=n3', "$mode, $table: is refused, and nothing is left of it");
            like((stored_errors($batch))[0]{message}, qr/trigger/, "$mode, $table: with the reason");
        }
    }
    drop_triggers();

    # ---- Types -----------------------------------------------------------------------------------
    my @sent = (
        money => [3.141, 2.5], $pgsql ? '3.14=n1 2.50=n2' : '3.141=n1 2.5=n2',
        whole => [7, 8], '7=n1 8=n2',
        loose => ['007', '+8'], '7=n1 8=n2', # a text for a column of numbers
        caseless => ['abc', 'def'], 'abc=n1 def=n2',
        yes => [TRUE, FALSE], $pgsql ? 'true=n1 false=n2' : '1=n1 0=n2',
        $pgsql
        ? (
            instant => ['2024-01-05T12:00:00.4Z', '2024-01-06T12:00:00Z'], undef,
            padded => ['ab', 'cd'], undef,
            short => ['ab  ', 'cd'], undef,
            name => ['n' x 70, 'm'], undef,
            )
        : ()
    );
    while (my ($table, $codes, $wanted) = splice @sent, 0, 3) {
        fill($table);
        my $items = sub { my ($note) = @_; return [map { {code => $codes->[$_], note => "$note" . ($_ + 1)} } 0, 1] };
        my $batch = run_in($mode, overwrite($table, $items->('n')));
        is_result($batch, 'completed', {created => 2, overwritten => 2}, "$mode, $table: rows by values of the type");
        is(codes($table), $wanted, "$mode, $table: the rows") if $wanted;
        is(value("SELECT count(*) FROM batchless_$table WHERE organization_id = 'acme'"), 2, "$mode, $table: the rows are there");
        my @ids = map { $_->{id} } rows("SELECT id FROM batchless_$table WHERE organization_id = 'acme' ORDER BY note");
        $batch = run_in($mode, overwrite($table, $items->('m')));
        is_result($batch, 'completed', {updated => 2}, "$mode, $table: the same values are those of the rows");
        is_deeply([map { $_->{id} } rows("SELECT id FROM batchless_$table WHERE organization_id = 'acme' ORDER BY note")],
            \@ids, "$mode, $table: which are the same");
    }
    fill('caseless', ["'ABC'", 'was']);
    my $batch = run_in($mode, overwrite('caseless', [{code => 'abc', note => 'n'}]));
    is_result($batch, 'completed', {updated => 1, overwritten => 2}, "$mode: a text that is compared without case");
    is(codes('caseless'), 'ABC=n', "$mode: names the row, which is kept");
    # Two values that become one.
    if ($pgsql) {
        fill('money');
        $batch = run_in($mode, overwrite('money', [{code => 3.141, note => 'a'}, {code => 3.142, note => 'b'}]));
        is_result($batch, 'completed', {created => 1, updated => 1, overwritten => 2}, "$mode: two numbers that are stored as one");
        is(codes('money'), '3.14=b', "$mode: are one row");
    }
    is(value('SELECT count(*) FROM batchless_money') - value("SELECT count(*) FROM batchless_money WHERE organization_id = 'acme'"),
        1, "$mode: hers is untouched");
}

# ---- Killed in between -----------------------------------------------------------------------------

# Whoever goes on knows what those before have touched: new rows, and rows that are there, in capitals.
tolerate_log(qr/AH00098: pid file .* overwritten/);
tolerate_log(qr/MB0417: .* without progress/);
fill('unique', map { ["'k$_'", "was$_"] } 1 .. 60);
rewrite('unique', $_, 'code') for qw(INSERT UPDATE);
on_table('batchless_unique', sub { slow_trigger('UPDATE'); slow_trigger('INSERT') });
my $killed = accepted(overwrite('unique', [map { ({code => "k$_", note => sprintf 'k%03d', $_}, {code => "n$_", note => sprintf 'n%03d', $_}) } 1 .. 60]));
my $behind = sub { my ($now) = @_; my $sum = 0; $sum += $_->{processed} for grep { $_->{name} eq 'processing' } @{$now->{phases}}; return $sum };
my ($kills, $at) = (0, 0);
while ($kills < 4) {
    my $now = wait_for('the batch to come further', sub {
            my $batch = eval { resource_batch($killed) } or return;
            return $batch->{status} !~ /^(?:queued|processing)$/ || $behind->($batch) > $at ? $batch : undef;
    });
    last if $now->{status} !~ /^(?:queued|processing)$/;
    $at = $behind->($now);
    server_replace(server_children());
    $kills++;
}
let_go();
cmp_ok($kills, '>=', 2, "all children were killed $kills times");
my $end = resource_final($killed);
is_result($end, 'completed', {created => 60, updated => 60, overwritten => 2}, 'an overwrite of rows in capitals, killed');
is(value("SELECT count(*) FROM batchless_unique WHERE organization_id = 'acme' AND note LIKE 'k%' AND code LIKE 'K%'"), 60, 'those that were there stay');
is(value("SELECT count(*) FROM batchless_unique WHERE organization_id = 'acme' AND note LIKE 'n%' AND code LIKE 'N%'"), 60, 'and the new ones');
is(value("SELECT count(*) FROM batchless_unique WHERE organization_id = 'acme'"), 120, 'and no others');
drop_triggers();

is(value('SELECT count(*) FROM batch_kept'), 0, 'nothing of it is left with the batches');

unconfigure();
server_stop();
drop();
ok(server_start(), 'as before');

finish();
