# Columns of the usual types (resources_exact.t has uuid and decimal), in a table of an administrator's with the database's own types: the same values from JSON, NDJSON and CSV,
# in the rows and in the files; what is wrong for each type. The table has no column for the organization, so its rows are everybody's.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $is_pgsql = driver() eq 'pgsql';

sub columns
{
    return join ', ', map { join ' ', map { $_ // '-' } @$_{qw(name type required)} } rows(
        $is_pgsql
        ? 'SELECT column_name AS name, data_type AS type, is_nullable AS required FROM information_schema.columns'
            . " WHERE table_name = 'batchless_types' ORDER BY ordinal_position"
        : "SELECT name, type, \"notnull\" AS required FROM pragma_table_info('batchless_types')"
    );
}

sql(
    $is_pgsql
    ? 'CREATE TABLE batchless_types (id uuid PRIMARY KEY, code varchar(20) UNIQUE, label text, count bigint, size double precision,'
        . ' ok boolean, at timestamptz, day date, extra jsonb, made timestamptz, changed timestamptz)'
    : 'CREATE TABLE batchless_types (id TEXT PRIMARY KEY, code TEXT UNIQUE, label TEXT, count INTEGER, size REAL,'
        . ' ok INTEGER, at TEXT, day TEXT, extra TEXT, made TEXT, changed TEXT)'
);
END { eval { sql('DROP TABLE IF EXISTS batchless_types') } }
my $columns = columns();
configure(
    '<BatchResource typed>', 'BatchTable batchless_types', 'BatchKey id generated', 'BatchMatch code',
    'BatchColumn code text required max=20', 'BatchColumn label text enum=one,two', 'BatchColumn count integer min=-5',
    'BatchColumn size number min=-1.5', 'BatchColumn ok boolean', 'BatchColumn at timestamp', 'BatchColumn day date',
    'BatchColumn extra json', 'BatchStamp made changed', 'BatchActions merge overwrite delete', '</BatchResource>'
);
server_stop();
ok(server_start(), 'a resource with columns of every type');

# What a row has, as both databases can say it.
sub row
{
    my ($code) = @_;
    my ($moment, $day) = $is_pgsql
        ? (q{to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS')}, "to_char(day, 'YYYY-MM-DD')")
        : (q{strftime('%Y-%m-%dT%H:%M:%f', at)}, 'day');
    my ($row) = rows("SELECT label, count, size, CASE WHEN ok THEN 'true' WHEN NOT ok THEN 'false' END AS ok, $moment AS at, $day AS day,"
            . " CAST(extra AS text) AS extra FROM batchless_types WHERE code = '$code'");
    return unless $row;
    my $extra = $row->{extra};
    utf8::encode($extra) if defined $extra;
    return join ' ', map { $_ // '-' } @$row{qw(label count)}, defined $row->{size} ? $row->{size} + 0 : undef, @$row{qw(ok at day)},
        defined $extra ? $json->encode($json->decode($extra)) : undef;
}

# ---- The same values in every format -------------------------------------------------------------

# Values as JSON, as CSV, and what a row has of them.
my @values = (
    [
        '"label":"one","count":9007199254740993,"size":0.1,"ok":true,"at":"2023-10-06T04:56:34.5+02:00","day":"2024-02-29",'
            . '"extra":{"b":[1,{"c":null}],"a":"\u00e9"}',
        'one,9007199254740993,0.1,TRUE,2023-10-06T04:56:34.5+02:00,2024-02-29,"{""b"":[1,{""c"":null}],""a"":""\u00e9""}"',
        'one 9007199254740993 0.1 true 2023-10-06T02:56:34.500 2024-02-29 {"a":"' . "\xc3\xa9" . '","b":[1,{"c":null}]}'
    ],
    [
        '"label":"two","count":-5,"size":-1.5,"ok":false,"at":"1969-12-31T23:59:59Z","day":"1970-01-01","extra":[]',
        'two,-5,-1.5,0,1969-12-31T23:59:59Z,1970-01-01,[]',
        'two -5 -1.5 false 1969-12-31T23:59:59.000 1970-01-01 []'
    ],
    [
        '"count":0,"size":12,"ok":true,"extra":"text"',
        ',+0,012,1,,,"""text"""',
        '- 0 12 true - - "text"'
    ],
    ['"extra":12.5,"size":1e-3', ',,1e-3,,,,12.5', '- - 0.001 - - - 12.5'],
    ['"extra":false', ',,,,,,false', '- - - - - - false'],
    ['"label":null,"count":null,"size":null,"ok":null,"at":null,"day":null,"extra":null', '#N/A,#N/A,#N/A,#N/A,#N/A,#N/A,#N/A', '- - - - - - -'],
    ['"label":"one"', 'one,,,,,,', 'one - - - - - -']
);

# A body of each format, with codes that begin with its letter.
sub body_of
{
    my ($format, $letter) = @_;
    my $header = "code,label,count,size,ok,at,day,extra\n";
    return $header . join '', map {"$letter$_,$values[$_][1]\n"} 0 .. $#values if $format eq 'csv';
    my @items = map { qq({"code":"$letter$_",$values[$_][0]}) } 0 .. $#values;
    return $format eq 'ndjson' ? join "\n", @items : '[' . join(',', @items) . ']';
}

my %type = (csv => 'text/csv', ndjson => 'application/x-ndjson', array => 'application/json');
foreach my $mode (qw(mixed sync)) {
    foreach my $format (sort keys %type) {
        my $letter = substr($mode, 0, 1) . substr $format, 0, 1;
        foreach my $time ('created', 'updated') {
            my $name = "$mode, $format, $time";
            my $answer = request('POST', "/batches?action=merge&resource=typed&mode=$mode", body => body_of($format, $letter), type => $type{$format});
            my $batch = $answer->json->{data} ? resource_final($answer->json->{data}) : {};
            is_result($batch, 'completed', {$time => scalar @values}, $name) or diag($answer->body);
            is(row("$letter$_"), $values[$_][2], "$name: the row of $values[$_][0]") for 0 .. $#values;
            # What is to be changed by the second time, and set by it.
            sql("UPDATE batchless_types SET label = 'two', count = 7, size = 7, extra = '7' WHERE code = '${letter}5'")
                if $time eq 'created';
            next if $time eq 'created' || $mode eq 'sync';
            my $upload = file_of($batch, 'upload_json')->body;
            my $sent = $json->decode(body_of('array', $letter));
            is($json->encode($json->decode($upload)->[$_]), $json->encode($sent->[$_]), "$name: the upload has it")
                for grep { !/^0$/ } 0 .. $#values;
        }
    }
}

# ---- What is wrong -------------------------------------------------------------------------------

my $all = value('SELECT count(*) FROM batchless_types');
# The column, the value as JSON, as a cell, and the code.
my @wrong = (
    ['label', '"three"', 'three', 'not_allowed'], ['label', '"One"', 'One', 'not_allowed'], ['label', '1', undef, 'wrong_type'],
    ['count', '-6', '-6', 'out_of_range'], ['count', '1.5', '1.5', 'wrong_type'], ['count', '"1"', 'x', 'wrong_type'],
    ['count', '9223372036854775808', '9223372036854775808', 'out_of_range'], ['count', '1e400', '1e400', 'out_of_range'],
    ['size', '-1.6', '-1.6', 'out_of_range'], ['size', '1e999', '1e999', 'out_of_range'], ['size', '1e-999', '1e-999', 'out_of_range'],
    ['size', '"1"', '1;2', 'wrong_type'], ['ok', '1', '2', 'wrong_type'], ['ok', '"true"', 'yes', 'wrong_type'],
    ['at', '"2023-10-06"', '2023-10-06', 'malformed'], ['at', '"2023-10-06T02:56:34"', '2023-10-06T02:56:34', 'malformed'],
    ['at', '"2023-10-06 02:56:34Z"', '2023-10-06 02:56:34Z', 'malformed'], ['at', '"2016-12-31T23:59:60Z"', '2016-12-31T23:59:60Z', 'malformed'],
    ['at', '"0001-01-01T00:00:00+01:00"', '0001-01-01T00:00:00+01:00', 'malformed'],
    ['at', '"9999-12-31T23:59:59-01:00"', '9999-12-31T23:59:59-01:00', 'malformed'], ['at', '""', 'x', 'malformed'],
    ['at', '1698000000', '1698000000', undef], ['day', '"2023-02-29"', '2023-02-29', 'malformed'], ['day', '"0000-01-01"', '0000-01-01', 'malformed'],
    ['day', '"2023-10-06T00:00:00Z"', '2023-10-06T00:00:00Z', 'malformed'], ['day', '20231006', '20231006', undef],
    ['code', '"' . 'x' x 21 . '"', 'x' x 21, 'too_long'], ['extra', undef, '{"a"', 'wrong_type'], ['extra', undef, 'text', 'wrong_type']
);
my @items = map { $_->[0] eq 'code' ? qq({"code":$_->[1]}) : qq({"code":"w","$_->[0]":$_->[1]}) } grep { defined $_->[1] } @wrong;
my $n = 0;
$_ =~ s/"code":"w"/'"code":"w' . $n++ . '"'/e for @items;
my $batch = resource_final(request('POST', '/batches?action=merge&resource=typed', body => '[' . join(',', @items) . ']', type => 'application/json')->json->{data});
my @json = grep { defined $_->[1] } @wrong;
is_result($batch, 'failed', {errors => scalar @items}, 'JSON: values that are wrong');
is_item_errors([stored_errors($batch)], [map { [$_, $json[$_][0], $json[$_][3] // 'wrong_type'] } 0 .. $#json], 'JSON: each names its column, and its kind');
my @cells = grep { defined $_->[2] } @wrong;
my $csv = "code,label,count,size,ok,at,day,extra\n";
foreach my $i (0 .. $#cells) {
    my ($field, undef, $cell) = @{$cells[$i]};
    $csv .= join(',', map { $_ eq $field ? '"' . $cell =~ s/"/""/gr . '"' : $_ eq 'code' ? "w$i" : '' } qw(code label count size ok at day extra)) . "\n";
}
$batch = resource_final(request('POST', '/batches?action=merge&resource=typed', body => $csv, type => 'text/csv')->json->{data});
is_result($batch, 'failed', {errors => scalar @cells}, 'CSV: cells that are wrong');
is_item_errors([stored_errors($batch)], [map { [$_, $cells[$_][0], $cells[$_][3] // 'malformed'] } 0 .. $#cells], 'CSV: each names its column, and its kind');
is(value('SELECT count(*) FROM batchless_types'), $all, 'no row of them is there');

# ---- Everybody's rows ----------------------------------------------------------------------------

is_result(run_batch(merge('typed', [{code => 'ma0', label => 'two'}, {code => 'carol'}]), as => 'carol'), 'completed',
    {created => 1, updated => 1}, 'without a scope another organization finds the row');
like(row('ma0'), qr/^two 9007199254740993 /, 'and changes what it says, and no more');
my ($row) = rows("SELECT id FROM batchless_types WHERE code = 'carol'");
is_result(run_batch(removal('typed', [{id => $row->{id}}])), 'completed', {deleted => 1}, 'and the other way round');
is_result(run_batch(overwrite('typed', [{code => 'ma0'}, {code => 'last'}]), as => 'carol'), 'completed',
    {created => 1, updated => 1, overwritten => $all - 1}, 'an overwrite is of all rows');
is(join(' ', map { $_->{code} } rows('SELECT code FROM batchless_types ORDER BY code')), 'last ma0', 'what it named is there');
is(request('GET', "/batches/$batch->{id}", as => 'carol')->status, 404, 'but a batch is seen by its organization only');

is(columns(), $columns, 'the table has the columns that it had');

unconfigure();
server_stop();
sql('DROP TABLE batchless_types');
ok(server_start(), 'as before');

finish();
