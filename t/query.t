#!/usr/bin/perl
# Selection by a query: what is selected, when, and what is said of a query that is wrong.
#
# needs: drivers
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use BatchTest;

my $q = '"Testing App"';

# The ids of records as a condition of the database's own says.
sub ids_where
{
    my ($where, $form) = @_;
    return map { $_->{id} } rows("SELECT id FROM records WHERE organization_id = 'acme' AND form_id = '"
            . ($form || TESTING_APP) . "' AND ($where) ORDER BY id");
}

sub query_error
{
    my ($query) = @_;
    my $answer = post_batch(operation(query => $query));
    my $errors = eval { $answer->json->{batch}{errors}{'operations[0].query'} } || [];
    return $answer->status . ': ' . join ' | ', @$errors;
}

# ---- The query of the documentation -----------------------------------------------------------------

my @wanted = ids_where("status = 'delete_this'");
my $other  = value("SELECT count(*) AS n FROM records WHERE status = 'delete_this' AND organization_id <> 'acme'");
my $before = value('SELECT count(*) AS n FROM records');
is(scalar @wanted, 111, 'the sample has 111 records to delete');
my $batch = create(operation(query => "SELECT _record_id AS id FROM $q WHERE _status='delete_this'"));
is($batch->{objects_total}, 111, 'they are counted in the answer');
is_batch_counts(finished($batch), ['success', 111, 111, 0], 'they are deleted');
is_deeply([ids_where("status = 'delete_this'")], [], 'none of them is left');
is(value('SELECT count(*) AS n FROM records'), $before - 111, 'and nothing else is gone');
is(value("SELECT count(*) AS n FROM records WHERE status = 'delete_this' AND organization_id <> 'acme'"),
    $other, 'the other organization, whose form has the same name, has all of its own');

# ---- Frozen at the start ---------------------------------------------------------------------------

restore();
$batch = pending(operation(query => "_status = 'good'"));
is($batch->{objects_total}, 0, 'a pending batch has not run its query');
my ($one) = ids_where("status = 'good'");
sql("UPDATE records SET status = 'kept' WHERE id = '$one'");
@wanted = ids_where("status = 'good'");
my $answer = start($batch);
is($answer->status, 202, 'it is started');
is($answer->json->{batch}{objects_total}, scalar @wanted, 'the query runs at the start');
is_batch_counts(finished($batch), ['success', scalar @wanted, scalar @wanted, 0], 'and it ends');
is(scalar(ids_where("status = 'kept'")), 1, 'what was changed before the start is kept');

restore();
$batch = pending([]);
$answer = request('POST', "/batch/$batch->{id}/operations",
    json => {operations => [operation(query => '_version = 1')]});
is($answer->status, 200, 'a query can be added');
is($answer->json->{operations}[0]{query}, '_version = 1', 'which is in the answer');
@wanted = ids_where('version = 1');
start($batch);
is_batch_counts(finished($batch), ['success', scalar @wanted, scalar @wanted, 0], 'and is run');

# ---- Nothing, and too much -------------------------------------------------------------------------

restore();
$batch = create(operation(query => "_status = 'nobody has this'"));
is_batch_counts(finished($batch), ['success', 0, 0, 0], 'a query that selects nothing is a success with 0');
is(value('SELECT count(*) AS n FROM records'), $before, 'and removes nothing');
sql(driver() eq 'pgsql'
    ? "INSERT INTO records (id, organization_id, form_id, status, created_at, updated_at) SELECT 'many-' || lpad(i::text, 5, '0'), 'acme', '"
        . TESTING_APP . "', 'many', 'x', 'x' FROM generate_series(1, 10001) AS n (i)"
    : "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) INSERT INTO records (id, organization_id, form_id, status, created_at, updated_at)"
        . " SELECT printf('many-%05d', i), 'acme', '" . TESTING_APP . "', 'many', 'x', 'x' FROM n");
like(query_error("_status = 'many'"), qr/^422: .*\b10001\b.*\b10000\b/, 'too many are counted, not cut');
$batch = pending(operation(query => "_status = 'many'"));
is_unprocessable(start($batch), ['operations[0].query'], 'also at the start');
is(batch($batch)->{status}, 'pending', 'which leaves the batch pending');
sql("DELETE FROM records WHERE status = 'many' AND id = 'many-00001'");
is(start($batch)->json->{batch}{objects_total}, 10_000, 'and it can be started when they are fewer');
is_batch_counts(finished($batch), ['success', 10_000, 10_000, 0], 'ten thousand are deleted');

# ---- Other forms -----------------------------------------------------------------------------------

restore();
$batch = create(operation(query => 'SELECT _record_id AS id FROM "Hydrants"'));
is_batch_counts(finished($batch), ['failed', 40, 0, 40], "records of another form than the operation's fail");
is(scalar(ids_where('1 = 1', HYDRANTS)), 40, 'and are left alone');
$batch = create(operation(form_id => HYDRANTS, query => "color = 'red'"));
is(finished($batch)->{objects_success}, 10, 'a predicate is about the form of the operation');
$batch = create(operation(query => "SELECT _record_id AS id FROM \"" . TESTING_APP . "\" LIMIT 3"));
is_batch_counts(finished($batch), ['success', 3, 3, 0], 'a form can be named by its id');
my $carol = post_batch(operation(query => 'SELECT _record_id AS id FROM "Hydrants"'), as => 'carol');
is_unprocessable($carol, ['operations[0].form_id'], 'the form of another organization is not there');
my ($globex) = rows("SELECT id FROM forms WHERE organization_id = 'globex'");
$carol = post_batch(operation(form_id => $globex->{id}, query => 'SELECT _record_id AS id FROM "Hydrants"'), as => 'carol');
like(join('', @{$carol->json->{batch}{errors}{'operations[0].query'}}), qr/no form "Hydrants"/, 'in no query');
$batch = create(operation(form_id => $globex->{id}, query => "SELECT _record_id AS id FROM $q WHERE secret LIKE 'globex%'"), as => 'carol');
is($batch->{objects_total}, 60, 'two forms of one name are two');
finished($batch, as => 'carol');
is(value("SELECT count(*) AS n FROM records WHERE organization_id = 'globex'"), 0, 'each is emptied by its own organization');
restore();

# ---- Who may ------------------------------------------------------------------------------------------

is_error(post_batch(operation(query => "_status = 'good'"), as => 'bob'), 403, 'who may not delete is not told what would be');
$batch = pending(operation(query => "_status = 'good'"));
is_error(start($batch, as => 'bob'), 403, 'nor at the start');
is(batch($batch)->{status}, 'pending', 'which does not happen');

# ---- Both ways select the same --------------------------------------------------------------------------

# A query over one form, and the database's own idea of it.
my $json = driver() eq 'pgsql'
    ? sub { "(form_values->>'$_[0]')" }
    : sub { "json_extract(form_values, '\$.$_[0]')" };
my $number = driver() eq 'pgsql' ? sub { '(' . $json->(@_) . ')::numeric' } : $json;
my $marks = 0;
my @same  = (
    ['_project_id IS NULL', 'project_id IS NULL'],
    ["_status = 'fair'", "status = 'fair'"],
    ["_status IN ('fair', 'good') AND NOT _version = 2", "status IN ('fair', 'good') AND NOT version = 2"],
    ["_status LIKE 'g%'", "status LIKE 'g%'"],
    ["_status LIKE 'G%'", '1 = 0'],
    ["_status ILIKE 'G%'", "status = 'good'"],
    ['height > 10', $number->('height') . ' > 10'],
    ["height > CAST('9' AS numeric)", $number->('height') . ' > 9'],
    ['height * 2 + 1 BETWEEN 11 AND 20.5', $number->('height') . ' * 2 + 1 BETWEEN 11 AND 20.5'],
    ["notes IS NULL OR inspections % 2 = 1", $json->('notes') . ' IS NULL OR ' . $number->('inspections') . ' % 2 = 1'],
    ["asset_tag > 'TA-0250'", $json->('asset_tag') . " > 'TA-0250'"],
    ["_created_at >= '2023-10-25'", "created_at >= '2023-10-25'"],
    ["_created_at::date = date '2023-10-24'", "substr(created_at, 1, 10) = '2023-10-24'"],
    ["_created_at < timestamp '2023-10-26T00:00:00Z' - interval '1 day'", "created_at < '2023-10-25'"],
    ['_latitude < 27.8', 'latitude < 27.8'],
    ["substr(asset_tag, 4, 2) || '!' = '03!'", 'substr(' . $json->('asset_tag') . ", 4, 2) = '03'"],
    ["upper(trim('  x' || _status)) = 'XFAIR'", "status = 'fair'"],
    ["coalesce(_assigned_to_id, 'nobody') = 'nobody'", 'assigned_to_id IS NULL'],
    ["nullif(_status, 'good') IS NULL", "status = 'good'"],
    ['lit', $json->('lit') . (driver() eq 'pgsql' ? " = 'true'" : ' = 1')],
    ["length(street) > 12 AND street LIKE '%O''Hara%'", $json->('street') . " LIKE '%O''Hara%' AND length(" . $json->('street') . ') > 12'],
    ["street ILIKE '%\x{e9}LAN%'", $json->('street') . " LIKE '%Élan%'"],
    ['1 / 0 IS NULL AND _version = 3', 'version = 3'],
    ["CAST('x' || _version AS integer) IS NULL AND _version = 3", 'version = 3'],
    ["_version IN (SELECT _version FROM \"Hydrants\") AND _status = 'good'", "version IN (1, 2, 3) AND status = 'good'"],
    ["EXISTS (SELECT 1 FROM \"Hydrants\" h WHERE h._version = $q._version)", 'version IN (1, 2, 3)', 'SELECT'],
    ["CASE WHEN height > 10 THEN _version = 1 ELSE FALSE END", $number->('height') . ' > 10 AND version = 1'],
);
foreach my $case (@same) {
    my ($query, $where, $whole) = @$case;
    my @ids = ids_where($where);
    $query = "SELECT _record_id AS id FROM $q WHERE $query" if $whole;
    my $mark = 'selected ' . ++$marks;
    my $now = create(operation(action => 'update', data => {project_id => $mark}, query => $query));
    finished($now);
    (my $name = $query) =~ s/[^ -~]/?/g;
    is_deeply([ids_where("project_id = '$mark'")], \@ids, $name) or diag($now->{objects_total}, ' of ', scalar @ids);
}
restore();
my @ordered = map { $_->{id} } rows("SELECT id FROM records WHERE form_id = '" . TESTING_APP . "' ORDER BY created_at DESC LIMIT 5");
$batch = create(operation(query => "SELECT _status, _record_id AS id FROM $q t ORDER BY t._created_at DESC LIMIT 5"));
finished($batch);
is(value("SELECT count(*) AS n FROM records WHERE id IN (" . join(',', map {"'$_'"} @ordered) . ')'), 0, 'ORDER BY and LIMIT');
restore();
foreach my $query (
    "SELECT max(_record_id) AS id FROM $q GROUP BY _status",
    "SELECT min(_record_id) AS id FROM $q GROUP BY _status HAVING count(*) > 1",
    "SELECT _record_id AS id FROM (SELECT _record_id, row_number() OVER (PARTITION BY _status ORDER BY _created_at) AS n FROM $q) x WHERE x.n = 1",
    "SELECT _record_id AS id FROM $q WHERE _version = 1 UNION SELECT 'x' || _version AS id FROM $q WHERE _version > 1",
    )
{
    $batch = create(operation(action => 'update', data => {project_id => 'x'}, query => $query));
    ok($batch->{objects_total} >= 3, "$batch->{objects_total} by $query");
    finished($batch);
}
restore();

# ---- What is wrong ----------------------------------------------------------------------------------------

like(query_error('_status ='),          qr/^422: line 1, column 10: found "the end of the query", expected a value/, 'an end');
like(query_error("_status\n= = 'x'"),   qr/^422: line 2, column 3: found "=", expected a value/,            'a line');
like(query_error("_statu = 'good'"),    qr/^422: line 1, column 1: .*"_statu".*did you mean "_status"/,     'a column');
like(query_error("hieght > 3"),         qr/did you mean "height"/,                                          'a member');
like(query_error("NOT statuss = 'x'"),  qr/^422: .*"statuss"/,                          'a name that no record has selects nothing');
like(query_error("statuss IS NULL"),    qr/^422: .*"statuss"/,                          'even where nothing is asked for');
like(query_error('SELECT _record_id AS id FROM "Testing Ap"'), qr/column 30: .*did you mean "Testing App"/, 'a form');
like(query_error("SELECT _record_id FROM $q"),  qr/no column named id: select "_record_id AS id"/,          'no id');
like(query_error("SELECT * FROM $q"),   qr/no column named id/,                                             'a star');
like(query_error('_version = _status'), qr/type text.*type integer/,                                        'two types');
like(query_error("_version = 'three'"), qr/found 'three', expected an integer/,                             'no number');
like(query_error("height > '9'"), qr/found '9'.*without quotes/, 'a number in quotes');
like(query_error("lowr(_status) = 'x'"), qr/no function "lowr"; did you mean "lower"/,                      'a function');
like(query_error("SELECT _record_id AS id FROM $q; DELETE FROM records"), qr/^422: .*column 43: found ";"/, 'two statements');
like(query_error("SELECT max(_record_id) AS id FROM $q GROUP BY _statu"), qr/column 58: .*"_statu".*did you mean "_status"/, 'the other way');
like(query_error("SELECT _record_id AS id FROM $q a JOIN \"Hydrant\" b ON 1 = 1"), qr/did you mean "Hydrants"/, 'its forms');
like(query_error("SELECT count(*) AS id FROM $q WHERE street > '3'"), qr/found '3'.*without quotes/, 'a number in quotes, the other way');
is(create(operation(action => 'update', data => {project_id => 'x'}, query => "SELECT max(_record_id) AS id FROM $q WHERE street > 3 GROUP BY _record_id"))->{objects_total},
    create(operation(action => 'update', data => {project_id => 'x'}, query => 'street > 3'))->{objects_total}, 'texts that are no numbers are none in both ways');
like(query_error("SELECT _record_id AS id FROM $q WHERE height = (SELECT height FROM $q)"), qr/more than one row where a value stands.*LIMIT 1/, 'a subquery of many rows');
$answer = post_batch(operation(query => '_statu = 1'), batch => {start => JSON::PP::false});
is_unprocessable($answer, ['operations[0].query'], 'a pending batch is checked when it is made');
$answer = post_batch(operation(form_id => 'none', action => 'other', query => '_status ='));
is_unprocessable($answer, ['operations[0].action', 'operations[0].form_id'], 'with all other faults');

finish();
