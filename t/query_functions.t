#!/usr/bin/perl
# Functions, exact numbers and comments in queries: which rows are changed by them, and what is said where they are
# used wrongly.
#
# needs: nothing
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use BatchTest;

my $form = TESTING_APP;

sub query_error
{
    my ($query) = @_;
    my $answer = post_batch(operation(query => $query));
    my $errors = eval { $answer->json->{batch}{errors}{'operations[0].query'} } || [];
    return join ' ', $answer->status, @$errors;
}

sub ids_where
{
    my ($where) = @_;
    return map { $_->{id} } rows("SELECT id FROM records WHERE organization_id = 'acme' AND form_id = '$form' AND ($where) ORDER BY id");
}

my $marks = 0;

# Updates what a query selects, and compares with what the database itself selects by where.
sub selects
{
    my ($query, $where) = @_;
    my @ids  = ids_where($where);
    my $mark = 'marked ' . ++$marks;
    finished(create(operation(action => 'update', data => {project_id => $mark}, query => $query)));
    return is_deeply([ids_where("project_id = '$mark'")], \@ids, "$query: " . @ids);
}

# ---- Whole numbers -----------------------------------------------------------------------------------

my @three = (ids_where('1 = 1'))[0 .. 2];
my @big   = ('9007199254740992', '9007199254740993', '9007199254740993.5');
foreach my $i (0 .. 2) {
    sql(
        driver() eq 'pgsql'
        ? "UPDATE records SET form_values = form_values || '{\"big\": $big[$i]}' WHERE id = '$three[$i]'"
        : "UPDATE records SET form_values = json_set(form_values, '\$.big', json('$big[$i]')) WHERE id = '$three[$i]'"
    );
}
selects('big = 9007199254740992', "id = '$three[0]'");
selects('big = 9007199254740993', "id = '$three[1]'");
selects('big > 9007199254740992', "id IN ('$three[1]', '$three[2]')");
selects('big IN (9007199254740993, 1.5)', "id = '$three[1]'");
selects('big + 1 = 9007199254740994', "id = '$three[1]'");
selects('big % 10 = 3', "id = '$three[1]'");
selects('_version + 9223372036854775807 > 0', '1 = 0');
restore();

# ---- Functions ---------------------------------------------------------------------------------------

my ($first) = rows("SELECT id, created_at FROM records WHERE organization_id = 'acme' AND form_id = '$form' ORDER BY id LIMIT 1");
my ($year, $month, $day) = $first->{created_at} =~ /^(\d+)-(\d+)-(\d+)/;
foreach my $case (
    ["date_trunc('month', _created_at) = date '$year-$month-01'", "created_at LIKE '$year-$month-%'"],
    ["date_trunc('day', _created_at) = '$year-$month-$day'", "created_at LIKE '$year-$month-$day%'"],
    ["extract(day FROM _created_at) = $day", "created_at LIKE '____-__-$day%'"],
    ["date_part('month', _created_at) <> $month", "created_at NOT LIKE '____-$month-%'"],
    ["to_char(_created_at, 'YYYYMMDD') = '$year$month$day'", "created_at LIKE '$year-$month-$day%'"],
    ["to_char(_created_at, 'DD.FMMM.YYYY') = '$day." . ($month + 0) . ".$year'", "created_at LIKE '$year-$month-$day%'"],
    ["_server_created_at::date = date '$year-$month-$day'", "created_at LIKE '$year-$month-$day%'"],
    ['_SERVER_UPDATED_AT = _updated_at', 'updated_at IS NOT NULL'],
    ["_created_at AT TIME ZONE '-02' AT TIME ZONE '-02' = _created_at", 'created_at IS NOT NULL'],
    ["_created_at - timestamptz '$year-$month-${day}T00:00:00Z' BETWEEN interval '0 days' AND interval '23 hours'", "created_at LIKE '$year-$month-$day%' AND substr(created_at, 12, 2) < '23'"],
    ["_created_at::date - date '$year-$month-$day' = 0", "created_at LIKE '$year-$month-$day%'"],
    ["_status = ANY(ARRAY['good', 'fair'])", "status IN ('good', 'fair')"],
    ["_status <> ALL(ARRAY['good', 'fair'])", "status NOT IN ('good', 'fair')"],
    ['_version >= ANY(ARRAY[2, 3])', 'version >= 2'],
    ["replace(_status, 'oo', '00') = 'g00d'", "status = 'good'"],
    ["position('a' IN _status) = 2", "status LIKE '_a%'"],
    ["left(_status, 2) || right(_status, 1) = 'god'", "status = 'good'"],
    ["trim(LEADING 'g' FROM _status) = 'ood'", "status = 'good'"],
    ["substring(_status FROM 2 FOR 2) = 'ai'", "status = 'fair'"],
    ["concat(_status, NULL, _version) = 'good2'", "status = 'good' AND version = 2"],
    ['greatest(_version, 2) = 2', 'version <= 2'],
    ["FCM_ConvertToFloat(_status) IS NULL AND fcm_converttofloat('1e1') = 10", '1 = 1'],
    ["_status = 'good' -- those only\n AND /* and not /* these */ */ _version = 1", "status = 'good' AND version = 1"],
    ["_status = 'fair';", "status = 'fair'"],
    )
{
    selects(@$case);
}
restore();

# ---- What is refused ---------------------------------------------------------------------------------

my $long = 'x' x 1500;
foreach my $case (
    ["_status NOT LIKE _version || '$long'", qr/^422 makes a LIKE pattern of more than 1000 bytes/],
    ["NOT _status LIKE _version || '$long'", qr/^422 makes a LIKE pattern of more than 1000 bytes/],
    ["_status NOT LIKE '$long'", qr/^422 line 1, column 18: a pattern must not be longer than 1000 bytes/],
    ["lpad(_status, 2000000) IS NULL", qr/^422 makes a text of more than 1 MiB/],
    ["_created_at AT TIME ZONE 'America/New_York' < now()", qr/^422 line 1, column 26: found 'America\/New_York', but the time zones/],
    ["to_char(_created_at, 'YYYY WAT') = 'x'", qr/^422 line 1, column 29: found "AT", which is no pattern of a time/],
    ["date_trunc('fortnight', _created_at) = now()", qr/^422 line 1, column 12: found "fortnight", expected one of/],
    ["_status = ANY('{good}')", qr/^422 line 1, column 15: .*write = ANY\(ARRAY\['a', 'b'\]\), or IN/],
    ["_status ~ 'g.*'", qr/^422 line 1, column 9: found "~": .*use LIKE/],
    ["_status SIMILAR TO 'g%'", qr/^422 line 1, column 9: found "SIMILAR": .*use LIKE/],
    ['_status = ?', qr/^422 line 1, column 11: found "\?": queries have no parameters/],
    ["_status = 'a'; DELETE FROM records", qr/^422 line 1, column 14: found ";", but a query is one SELECT/],
    ["_status = \x{2018}good\x{2019}", qr/^422 line 1, column 11: found "\x{2018}": a text is quoted by '/],
    ["SELECT TOP 5 _record_id AS id FROM \"Testing App\"", qr/^422 line 1, column 8: found "TOP": write LIMIT 5/],
    ["NVL(_status, 'x') = 'x'", qr/^422 line 1, column 1: .*use coalesce/],
    ["1 = 1 /* open", qr/^422 line 1, column 7: the comment that begins here is never closed/],
    )
{
    my ($query, $words) = @$case;
    (my $name = $query) =~ s/[^ -~]/?/g;
    my $start = table_hash('records');
    like(query_error($query), $words, substr $name, 0, 60);
    is(table_hash('records'), $start, 'and nothing has changed');
}

finish();
