# How queries name forms: without quotes in any case, if one form only fits, or one is written so.
# And what people write who know SQL from elsewhere: which words to use instead.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $hydrants = value("SELECT id FROM forms WHERE name = 'Hydrants'");
my $all = value("SELECT count(*) FROM records WHERE form_id = '$hydrants'");
ok($all > 0, 'there are hydrants');

# The error of a query on the form of hydrants, or "" for none; nothing is deleted by it.
sub query_error
{
    my ($query, %more) = @_;
    my $answer = post_batch(operation(form_id => $hydrants, query => $query, %more), batch => {start => JSON::PP::false});
    return $answer->status == 201 ? '' : join ' ', $answer->status, @{$answer->json->{batch}{errors}{'operations[0].query'} || [$answer->body]};
}

# How many objects a query selects; or what is wrong with it.
sub selected
{
    my ($query) = @_;
    my $answer = post_batch(operation(action => 'update', data => {assigned_to_id => 'x'}, form_id => $hydrants, query => $query));
    return $answer->json->{batch}{errors}{'operations[0].query'}[0] if $answer->status != 202;
    return finished($answer->json->{batch})->{objects_total};
}

# ---- One form fits -------------------------------------------------------------------------------

is(selected("SELECT _record_id AS id FROM $_"), $all, "FROM $_") for qw(Hydrants hydrants HYDRANTS "Hydrants");
is(selected("SELECT _record_id AS id FROM $_"), $all, $_)
    for 'Hydrants WHERE Hydrants._version > 0', 'Hydrants h WHERE h._version > 0', 'HYDRANTS WHERE "Hydrants"._version > 0',
    '"Hydrants" WHERE hydrants._version > 0';
is(selected("SELECT a._record_id AS id FROM $_"), $all, "the other way: $_")
    for 'Hydrants a JOIN HYDRANTS b ON a._record_id = b._record_id', 'hydrants a WHERE a._record_id IN (SELECT _record_id FROM Hydrants)',
    '(SELECT _record_id FROM Hydrants) a', 'Hydrants AS a JOIN "Hydrants" AS b ON a._record_id = b._record_id';
like(query_error('SELECT _record_id AS id FROM "hydrants"'), qr/^422 line 1, column 30: .*no form "hydrants"; did you mean "Hydrants"/, 'in quotes as it is written');
like(query_error('SELECT _record_id AS id FROM "HYDRANTS"'), qr/no form "HYDRANTS"; did you mean "Hydrants"/, 'in quotes as it is written');
like(query_error('SELECT _record_id AS id FROM Hydrant'), qr/no form "Hydrant"; did you mean "Hydrants"/, 'another name, as the client wrote it');
like(query_error('SELECT a._record_id AS id FROM Hydrant a JOIN Hydrants b ON 1 = 1'), qr/no form "Hydrant"; did you mean "Hydrants"/, 'the other way');
like(query_error("SELECT _record_id AS id FROM Hydrants", form_id => TESTING_APP), qr/^$/, 'whatever the form of the operation is');

# Letters of every script.
sql("INSERT INTO forms (id, organization_id, name) VALUES ('f-geraete', 'acme', 'Ger\xc3\xa4te')");
is(query_error("SELECT _record_id AS id FROM $_"), '', $_) for "Ger\x{e4}te", "ger\x{e4}te", "GER\x{c4}TE";

# Another organization's forms do not count.
sql("INSERT INTO forms (id, organization_id, name) VALUES ('f-other', 'globex', 'HYDRANTS')");
is(query_error('SELECT _record_id AS id FROM HYDRANTS'), '', 'of this organization one fits');

# ---- Several fit ---------------------------------------------------------------------------------

sql("INSERT INTO forms (id, organization_id, name) VALUES ('f-upper', 'acme', 'HYDRANTS')");
is(selected('SELECT _record_id AS id FROM Hydrants'), $all, 'one that is written so');
is(selected('SELECT _record_id AS id FROM HYDRANTS'), 0, 'the other one');
is(selected('SELECT a._record_id AS id FROM Hydrants a LEFT JOIN "HYDRANTS" b ON 1 = 1'), $all, 'both');
like(query_error("SELECT _record_id AS id FROM $_"), qr/^422 line 1, column 30: $_ fits 2 forms of your organization \((?:"Hydrants", "HYDRANTS"|"HYDRANTS", "Hydrants")\): write the name as it is, in double quotes/, "$_ fits two")
    for qw(hydrants HydrantS);
like(query_error('SELECT a._record_id AS id FROM hydrants a JOIN "Hydrants" b ON 1 = 1'), qr/hydrants fits 2 forms/, 'the other way');
is(selected('SELECT a._record_id AS id FROM Hydrants a LEFT JOIN HYDRANTS b ON 1 = 1'), $all, 'each as it is written');
is(selected('SELECT b._record_id AS id FROM Hydrants a JOIN HYDRANTS b ON 1 = 1'), 0, 'the one without records');
sql("INSERT INTO forms (id, organization_id, name) VALUES ('f-lower', 'acme', 'hydrants')");
is(selected('SELECT _record_id AS id FROM hydrants'), 0, 'the one in small letters, now that it is there');
is(selected('SELECT _record_id AS id FROM Hydrants'), $all, 'as it is written, not as PostgreSQL folds it');
like(query_error('SELECT _record_id AS id FROM hYDRANTS'), qr/fits 3 forms/, 'three');
sql("INSERT INTO forms (id, organization_id, name) VALUES ('f-more$_', 'acme', '" . ('hydRants', 'hyDrants')[$_] . "')") for 0, 1;
like(query_error('SELECT _record_id AS id FROM hYDRANTS'), qr/fits 5 forms of your organization \((?:"\w+", ){3}/, 'five, of which three are named');
sql("DELETE FROM forms WHERE id LIKE 'f-%'");

# ---- What is no query here -----------------------------------------------------------------------

foreach my $case (
    ['DELETE FROM Hydrants', 'DELETE'], ["delete from \"Hydrants\" WHERE color = 'red'", 'delete'], ["UPDATE Hydrants SET color = 'x'", 'UPDATE'],
    ["INSERT INTO Hydrants VALUES (1)", 'INSERT'], ['DROP TABLE records', 'DROP'], ['TRUNCATE records', 'TRUNCATE'],
    )
{
    my ($query, $word) = @$case;
    like(query_error($query), qr/^422 line 1, column 1: found "$word", but a query only selects: write SELECT _record_id AS id FROM/, $query);
}
like(query_error("WHERE color = 'red'"), qr/^422 line 1, column 1: found "WHERE": a condition alone stands here without WHERE$/, 'WHERE alone');
like(query_error("  where color = 'red'"), qr/column 3: found "where": a condition alone/, 'in small letters');
like(query_error("_status = ANY('{good}')"), qr/^422 line 1, column \d+: found .*write = ANY\(ARRAY\['a', 'b'\]\), or IN \('a', 'b'\)/, 'an array as a text');
is(selected("_status $_ (SELECT 'good')"), selected("_status = 'good'"), "$_ (SELECT …)") for '= SOME', '= ANY';
is(selected("SELECT _record_id AS id FROM Hydrants WHERE _status <> ALL (SELECT 'good')"), selected("_status <> 'good'"), '<> ALL (SELECT …)');
like(query_error('_version > ALL (SELECT 1)'), qr/^422 line 1, column 17: with a SELECT there are = ANY and <> ALL only: compare with its min/, '> ALL');
is(query_error($_), '', $_) for "_status = ANY(ARRAY['good', 'fair'])", "_status <> ALL (ARRAY['good'])", "SELECT _record_id AS id FROM Hydrants WHERE _status = any(array['x'])";
# Words that are members here.
sql(
    driver() eq 'pgsql'
    ? "UPDATE records SET form_values = form_values || '{\"delete\":1,\"update\":1,\"any\":2,\"some\":3}' WHERE form_id = '$hydrants'"
    : "UPDATE records SET form_values = json_set(form_values, '\$.delete', 1, '\$.update', 1, '\$.any', 2, '\$.some', 3) WHERE form_id = '$hydrants'"
);
is(query_error($_), '', $_) for 'delete = 1', 'update IS NOT NULL AND delete IN (1, 2)', 'any = 2 AND some > any::integer', 'delete BETWEEN 0 AND 1';

finish();
