# The same value in any spelling is the same value: times with an offset or a small t and z, numbers
# with a plus sign, zeros or an exponent. It has one spelling before anything is compared, stored or
# looked for, in every format and mode, as the types of the database's columns have it and as texts.
#
# Bound as spelt, 12:00+02:00 is 12:00 in a column of type timestamp, and 7.0 is no duplicate of 7.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

my $is_pgsql = driver() eq 'pgsql';
my ($time, $text, $number) = $is_pgsql ? ('timestamp', 'text', 'numeric') : ('TEXT', 'TEXT', 'REAL');

# Each value in a column of its type and in one of texts; a row is found by its time, or by its number.
sql("CREATE TABLE batchless_spelt (id text PRIMARY KEY, t $time, tz " . ($is_pgsql ? 'timestamptz' : 'TEXT')
        . ", tt $text, n bigint, nt $text, d $number, dt $text, b $text, fixed $text, note $text)",
    "CREATE TABLE batchless_forms (id text PRIMARY KEY, name text, organization_id text)",
    "CREATE TABLE batchless_rows (id text PRIMARY KEY, form_id text, organization_id text, t $time, tt $text, nt $text)");
END { eval { sql(map {"DROP TABLE IF EXISTS batchless_$_"} qw(spelt forms rows)) } }
my @columns = ('BatchTable batchless_spelt', 'BatchKey id generated', 'BatchColumn t timestamp', 'BatchColumn tz timestamp',
    'BatchColumn tt timestamp', 'BatchColumn n integer', 'BatchColumn nt integer', 'BatchColumn d number', 'BatchColumn dt number',
    'BatchColumn b boolean', 'BatchColumn fixed timestamp immutable', 'BatchColumn note text', 'BatchActions merge overwrite delete');
configure(
    (map { ("<BatchResource by_$_>", @columns, "BatchMatch $_", '</BatchResource>') } qw(t tz tt n nt d dt)),
    '<BatchResource by_two>', @columns, 'BatchMatch tt n', '</BatchResource>',
    '<BatchResource plain>', @columns, '</BatchResource>',
    '<BatchResource entry>', 'BatchTable batchless_rows', 'BatchKey id generated', 'BatchScope organization_id', 'BatchForm form_id batchless_forms scope=organization_id name=name',
    'BatchColumn t timestamp', 'BatchColumn tt timestamp', 'BatchColumn nt number', 'BatchActions update delete', '</BatchResource>'
);
expect_log('MB0209'); # no unique index on match
server_stop();
ok(server_start(), 'resources with columns of every type');

my $utc = $is_pgsql ? sub {"to_char($_[0], 'YYYY-MM-DD\"T\"HH24:MI:SS')"} : sub {"substr($_[0], 1, 19)"};
my $zone = $is_pgsql ? "to_char(tz AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')" : 'substr(tz, 1, 19)';

# The rows, in the order of their notes.
sub stored
{
    return map {
        my $row = $_;
        join ' ', map { $_ // '-' } @$row{qw(note utc tz tt n nt d dt)}
    } rows('SELECT note, ' . $utc->('t') . " AS utc, $zone AS tz, tt, n, nt, CAST(d AS text) AS d, dt FROM batchless_spelt ORDER BY note, tt");
}

# ---- What is stored ------------------------------------------------------------------------------

# A time and a number, as they are sent and as they are kept.
my @times = (
    ['2024-01-05T12:00:00+02:00', '2024-01-05T10:00:00', '2024-01-05T10:00:00Z'],
    ['2024-01-05t12:00:00z', '2024-01-05T12:00:00', '2024-01-05T12:00:00Z'],
    ['2024-01-05T12:00:00-00:00', '2024-01-05T12:00:00', '2024-01-05T12:00:00Z'],
    ['2023-12-31T23:30:00-01:00', '2024-01-01T00:30:00', '2024-01-01T00:30:00Z'],
    ['2024-01-05T12:00:00.250Z', '2024-01-05T12:00:00', '2024-01-05T12:00:00.25Z'],
    ['0001-01-01T05:00:00+05:00', '0001-01-01T00:00:00', '0001-01-01T00:00:00Z'],
    ['9999-12-31T18:59:59-05:00', '9999-12-31T23:59:59', '9999-12-31T23:59:59Z'],
);
my @numbers = (['7.0', '7', '1.50', '1.5'], ['1e2', '100', '1e2', '100'], ['-0', '0', '-0', '0'], ['7', '7', '150e-2', '1.5'],
    ['70E-1', '7', '1.5', '1.5'], ['5', '5', '0.10', '0.1'], ['6', '6', '2.0', '2']);

sub item
{
    my ($i, %more) = @_;
    my ($t, $n, $d) = ($times[$i][0], $numbers[$i][0], $numbers[$i][2]);
    return qq({"note":"$i","t":"$t","tz":"$t","tt":"$t","n":$n,"nt":$n,"d":$d,"dt":$d});
}

sub kept
{
    my ($i) = @_;
    my $d = !$is_pgsql && $numbers[$i][3] !~ /\./ ? "$numbers[$i][3].0" : $numbers[$i][3];
    my $dt = $is_pgsql ? $numbers[$i][3] : $d;
    return "$i $times[$i][1] $times[$i][1] $times[$i][2] $numbers[$i][1] $numbers[$i][1] $d $dt";
}
my %body = (
    'application/json' => '[' . join(',', map { item($_) } 0 .. $#times) . ']',
    'application/x-ndjson' => join("\n", map { item($_) } 0 .. $#times),
    'text/csv' => "note,t,tz,tt,n,nt,d,dt\n" . join '', map {"$_,$times[$_][0],$times[$_][0],$times[$_][0],$numbers[$_][0],$numbers[$_][0],$numbers[$_][2],$numbers[$_][2]\n"} 0 .. $#times
);
my @kept = map { kept($_) } 0 .. $#times;
foreach my $type (sort keys %body) {
    foreach my $mode (qw(mixed sync)) {
        sql('DELETE FROM batchless_spelt');
        my $answer = request('POST', "/batches?action=merge&resource=plain&mode=$mode", body => $body{$type}, type => $type);
        is_result(resource_final($answer->json->{data}), 'completed', {created => scalar @times}, "$type, $mode") or diag($answer->body);
        is_deeply([stored()], \@kept, "$type, $mode: what is stored");
    }
}
# By a signed upload, as a default of the request, and by an update.
sql('DELETE FROM batchless_spelt');
my $batch = requested(merge('plain', []));
upload($batch, body => $body{'text/csv'}, type => 'text/csv');
is_result(resource_final($batch), 'completed', {created => scalar @times}, 'an upload');
is_deeply([stored()], \@kept, 'an upload: what is stored');
foreach my $mode (qw(mixed sync)) {
    sql('DELETE FROM batchless_spelt');
    my $answer = request('POST', '/batches', type => 'application/json', body => qq({"action":"merge","resource":"plain","mode":"$mode",)
            . '"properties":{"t":"2024-01-05T12:00:00+02:00","tt":"2024-01-05T12:00:00+02:00","nt":1e2,"dt":1.50},"data":[{"note":"p"}]}');
    is_result(resource_final($answer->json->{data}), 'completed', {created => 1}, "properties, $mode");
    my ($row) = rows('SELECT ' . $utc->('t') . ' AS utc, tt, nt, dt FROM batchless_spelt');
    is("@$row{qw(utc tt nt dt)}", '2024-01-05T10:00:00 2024-01-05T10:00:00Z 100 1.5', "properties, $mode: what is stored");
    sql("INSERT INTO batchless_spelt (id, note) VALUES ('u', 'u')");
    $answer = request('POST', '/batches', type => 'application/json',
        body => qq({"action":"merge","resource":"plain","mode":"$mode","data":[{"id":"u","t":"2024-01-05T12:00:00+02:00","tt":"2024-01-05t12:00:00z","nt":-0}]}));
    is_result(resource_final($answer->json->{data}), 'completed', {updated => 1}, "an update, $mode");
    ($row) = rows('SELECT ' . $utc->('t') . " AS utc, tt, nt FROM batchless_spelt WHERE id = 'u'");
    is("@$row{qw(utc tt nt)}", '2024-01-05T10:00:00 2024-01-05T12:00:00Z 0', "an update, $mode: what is stored");
}

# ---- What is compared ------------------------------------------------------------------------------

my @same_times = ('2024-01-05T10:00:00Z', '2024-01-05T12:00:00+02:00', '2024-01-05t10:00:00.000z', '2024-01-04T22:00:00-12:00', '2024-01-05T10:00:00-00:00');
my @same_numbers = ('700', '7e2', '700.0', '70000e-2', '0.7e3');
my %same = (t => [map {"\"$_\""} @same_times], tz => [map {"\"$_\""} @same_times], tt => [map {"\"$_\""} @same_times],
    map { $_ => \@same_numbers } qw(n nt d dt));
foreach my $column (sort keys %same) {
    my @spelt = @{$same{$column}};
    foreach my $mode (qw(mixed sync)) {
        # Duplicates.
        foreach my $handling (qw(use_first use_last ignore_all)) {
            sql('DELETE FROM batchless_spelt');
            my $answer = request('POST', "/batches?action=merge&resource=by_$column&mode=$mode&duplicate_handling=$handling", type => 'application/x-ndjson',
                body => join "\n", map {"{\"$column\":$spelt[$_],\"note\":\"$_\"}"} 0 .. $#spelt);
            my $batch = resource_final($answer->json->{data});
            my $all = $handling eq 'ignore_all';
            is_result($batch, $all ? 'failed' : 'completed', {$all ? () : (created => 1), duplicates => @spelt - !$all},
                "$column, $mode, $handling: all are the same");
            is(join(' ', map { $_->{note} } rows('SELECT note FROM batchless_spelt')), $all ? '' : $handling eq 'use_last' ? $#spelt : 0,
                "$column, $mode, $handling: and one row is there");
        }
        # A row is found by any of them.
        sql('DELETE FROM batchless_spelt');
        foreach my $i (0 .. $#spelt) {
            my $answer = request('POST', '/batches', type => 'application/json',
                body => qq({"action":"merge","resource":"by_$column","mode":"$mode","data":[{"$column":$spelt[$i],"note":"$i"}]}));
            is_result(resource_final($answer->json->{data}), 'completed', {($i ? 'updated' : 'created') => 1}, "$column, $mode: found by $spelt[$i]");
        }
        # The cleanup of an overwrite keeps it, also by a default, and by an item that is dropped.
        my $answer = request('POST', '/batches', type => 'application/json',
            body => qq({"action":"overwrite","resource":"by_$column","mode":"$mode","properties":{"$column":$spelt[2]},"data":[{"note":"kept"}]}));
        is_result(resource_final($answer->json->{data}), 'completed', {updated => 1}, "$column, $mode: an overwrite finds it by $spelt[2]");
        $answer = request('POST', '/batches', type => 'application/json', body => qq({"action":"overwrite","resource":"by_$column","mode":"$mode","atomic":false,)
                . qq("data":[{"$column":$spelt[3],"fax":1},{"note":"new","$column":null}]}));
        resource_final($answer->json->{data});
        is(join(' ', map { $_->{note} } rows('SELECT note FROM batchless_spelt ORDER BY note')), 'kept new', "$column, $mode: a dropped item names it by $spelt[3]")
            or diag($answer->body);
    }
}

# Two values, and items without match values by their content, by CSV.
sql('DELETE FROM batchless_spelt');
my $answer = request('POST', '/batches?action=merge&resource=by_two&mode=sync', type => 'text/csv',
    body => "tt,n,note\n2024-01-05T12:00:00+02:00,+007,a\n2024-01-05T10:00:00Z,7.0,b\n2024-01-05T10:00:00Z,8,c\n");
is_result($answer->json->{data}, 'completed', {created => 2, duplicates => 1}, 'two match values') or diag($answer->body);
$answer = request('POST', '/batches?action=merge&resource=plain&mode=sync', type => 'text/csv',
    body => "tt,n,b\n2024-01-05T12:00:00+02:00,+007,TRUE\n2024-01-05T10:00:00Z,7.0,1\n2024-01-05T10:00:00Z,7,true\n2024-01-05T10:00:00Z,7,0\n");
is_result($answer->json->{data}, 'completed', {created => 2, duplicates => 2}, 'the same content') or diag($answer->body);

# A column that never changes may be named with the value that it has, in any spelling; an id may be a number.
sql('DELETE FROM batchless_spelt', "INSERT INTO batchless_spelt (id, note, fixed) VALUES ('7', 'a', '2024-01-05T10:00:00Z')");
$answer = request('POST', '/batches', type => 'application/json',
    body => '{"action":"merge","resource":"plain","mode":"sync","data":[{"id":7.0,"fixed":"2024-01-05T12:00:00+02:00","note":"same"},{"id":"7","note":"twice"}]}');
is_result($answer->json->{data}, 'completed', {updated => 1, duplicates => 1}, 'an immutable time in another spelling, and an id as a number')
    or diag($answer->body);

# ---- The records API -------------------------------------------------------------------------------

sql("INSERT INTO batchless_forms VALUES ('f', 'Form', 'acme')", "INSERT INTO batchless_rows (id, form_id, organization_id) VALUES ('r', 'f', 'acme')");
$answer = request('POST', '/batch', type => 'application/json', body => '{"batch":{"operations":[{"action":"update","resource":"entry","form_id":"f","ids":["r"],'
        . '"data":{"t":"2024-01-05T12:00:00+02:00","tt":"2024-01-05t12:00:00+02:00","nt":1.50}}]}}');
finished($answer->json->{batch});
my ($row) = rows('SELECT ' . $utc->('t') . ' AS utc, tt, nt FROM batchless_rows');
is(join(' ', map { $_ // '-' } @$row{qw(utc tt nt)}), '2024-01-05T10:00:00 2024-01-05T10:00:00Z 1.5', 'an update of the records API') or diag($answer->body);
is_unprocessable(
    request('POST', '/batch', type => 'application/json', body => '{"batch":{"operations":[{"action":"update","resource":"entry","form_id":"f","ids":["r"],'
            . '"data":{"t":"2024-01-05T12:00:00+0200"}}]}}'),
    ['operations[0].data.t'],
    'and what is no time'
);

# ---- What the database's own type cannot hold ------------------------------------------------------

# SQLite has no such types. The declared ones are wider, so it is the database that says no.
if ($is_pgsql) {
    sql('ALTER TABLE batchless_spelt ALTER n TYPE smallint, ALTER d TYPE numeric(4,2), ALTER note TYPE varchar(5)',
        'ALTER TABLE batchless_rows ALTER nt TYPE smallint USING 1');
    foreach my $mode (qw(mixed sync)) {
        sql('DELETE FROM batchless_spelt', "INSERT INTO batchless_spelt (id, note) VALUES ('u', 'u')");
        $answer = request('POST', '/batches', type => 'application/json', body => qq({"action":"merge","resource":"plain","mode":"$mode","atomic":false,"data":)
                . '[{"note":"a","n":40000},{"note":"b","d":123.4},{"note":"longer"},{"id":"u","n":40000},{"id":"u2","n":1},{"note":"good","n":1,"d":1.5}]}');
        $batch = resource_final($answer->json->{data});
        is_result($batch, 'completed', {created => 1, errors => 5}, "$mode: values that the columns cannot hold");
        is_deeply([map { $_->{code} } stored_errors($batch)], [qw(out_of_range out_of_range too_long out_of_range not_found)], "$mode: their codes");
    }
    $answer = request('POST', '/batch', type => 'application/json',
        body => '{"batch":{"operations":[{"action":"update","resource":"entry","form_id":"f","ids":["r"],"data":{"nt":40000}}]}}');
    finished($answer->json->{batch});
    is(value('SELECT code FROM batch_errors WHERE job = (SELECT max(seq) FROM batch_jobs)'), 'out_of_range', 'and in the records API');
}

# ---- Messages, and what is kept for the error file -----------------------------------------------

my @wrong = (
    ['2024-01-05T12:00:00', qr/has no time zone.*send 2024-01-05T12:00:00Z/], ['2024-01-05T12:00:00+0000', qr/send 2024-01-05T12:00:00\+00:00/],
    ['2024-01-05T12:00:00+00', qr/send 2024-01-05T12:00:00\+00:00/], ['2024-01-05 12:00:00Z', qr/a T stands.*send 2024-01-05T12:00:00Z/],
    ['2016-12-31T23:59:60Z', qr/leap second/], ['2024-01-05', qr/without a time/], ['2024-02-30T00:00:00Z', qr/no such day/]
);
$answer = request('POST', '/batches?action=merge&resource=plain&mode=sync', type => 'text/csv', body => "note,t\n" . join '', map {"x,$_->[0]\n"} @wrong);
my @messages = map { $_->{message} } @{$answer->json->{errors}};
like($messages[$_] // '', $wrong[$_][1], "$wrong[$_][0]: the message says what to send") for 0 .. $#wrong;
$answer = request('POST', '/batches?action=merge&resource=by_tt', type => 'text/csv',
    body => "tt,n,note\n2024-01-05T12:00:00+02:00,007,a\n2024-01-05T10:00:00Z,x,b\n2024-01-05T11:00:00+01:00,7.0,c\n2024-01-06T11:00:00+01:00,y,d\n");
$batch = resource_final($answer->json->{data});
my @errors = stored_errors($batch);
is_deeply([map { $_->{original} } @errors[1, 2]],
    ['{"tt":"2024-01-05T11:00:00+01:00","n":7.0,"note":"c"}', '{"tt":"2024-01-06T11:00:00+01:00","n":"y","note":"d"}'],
    'items in the errors are spelt as they were sent') or diag(explain(\@errors));
$answer = request('POST', '/batches?action=merge&resource=contact&mode=sync', type => 'text/csv', body => "email,name\nx,M\xfcller\n");
like($answer->json->{errors}[0]{message}, qr/byte 0xFC.*byte 2 of the cell in column 2/, 'a byte that is not UTF-8 is named, with its place');

unconfigure();
server_stop();
sql(map {"DROP TABLE batchless_$_"} qw(spelt forms rows));
ok(server_start(), 'as before');

finish();
