#!/usr/bin/perl
# Hostile queries. Whatever is sent: no row is changed, nothing of another organization is counted or named, no child
# dies, no answer is a 500, none takes far longer than BatchQueryTimeout, and memory comes back.
#
# needs: nothing; takes: long
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use BatchTest;
use JSON::PP ();
use Time::HiRes qw(time);

# A wrong query is answered at once; one that is only slow, at the timeout, which is 2 s here. What is allowed beyond is for a
# machine that does much else.
use constant LIMIT => 2 + 1 + ($ENV{SANITIZE} ? 60 : 20);

my $app    = '"Testing App"';
my $select = "SELECT _record_id AS id FROM $app";
my ($globex) = rows("SELECT id FROM forms WHERE organization_id = 'globex'");
my ($foreign) = rows("SELECT id FROM records WHERE organization_id = 'globex' ORDER BY id");
my %theirs = map { $_->{id} => 1 } rows("SELECT id FROM records WHERE organization_id = 'globex'");

# Must be refused: they ask for what is not there for them.
my @refused = (
    # Other statements
    'DELETE FROM records', 'UPDATE records SET status = 1', "INSERT INTO records (id) VALUES ('x')", 'DROP TABLE records',
    'CREATE TABLE x (y)', 'ALTER TABLE records ADD z', "REPLACE INTO records (id) VALUES ('x')", 'VACUUM', 'REINDEX', 'ANALYZE',
    'BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT x', 'EXPLAIN SELECT 1', 'PRAGMA table_info(records)', 'PRAGMA writable_schema = 1',
    "ATTACH 'x.db' AS x", 'DETACH main', "COPY records TO '/tmp/x'", "COPY records FROM PROGRAM 'id'", 'TRUNCATE records',
    'GRANT ALL ON records TO public', 'SET statement_timeout = 0', 'RESET ALL', 'SHOW ALL', 'LISTEN x', 'NOTIFY x', 'LOCK records',
    "DO 'BEGIN END'", 'CALL x()', 'PREPARE x AS SELECT 1', 'EXECUTE x', 'DEALLOCATE ALL', 'DECLARE x CURSOR FOR SELECT 1',
    'FETCH ALL FROM batch_scan', 'CLOSE batch_scan', "VACUUM INTO '/tmp/x.db'", 'VALUES (1)', 'TABLE records',
    # Several statements
    "$select; DELETE FROM records", "$select;;", "; $select", "$select; $select", "1 = 1; DROP TABLE records",
    "_status = 'x') ; DELETE FROM records; SELECT (1", "1 = 1) OR (1 = 1", "1 = 1)) UNION SELECT id FROM records --",
    # Comments
    "/*!50000 1 = 1 */", "1 = 1 /*", "1 = 1 /* /* */", "1 = 1 */", "1 -- = 1", "-- 1 = 1",
    # Tables that are no forms
    'SELECT id FROM records', 'SELECT id FROM "records"', 'SELECT id FROM forms', 'SELECT id FROM contacts', 'SELECT id AS id FROM batch_jobs',
    'SELECT id FROM batch_items', 'SELECT version AS id FROM batch_schema', 'SELECT name AS id FROM sqlite_master',
    'SELECT name AS id FROM sqlite_schema', 'SELECT name AS id FROM sqlite_temp_master', 'SELECT name AS id FROM sqlite_sequence',
    'SELECT name AS id FROM main.sqlite_master', 'SELECT oid AS id FROM pg_class', 'SELECT oid AS id FROM pg_catalog.pg_class',
    'SELECT table_name AS id FROM information_schema.tables', 'SELECT usename AS id FROM pg_user', 'SELECT passwd AS id FROM pg_shadow',
    'SELECT id FROM public.records', 'SELECT id FROM main.records', 'SELECT name AS id FROM pragma_table_info(\'records\')',
    'SELECT name AS id FROM pragma_database_list', "SELECT value AS id FROM json_each('[1]')", 'SELECT value AS id FROM generate_series(1, 10)',
    "SELECT id FROM dblink('x', 'y')", 'SELECT name AS id FROM dbstat', 'SELECT * FROM sqlite_stmt', 'SELECT a.id AS id FROM t0 a JOIN t1 b ON 1 = 1',
    'SELECT a.n0 AS id FROM n1 a JOIN n2 b ON 1 = 1', 'SELECT k AS id FROM t2', "$select WHERE EXISTS (SELECT 1 FROM records)",
    "$select WHERE _record_id IN (SELECT id FROM records)", "$select UNION SELECT id FROM records", "$select UNION ALL SELECT id FROM sqlite_master",
    "$select EXCEPT SELECT name FROM sqlite_master", "$select a JOIN records b ON 1 = 1", "$select, records", "$select a, sqlite_master b WHERE 1 = 1 GROUP BY 1",
    # Other organizations
    "SELECT _record_id AS id FROM \"$globex->{id}\"", "SELECT _record_id AS id FROM \"globex\"", "SELECT _record_id AS id FROM globex.\"Testing App\"",
    "SELECT _record_id AS id FROM \"globex.Testing App\"", "$select WHERE organization_id = 'globex'", "$select WHERE _organization_id = 'globex'",
    "$select WHERE organization_id <> 'acme' OR 1 = 1", "$select WHERE form_id = '$globex->{id}'", "$select WHERE _form_id IS NOT NULL", "$select WHERE secret IS NULL",
    "$select UNION SELECT _record_id FROM \"$globex->{id}\"", "$select a JOIN \"$globex->{id}\" b ON 1 = 1", "SELECT _record_id AS id FROM \"TESTING APP\"",
    "SELECT _record_id AS id FROM \"Testing App \"", "SELECT _record_id AS id FROM \"Testing App\x{200b}\"", "SELECT _record_id AS id FROM \"Testing App' OR '1'='1\"",
    # Names that would mean something else
    "WITH $app AS (SELECT * FROM records) $select", "WITH RECURSIVE x(y) AS (SELECT 1 UNION ALL SELECT y + 1 FROM x) SELECT y AS id FROM x",
    "SELECT rowid AS id FROM $app", "SELECT oid AS id FROM $app", "SELECT _rowid_ AS id FROM $app",
    "SELECT ctid AS id FROM $app", "SELECT xmin AS id FROM $app", "SELECT tableoid AS id FROM $app", "SELECT form_values AS id FROM $app",
    "SELECT id FROM $app GROUP BY rowid", "SELECT max(k) AS id FROM $app", "SELECT max(n0) AS id FROM $app", "SELECT t2.n3 AS id FROM $app GROUP BY 1",
    "SELECT \"_record_id\"\" AS id FROM records --\" AS id FROM $app", "SELECT _record_id AS id FROM \"Testing App\"\" WHERE 1 = 1; --\"",
    # Functions
    "load_extension('x') = 1", "readfile('/etc/passwd') = 'x'", "writefile('/tmp/x', 'x') = 1", "edit('x') = 'x'", "pg_read_file('/etc/passwd') = 'x'",
    "pg_ls_dir('/') = 'x'", "pg_sleep(100) IS NULL", "lo_import('/etc/passwd') = 1", "lo_export(1, '/tmp/x') = 1", "set_config('role', 'postgres', false) = 'x'",
    "current_setting('data_directory') = 'x'", "pg_terminate_backend(1)", "query_to_xml('SELECT 1', true, true, '') = 'x'", "dblink_exec('x', 'y') = 'x'",
    "randomblob(1000000000) = 'x'", "zeroblob(1000000000) = 'x'", "hex(randomblob(100000000)) = 'x'", "printf('%1000000000d', 1) = 'x'",
    "instr(_status, 'x') = 1", "char(1, 2) = 'x'", "quote(_status) = 'x'", "fts3_tokenizer('simple') = 'x'", "sqlite_version() = 'x'", "sqlite_source_id() = 'x'",
    "sqlite_compileoption_get(1) = 'x'", "last_insert_rowid() = 1", "changes() = 1", "random() = 1", "json_extract(form_values, '\$') = 'x'", "version() = 'x'",
    "current_user = 'x'", "session_user = 'x'", "inet_server_addr() = 'x'", "batch_clock() > 0", "batch_cast(1, 'text') = '1'", "repeat('x', 1000000000) = 'x'",
    "$select GROUP BY load_extension('x')", "$select GROUP BY randomblob(1000000000)", "$select WHERE EXISTS (SELECT readfile('/etc/passwd'))",
    "$select GROUP BY printf('%s', 1)", "$select GROUP BY group_concat(_status)", "$select GROUP BY string_agg(_status, ',')", "$select GROUP BY sqlite_version()",
    "$select GROUP BY \"load_extension\"('x')", "$select WHERE \"load_extension\"('x') = 1", "$select GROUP BY batch_cast(1, 'text')", "$select GROUP BY glob('x', 'y')",
    # Syntax of other dialects
    "$select WHERE _status REGEXP '(a+)+\$'", "$select WHERE _status ~ '(a+)+\$'", "$select WHERE _status SIMILAR TO '(a+)+'", "$select WHERE _status MATCH 'x'",
    "$select WHERE _status GLOB '*'", "$select WHERE _status COLLATE nocase = 'x'", "$select WHERE _status = E'\\x41'", "$select WHERE _status = U&'\\0041'",
    "$select WHERE _status = X'41'", "$select WHERE _status = \$\$x\$\$", "$select WHERE _status = \$1", "$select WHERE _status = ?", "$select WHERE _status = :x",
    "$select WHERE _status = \@x", "$select WHERE [_status] = 'x'", "$select WHERE `_status` = 'x'", "$select FOR UPDATE", "$select INTO OUTFILE '/tmp/x'",
    "SELECT _record_id AS id INTO x FROM $app", "$select TABLESAMPLE SYSTEM (1)", "$select NATURAL JOIN records", "$select INDEXED BY x",
    "$select NOT INDEXED", "SELECT _record_id AS id FROM ONLY $app", "$select, LATERAL (SELECT 1) x", "$select WINDOW w AS ()", "$select LIMIT -1", "$select LIMIT (SELECT 1)",
    "$select LIMIT 99999999999999999999", "$select ORDER BY 2", "$select OFFSET -5", "SELECT 1 AS id",
    # Broken texts
    "'", '"', "_status = 'x", "_status = \"x", "(((((", ')))', '1 = ', '= 1', 'AND', 'SELECT', 'SELECT FROM', '', ' ', ';', "\x{feff}$select", "\x{1}", "_status = \x{7f}",
    "\x{ff1b}", "_status \x{ff1d} 'x'", "1 = 1\x{2028}; DELETE", '1e999999 = 1', '1.2.3 = 1', '0x41 = 1', '1x = 1', "1 = 1 garbage garbage",
    # Too large, too deep
    ('(' x 5000) . '1' . (')' x 5000), ('NOT ' x 5000) . 'TRUE', ('- ' x 5000) . '1 = 1', '1' . (' + 1' x 5000) . ' = 1', "_status = '" . ('x' x 100_000) . "'",
    ('x' x 70_000), join(' OR ', ('1 = 1') x 20_000), "_status IN (" . join(',', ("'x'") x 20_000) . ')', "_status LIKE '" . ('%a' x 20_000) . "'",
    'lower(' x 5000 . '_status' . ')' x 5000, 'CASE WHEN 1 = 1 THEN ' x 500 . 'TRUE' . ' END' x 500, '1' . ('::text' x 10_000) . " = '1'",
    "$select WHERE 1 = " . ('(SELECT ' x 200) . '1' . (')' x 200), $select . (" UNION $select" x 200), $select . ' a' . join('', map {" JOIN $app b$_ ON 1 = 1"} 1 .. 60),
    "SELECT " . join(', ', map {"_version AS v$_"} 1 .. 3000) . ", max(_record_id) AS id FROM $app", "$select GROUP BY " . join(', ', map {"m$_"} 1 .. 1000),
    "SELECT max(_record_id) AS id FROM $app WHERE " . join(' AND ', ('_version = 1') x 4500), "SELECT count(*) AS id FROM $app GROUP BY " . join(', ', map {"_version + $_"} 1 .. 300),
    "$select WHERE " . 'EXISTS (SELECT 1 FROM ' . "$app WHERE " . "EXISTS (SELECT 1 FROM $app WHERE " x 13 . 'TRUE' . ')' x 14,
    # Nests of nests, which double with each level
    'SELECT x.id FROM ' . '(SELECT * FROM ' x 30 . "($select) y" . ') z' x 30 . ' x',
    "SELECT max(v) AS id FROM " . '(SELECT v + v AS v FROM ' x 20 . "(SELECT _version AS v FROM $app) q" . ') q' x 20,
);

# What multiplies in each of few SELECTs, so that nothing is too many but what comes of it.
my $eight = join ' + ', ('v') x 8;
my $inner = "(SELECT _version AS v FROM $app) q";

# May be run or be refused, but must end: they are slow, or large.
my @slow = (
    (map { "SELECT max(v) AS id FROM " . "(SELECT $eight AS v FROM " x $_ . $inner . ') q' x $_ } 4, 6, 13),
    "SELECT max(v) AS id FROM " . "(SELECT $eight AS v FROM " x 13 . $inner . ' LIMIT 5) q' x 13,
    "SELECT max(v) AS id FROM " . "(SELECT $eight AS v FROM (" x 10 . $inner . ')) q' x 10,
    "SELECT max(v) AS id FROM " . "(SELECT $eight AS v FROM " x 12 . $inner . ') q' x 12 . " WHERE v > 1 AND v < 5 OR v = 7",
    "SELECT max(v) AS id FROM " . "(SELECT coalesce(" . join(', ', ('v') x 30) . ") AS v FROM " x 12 . $inner . ') q' x 12,
    "SELECT _record_id AS id FROM $app WHERE _version IN (SELECT v FROM " . "(SELECT $eight AS v FROM " x 12 . $inner . ') q' x 12 . ')',
    "SELECT _record_id AS id FROM $app WHERE EXISTS (SELECT v FROM " . "(SELECT $eight AS v FROM " x 12 . $inner . ') q' x 12 . ' WHERE v > 1)',
    "SELECT max(v) AS id FROM " . "(SELECT $eight AS v FROM " x 7 . $inner . ' UNION ALL SELECT 1) q' x 7,
    "SELECT _record_id AS id, " . join(' + ', ('_version') x 90) . " AS x FROM $app WHERE " . join(' AND ', map { 'coalesce(' . join(', ', ('x') x 30) . ") > $_" } 1 .. 20) . ' GROUP BY 1',
    "SELECT _record_id AS id, " . join(', ', map {"sum(_version) OVER (PARTITION BY _version + $_ ORDER BY _status) AS w$_"} 1 .. 9) . " FROM $app",
    "SELECT max(a0._record_id) AS id FROM " . join(', ', map {"$app a$_"} 0 .. 15) . ' WHERE ' . join(' AND ', map { "a$_._version = a" . (($_ * 7 + 3) % 16) . '._version' } 0 .. 15),
    "SELECT max(a._record_id) AS id FROM $app a, $app b WHERE " . join(' OR ', map {"(a._version = b._version + $_ AND (a._status = b._status OR a._project_id = b._status))"} 1 .. 40),
    "SELECT max(a._record_id) AS id FROM $app a, $app b, $app c, $app d WHERE a._status <> b._status OR c._version > d._version",
    "SELECT max(a._record_id || b._record_id || c._record_id) AS id FROM $app a, $app b, $app c GROUP BY a._record_id, b._record_id, c._record_id",
    "SELECT DISTINCT a._record_id || b._record_id AS id FROM $app a, $app b, $app c ORDER BY 1",
    "SELECT a._record_id || b._record_id || c._record_id AS id FROM $app a, $app b, $app c ORDER BY c._record_id",
    "SELECT a._record_id AS id FROM $app a WHERE (SELECT count(*) FROM $app b, $app c, $app d WHERE b._version = a._version) > 1",
    "SELECT _record_id AS id FROM $app WHERE street LIKE '" . ('%a' x 400) . "' AND EXISTS (SELECT 1)",
    "street LIKE '" . ('%a' x 400) . "'", 'lower(upper(' x 45 . 'street' . '))' x 45 . " = 'x'", join(' || ', ('street') x 5000) . " = 'x'",
    join(' OR ', map {"street LIKE '%$_%'"} 1 .. 1000), join(' AND ', map {"(photos || street) ILIKE '%a%$_%'"} 1 .. 500), "_status IN (" . join(',', map {"lower('$_')"} 1 .. 3000) . ')',
    "SELECT row_number() OVER (ORDER BY a.street, b.street) AS id FROM $app a, $app b, $app c",
    "SELECT sum(a._version) OVER (PARTITION BY b._version ORDER BY a.height ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS id FROM $app a, $app b, $app c",
    "SELECT max(x) AS id FROM (SELECT a.street || b.street || c.street AS x FROM $app a, $app b, $app c UNION SELECT d.street FROM $app d)",
    "$select ORDER BY " . join(' || ', ('street') x 2000) . ' LIMIT 1', "SELECT round(9e307 * _version * 10) AS id FROM $app", "SELECT _version * 9223372036854775807 AS id FROM $app",
    "SELECT abs(-9223372036854775807 - _version) AS id FROM $app", "SELECT sum(9223372036854775807) AS id FROM $app", "SELECT substr(street, -9223372036854775807, 9223372036854775807) AS id FROM $app",
    "WITH records AS (SELECT 'none' AS id) SELECT id FROM records", "SELECT NULL AS id FROM $app LIMIT NULL", "$select WHERE FALSE FETCH FIRST 1 ROW ONLY",
    "SELECT max(_record_id) AS id FROM $app WHERE " . join(' AND ', ('_version = -1') x 1500), "SELECT max(_record_id) AS id FROM $app WHERE street IN (" . join(', ', map {"street || 'x$_'"} 1 .. 1500) . ')',
    "SELECT max(_record_id) AS id FROM $app HAVING " . join(' OR ', map {"sum(_version + $_) < -$_"} 1 .. 900), "SELECT max(a0._record_id) AS id FROM $app a0" . join('', map {" FULL JOIN $app a$_ ON a$_.street = a0.street"} 1 .. 15),
    "SELECT max(a0._record_id) AS id FROM " . join(', ', map {"$app a$_"} 0 .. 15) . ' WHERE ' . join(' AND ', map { my $i = $_; '(' . join(' OR ', map { "a$i._version = a" . (($i * $_ + 3) % 16) . '._version' } 1 .. 6) . ')' } 0 .. 15),
    'WITH c0 AS (SELECT _version AS v FROM ' . $app . ')' . join('', map { my $i = $_ - 1; ", c$_ AS (SELECT a.v + b.v AS v FROM c$i a, c$i b)" } 1 .. 7) . ' SELECT max(v) AS id FROM c7',
    "SELECT max(_record_id) AS id FROM $app WHERE " . 'NOT (' x 45 . 'EXISTS (SELECT 1)' . ')' x 45, "SELECT max(_record_id) AS id FROM $app WHERE street NOT IN (SELECT a.street FROM $app a, $app b)",
    "SELECT now() + interval '1000000 years' AS id FROM $app", "SELECT round(height, 2147483648) AS id FROM $app", "SELECT round(height, -400) AS id FROM $app", "SELECT NULL AS id FROM $app",
    "SELECT '' AS id FROM $app", "SELECT '" . ('x' x 300) . "' AS id FROM $app", "SELECT 'x' AS id FROM $app a, $app b GROUP BY 1", "SELECT CAST(photos AS text) AS id FROM $app", "$select LIMIT 0",
    "$select OFFSET 9223372036854775807", "$select LIMIT 9223372036854775807 OFFSET 9223372036854775807", "SELECT '$foreign->{id}' AS id FROM $app LIMIT 1", "_record_id = '$foreign->{id}'",
    "_record_id IN ('$foreign->{id}')", "SELECT _record_id AS id FROM $app WHERE _record_id IN (SELECT '$foreign->{id}')", "SELECT count(*) AS id FROM $app", "$select WHERE 1 = 1 OR 'a' = 'a'",
);
cmp_ok(@refused + @slow, '>=', 150, 'there are attacks: ' . (@refused + @slow));

sub hashes { return join ' ', map { table_hash($_) } qw(records forms contacts groups shipments trackers assets) }
configure("BatchQueryTimeout 2\nBatchQueryMemory 33554432");
server_graceful();
my $hashes   = hashes();
my @children = server_children();

# Sends a query of a batch that waits for its start, and, if that was accepted, starts it with an update of nothing.
sub attack
{
    my ($query) = @_;
    my $begun  = time;
    my $answer = post_batch(operation(action => 'delete', query => $query), batch => {start => JSON::PP::false});
    $answer = start($answer->json->{batch}) if $answer->status == 201;
    return ($answer, time - $begun);
}

# Runs one of the slow queries as a batch on hydrants, and waits for its end where it is accepted.
sub run_slow
{
    my ($query) = @_;
    my $answer = post_batch(operation(form_id => HYDRANTS, query => $query));
    finished($answer->json->{batch}) if $answer->status == 202;
    return $answer;
}

# For each attack a test of its own would be a long list: what went wrong is named.
sub shown { my ($query) = @_; $query =~ s/[^ -~]/?/g; return length $query > 150 ? substr($query, 0, 150) . '...' : $query }

my (@accepted, @late, @named, @odd);
foreach my $query (@refused) {
    my ($answer, $took) = attack($query);
    push @accepted, shown($query) . ' => ' . $answer->status if $answer->status != 422;
    push @late, shown($query) . " => $took s" if $took > LIMIT;
    push @named, shown($query) . ' => ' . $answer->body if grep { index($answer->body, $_) >= 0 && index($query, $_) < 0 } 'globex', $globex->{id}, 'serial', 'weight', 'sqlite_', 'records', 'pg_';
    push @odd, shown($query) . ' => ' . substr($answer->body, 0, 200) if $answer->status == 422 && !eval { @{$answer->json->{batch}{errors}{'operations[0].query'}} };
}
is_deeply(\@accepted, [], 'what asks for too much is refused');
is_deeply(\@odd, [], 'with 422 for the query');
is_deeply(\@named, [], 'without naming anything that is not the caller\'s');
is(hashes(), $hashes, 'no row has changed');

my @broken;
foreach my $query (@slow) {
    # Deleting the caller's own rows is what a good query is for: so it is about rows that are not there.
    $query = "$select WHERE $query" if $query !~ /^SELECT/;
    my $begun  = time;
    my $answer = run_slow($query);
    my $took   = time - $begun;
    push @broken, shown($query) . ' => ' . $answer->status . ' ' . substr($answer->body, 0, 200) if $answer->status != 422 && $answer->status != 202;
    push @late, shown($query) . " => $took s" if $took > LIMIT;
}
is_deeply(\@broken, [], 'what is slow or large ends, too');
is_deeply(\@late, [], 'in time');
is(value("SELECT count(*) AS n FROM records WHERE organization_id = 'globex'"), scalar(keys %theirs), 'nothing of the others is gone');
is(value("SELECT count(*) AS n FROM records WHERE form_id = '" . TESTING_APP . "'"), 500, 'nor of the form that was not the operation\'s');
is_deeply([grep { !kill 0, $_ } @children], [], 'no child has died');
is(request('GET', '/batch')->status, 200, 'and the server answers');

# Bytes that JSON does not have either.
foreach my $bytes ("\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "a\x00b") {
    my $answer = request('POST', '/batch', type => 'application/json',
        body => qq({"batch":{"operations":[{"action":"delete","resource":"record","form_id":") . TESTING_APP . qq(","query":"_status = '$bytes'"}]}}));
    is($answer->status, 400, 'bytes that are not UTF-8');
}

# Memory: the same again changes nothing any more.
SKIP: {
    skip 'a sanitizer keeps memory for itself', 1 if $ENV{SANITIZE};
    my $all = sub { my $sum = 0; $sum += resident_kilobytes($_) // 0 for server_children(); return $sum };
    my $round = sub { attack($_) for @refused[-20 .. -1]; run_slow($_) for @slow[1, 2] };
    $round->() for 1 .. 3;
    my $first = $all->();
    $round->() for 1 .. 5;
    my $last = $all->();
    cmp_ok($last - $first, '<', 60_000, "memory comes back: $first KiB, then $last KiB");
}

unconfigure();
server_graceful();
finish();
