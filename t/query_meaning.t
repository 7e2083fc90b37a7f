# One meaning for every query: a condition selects the same records in whatever shape the query has, and
# those that PostgreSQL would select.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

my $form = 'f-meaning';
my %records = (
    a => {version => 2, status => "'9'", project_id => 'NULL', latitude => '0',
        created_at => '2023-10-06T02:56:33.500000Z', values => '{"h": 2.5, "t": "9", "flag": "true", "whole": 9007199254740993, "place": "x"}'},
    b => {version => 4, status => "'x'", project_id => "'p2'", latitude => '2.5',
        created_at => '2023-10-06T02:56:33Z', values => '{"h": 2, "t": "tall", "flag": "false", "whole": 9007199254740992, "place": "x"}'},
    c => {version => 10, status => 'NULL', project_id => "'p1'", latitude => 'NULL',
        created_at => '2023-10-06T02:56:32Z', values => '{"h": 4, "t": "0", "flag": "perhaps", "place": "y"}'},
    d => {version => 3, status => "'3'", project_id => "'p1'", latitude => '-1',
        created_at => '2023-10-07T00:00:00Z', values => '{"h": "tall", "place": null, "t": null}'},
);
sql("INSERT INTO forms (id, organization_id, name) VALUES ('$form', 'acme', 'Meaning'), ('f-none', 'acme', 'Nobody')");
foreach my $id (sort keys %records) {
    my $row = $records{$id};
    sql('INSERT INTO records (id, organization_id, form_id, version, status, project_id, latitude, created_at, updated_at, form_values)'
        . " VALUES ('$id', 'acme', '$form', $row->{version}, $row->{status}, $row->{project_id}, $row->{latitude}, '$row->{created_at}',"
        . " '2024-01-01T00:00:00Z', '$row->{values}')");
}

# The ids that a query selects, as the rows show that an update of them has changed; or its error.
my $marks = 0;
sub selected
{
    my ($query) = @_;
    my $mark = 'mark ' . ++$marks;
    my $answer = post_batch(operation(action => 'update', data => {assigned_to_id => $mark}, form_id => $form, query => $query));
    return $answer->status . ' ' . ($answer->json->{batch}{errors}{'operations[0].query'}[0] // $answer->body)
        if $answer->status != 202;
    finished($answer->json->{batch});
    return join ' ', map { $_->{id} } rows("SELECT id FROM records WHERE assigned_to_id = '$mark' ORDER BY id");
}

# The same condition in every shape that a query can have.
my @shapes = (
    sub { $_[0] },
    sub { "($_[0]) AND EXISTS (SELECT 1)" },
    sub { "SELECT _record_id AS id FROM Meaning WHERE $_[0]" },
    sub { "SELECT _record_id AS id FROM (SELECT * FROM Meaning) m WHERE $_[0]" },
    sub { "WITH m AS (SELECT * FROM meaning) SELECT _record_id AS id FROM m WHERE $_[0]" },
    sub { "SELECT m._record_id AS id FROM (SELECT 1 AS one) x CROSS JOIN \"Meaning\" m WHERE $_[0]" },
    sub { "SELECT _record_id AS id FROM Meaning WHERE CASE WHEN $_[0] THEN TRUE ELSE FALSE END AND _record_id IN (SELECT _record_id FROM Meaning)" },
    sub { "SELECT _record_id AS id FROM Meaning WHERE $_[0] UNION SELECT _record_id FROM Meaning WHERE FALSE" },
    sub { "SELECT _record_id AS id FROM Meaning EXCEPT SELECT _record_id FROM Meaning WHERE ($_[0]) IS NOT TRUE" },
    sub { "SELECT max(_record_id) AS id FROM Meaning WHERE $_[0] GROUP BY _record_id" },
);

sub everywhere
{
    my ($condition, $wanted, $name) = @_;
    my @found = map { selected($_->($condition)) } @shapes;
    $name ||= $condition;
    return is_deeply(\@found, [($wanted) x @shapes], substr $name, 0, 100)
        if !ref $wanted;
    return is_deeply([grep { $_ !~ $wanted } @found], [], substr $name, 0, 100);
}

# ---- Conditions ----------------------------------------------------------------------------------

my $long = 'x' x 1001;
everywhere("_version < '5'", 'a b d');
everywhere("_version <> '3'", 'a b c');
everywhere('_status > 5', qr/^422 .*type text.*type integer|^422 .*type integer.*type text/s);
everywhere('h % 2 = 0', 'b c');
everywhere('t + 1 = 1', 'c');
everywhere('NOT flag', 'b');
everywhere('t NOT IN (9, 10)', 'c');
everywhere('5 < (t)', 'a');
everywhere('5 > t', 'c');
everywhere('_version + 9223372036854775807 > 0', '');
everywhere('_version + 9223372036854775807 IS NULL', 'a b c d');
everywhere("_created_at > timestamp '2023-10-06T02:56:33Z'", 'a d');
everywhere("_created_at = timestamp '2023-10-06T02:56:33.5Z'", 'a');
everywhere("_status NOT LIKE '$long'", qr/^422 .*1,?000 bytes/s, 'a pattern that is too long');
everywhere('whole = 9007199254740993', 'a');
everywhere('whole > 9007199254740992', 'a');
everywhere("_latitude || '' = '0'", 'a');
everywhere("_latitude || '' IN ('2.5', '-1')", 'b d');
everywhere("h || '' = '2.5' OR h || '' = '4'", 'a c');
everywhere('_version / 4 = 1', 'b');
everywhere('_version / 4.0 = 1', 'b');
everywhere('7 / 2 = 3 AND 7 / 2.0 = 3.5', 'a b c d');
everywhere("t > 'a'", 'b');
everywhere('h > 2', 'a c');
everywhere('NOT h > 2', 'b');
everywhere('h IS NOT NULL', 'a b c d');
everywhere("_status NOT IN ('9', NULL)", '');
everywhere("_status LIKE '_'", 'a b d');
everywhere("_status ILIKE 'X'", 'b');
everywhere("CAST(t AS integer) = 9", 'a');
everywhere("t::numeric BETWEEN 0 AND 9", 'a c');
everywhere("CASE _version WHEN 2 THEN 'two' WHEN 4 THEN 'four' END = 'four'", 'b');
everywhere("upper(place) = 'X'", 'a b');

# ---- Order -----------------------------------------------------------------------------------------

foreach my $shape ('Meaning', '(SELECT * FROM Meaning) m', 'Meaning m CROSS JOIN (SELECT 1 AS one) x') {
    my $first = sub { selected("SELECT _record_id AS id FROM $shape ORDER BY $_[0]") };
    is($first->('_project_id LIMIT 1'), 'c', "NULLs are last: $shape");
    is($first->('_project_id DESC LIMIT 1'), 'a', "and first from the end: $shape");
    is($first->('_project_id DESC NULLS LAST LIMIT 1'), 'b', "but where the query says otherwise: $shape");
    is($first->('_project_id, _version LIMIT 2'), 'c d', "several columns: $shape");
    is($first->('_version OFFSET 2'), 'b c', "OFFSET: $shape");
    is($first->('h LIMIT 1'), 'b', "a member of several types: $shape");
    like($first->('_version LIMIT -1'), qr/^422 .*found "-", expected a whole number/, "LIMIT -1: $shape");
}
is(selected("SELECT _record_id AS id FROM (SELECT _record_id, row_number() OVER (ORDER BY _project_id$_->[0]) AS n FROM Meaning) m WHERE n = 1"),
    $_->[1], "in a window, too:$_->[0]")
    for ['', 'c'], [' DESC', 'a'], [' NULLS FIRST', 'a'];

# ---- Relations ---------------------------------------------------------------------------------------

my $select = 'SELECT _record_id AS id FROM Meaning WHERE _version';
is(selected("$select = 2 UNION $select = 4 INTERSECT $select = 10"), 'a', 'INTERSECT binds more closely than UNION');
is(selected("($select = 2 UNION $select = 4) INTERSECT $select = 4"), 'b', 'parentheses');
is(selected("$select > 2 EXCEPT $select = 4 EXCEPT $select = 10"), 'd', 'EXCEPT from the left');
is(selected("SELECT _record_id AS id FROM (SELECT place FROM Meaning INTERSECT ALL SELECT place FROM Meaning WHERE _version < 9) x"
    . ' JOIN Meaning m ON m.place = x.place WHERE m._version = 4'), 'b', 'INTERSECT ALL');
like(selected('SELECT _record_id AS id FROM Meaning GROUP BY place'), qr/^422 .*"_record_id" may differ within a group/, 'GROUP BY with a bare column');
is(selected('SELECT max(_record_id) AS id FROM Meaning GROUP BY place HAVING count(*) > 1'), 'b', 'HAVING');
is(selected('SELECT _record_id AS id FROM Meaning WHERE h > (SELECT avg(h) FROM Meaning)'), 'c', 'an average leaves out what is no number');
is(selected('SELECT m._record_id AS id FROM Meaning m LEFT JOIN Nobody n ON n.place = m.place WHERE place = \'x\''), 'a b',
    'a name is not ambiguous because a form is empty');
is(selected("SELECT m._record_id AS id FROM Meaning m LEFT JOIN Nobody n ON n.place = m.place WHERE n.place IS NULL"), 'a b c d', 'LEFT JOIN');
is(selected('SELECT a._record_id AS id FROM Meaning a JOIN Meaning b ON a.place = b.place AND a._record_id <> b._record_id'), 'a b', 'two members');
is(selected('SELECT a._record_id AS id FROM Meaning a JOIN Meaning b ON a.t = b.h'), 'b', 'a text is no number');
is(selected('SELECT a._record_id AS id FROM Meaning a JOIN Meaning b USING (place) WHERE b._version = 2'), 'a b', 'USING');
is(selected('SELECT _record_id AS id FROM Meaning m WHERE EXISTS (SELECT 1 FROM Meaning o WHERE o.place = m.place AND o._version > m._version)'), 'a', 'a subquery that names the outer record');
is(selected("SELECT _record_id AS id FROM Meaning WHERE _version NOT IN (SELECT _version FROM Meaning WHERE _version > 3)"), 'a d', 'NOT IN (SELECT …)');
is(selected("SELECT _record_id AS id FROM Meaning WHERE _project_id NOT IN (SELECT _status FROM Meaning)"), '', 'NOT IN with a NULL among them');
like(selected('SELECT _record_id AS id FROM Meaning WHERE _version = (SELECT _version FROM Meaning)'), qr/^422 .*more than one row/, 'a value that is several');
is(selected('WITH big AS (SELECT * FROM Meaning WHERE _version > 2), small AS (SELECT _record_id FROM big WHERE _version < 10) SELECT _record_id AS id FROM small'),
    'b d', 'WITH');

# ---- What is wrong is said as for one form -----------------------------------------------------------

like(selected("_version = 'three' AND EXISTS (SELECT 1)"), qr/^422 line 1, column 12: found 'three', expected an integer/, 'no number');
like(selected('SELECT a._record_id AS id FROM Meaning a JOIN Meaning b ON a.placce = b.place'), qr/column 60: .*"placce".*did you mean "place"/, 'a member that nobody has');
like(selected('SELECT a._record_id AS id FROM Meaning a JOIN Meaning b ON place = \'x\''), qr/column 60: "place" is ambiguous/, 'a name that two have');
like(selected("SELECT _record_id AS id FROM Meaning a WHERE count(*) > 1"), qr/column 46: count cannot stand in WHERE/, 'an aggregate in WHERE');
like(selected("SELECT _record_id AS id FROM Meaning UNION SELECT _record_id, 1 FROM Meaning"), qr/gives 2 columns, expected 1/, 'two widths');
like(selected("SELECT _version AS id FROM Meaning UNION SELECT _status FROM Meaning"), qr/^422 .*type integer.*type text/, 'two types');

sql("DELETE FROM records WHERE form_id = '$form'");
sql("DELETE FROM forms WHERE id IN ('$form', 'f-none')");
finish();
