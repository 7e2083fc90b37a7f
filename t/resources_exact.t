# Columns of the types uuid and decimal, in columns of the database's own types and in columns of text: no digit is lost, and each
# value has one spelling, whatever way it comes in: JSON, NDJSON, CSV, properties, data of the records API, query, match, duplicates,
# files. Columns that would lose digits are out of service.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

my $is_pgsql = driver() eq 'pgsql';

# The columns of the tables: whatever a UUID and exact numbers can be kept in.
my %types = (text => ['TEXT', 'TEXT', 'TEXT'], ($is_pgsql ? (exact => ['uuid', 'numeric(40,4)', 'numeric'], short => ['varchar(36)', 'varchar(45)', 'varchar(200)']) : ()));
my @kinds = sort keys %types;

foreach my $kind (@kinds) {
    my ($uuid, $price, $total) = @{$types{$kind}};
    sql("CREATE TABLE batchless_$kind (id varchar(40) PRIMARY KEY, organization_id text, sheet text, code varchar(20), part $uuid, price $price, total $total, fixed $total, mark $uuid)");
}
sql(
    'CREATE TABLE batchless_wrong (id varchar(40) PRIMARY KEY, code varchar(20), approximate ' . ($is_pgsql ? 'double precision' : 'REAL')
        . ', rounded ' . ($is_pgsql ? 'numeric(10,2)' : 'DECIMAL(10,2)') . ', short varchar(20))',
    'CREATE TABLE batchless_sheets (id varchar(40) PRIMARY KEY, organization_id text, name text)',
    "INSERT INTO batchless_sheets VALUES ('s1', 'acme', 'Prices')"
);
END { eval { sql("DROP TABLE IF EXISTS batchless_$_") } for 'wrong', 'sheets', keys %types }

my @columns = ('BatchColumn part uuid', 'BatchColumn price decimal precision=40 scale=4 min=-1e30', 'BatchColumn total decimal');
sub sections
{
    my ($kind) = @_;
    return (
        "<BatchResource $kind>", "BatchTable batchless_$kind", 'BatchKey id generated', 'BatchScope organization_id', 'BatchMatch code', 'BatchColumn code text',
        @columns, 'BatchColumn fixed decimal immutable', 'BatchColumn mark uuid immutable', 'BatchActions merge overwrite', '</BatchResource>',
        "<BatchResource by_$kind>", "BatchTable batchless_$kind", 'BatchKey id generated', 'BatchScope organization_id', 'BatchMatch part total',
        'BatchColumn code text', @columns, 'BatchActions merge', '</BatchResource>',
        "<BatchResource of_$kind>", "BatchTable batchless_$kind", 'BatchKey id generated', 'BatchScope organization_id',
        'BatchForm sheet batchless_sheets scope=organization_id name=name', 'BatchColumn code text', @columns, 'BatchActions update', '</BatchResource>'
    );
}
configure(map { sections($_) } @kinds);
expect_log('MB0209'); # no unique index on match
server_stop();
ok(server_start(), 'resources with columns of exact types');

sub row
{
    my ($kind, $code) = @_;
    my ($row) = rows("SELECT CAST(part AS text) AS part, CAST(price AS text) AS price, CAST(total AS text) AS total FROM batchless_$kind WHERE code = '$code'");
    return $row ? join ' ', map { $_ // '-' } @$row{qw(part price total)} : undef;
}

# A JSON text as it is: what Perl makes of its numbers must not come between.
sub posted
{
    my ($body, $where, $type) = @_;
    my $answer = request('POST', '/batches' . ($where // ''), body => $body, type => $type // 'application/json');
    my $data = $answer->json->{data};
    return $data ? resource_final($data) : diag($answer->body) && {};
}

# ---- Queries -------------------------------------------------------------------------------------

my $part = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
my $mark = '00000000-0000-4000-8000-00000000000f';

# The codes of the rows that a query selects, or what is wrong with it.
sub selected
{
    my ($kind, $query) = @_;
    sql("UPDATE batchless_$kind SET part = NULL WHERE part = '$mark'");
    my $answer = post_batch(operation(action => 'update', resource => "of_$kind", form_id => 's1', data => {part => $mark}, query => $query));
    return $answer->json->{batch}{errors}{'operations[0].query'}[0] if $answer->status != 202;
    finished($answer->json->{batch});
    return join ' ', map { $_->{code} } rows("SELECT code FROM batchless_$kind WHERE part = '$mark' ORDER BY code");
}

my $near = '12345678901234567890.12345678';
my @queries = (
    ['_total = 0.1', 'r1'], ['_total = 0.10', 'r1'], ["_total = '1e-1'", 'r1'], ['_total <> 0.1', 'r2 r3'], ['_total > 0.1', 'r2 r3'],
    ["_total = ${near}91", 'r2'], ["_total < ${near}91", 'r1 r3'], ["_total = '${near}900'", 'r3'], ["_total >= ${near}9", 'r2 r3'],
    ["_total IN (0.10, '${near}9')", 'r1 r3'], ["_total NOT IN (0.10, '${near}9')", 'r2'], ["_total BETWEEN 1 AND ${near}9", 'r3'],
    ['_price > -4', 'r1 r2'], ['_price < 0', 'r2'], ['_price > -3.26 AND _price < -3.24', 'r2'], ['_price < -3.2', 'r2'], ['_price < -3.3', ''],
    ['NOT _price > 0', 'r2'], ['_price IS NULL', 'r3'], ['_price < _total', 'r2'], ['_price IS DISTINCT FROM 12.5', 'r2 r3'],
    ["CAST(_total AS text) = '0.1'", 'r1'], ["'p' || _price = 'p12.5'", 'r1'], ['CAST(_price AS numeric) * 2 = 25', 'r1'], ['_price = 25 / 2.0', 'r1'],
    ['CASE WHEN _price > 0 THEN _price ELSE 7 END = 7', 'r2 r3'], ['coalesce(_price, 0) = 0', 'r3'], ['greatest(_price, 13) = 13', 'r1 r2 r3'],
    ['_price = 12345', ''], ["_total > -${near}", 'r1 r2 r3'], ["-${near}91 < _price", 'r1 r2'], ['-(-0.1) = _total', 'r1'], ['_total = .1', 'r1'], ["_total = '.1'", 'r1'], ['_price < 1.', 'r2'],
    ['SELECT a._record_id AS id FROM Prices a WHERE a._total = (SELECT max(b._total) FROM Prices b)', 'r2'],
    ['SELECT a._record_id AS id FROM Prices a WHERE a._total = (SELECT min(b._total) FROM Prices b)', 'r1'],
    ['SELECT _record_id AS id FROM Prices ORDER BY _total DESC LIMIT 1', 'r2'], ['SELECT _record_id AS id FROM Prices ORDER BY _price LIMIT 1', 'r2'],
    ['SELECT a._record_id AS id FROM Prices a JOIN Prices b ON a._total > b._total GROUP BY a._record_id', 'r2 r3'],
    ['SELECT _record_id AS id FROM Prices WHERE _price IN (SELECT b._price FROM Prices b WHERE b._price > 0)', 'r1'],
    ["SELECT a._record_id AS id FROM Prices a LEFT JOIN Prices b ON a._price = b._price WHERE a._total < ${near}91 AND 1 = (SELECT 1)", 'r1 r3'],
    ['SELECT _record_id AS id FROM Prices GROUP BY _record_id, _total HAVING count(DISTINCT _total) = 1 AND max(_total) < 1', 'r1'],
    ['SELECT _record_id AS id FROM Prices WHERE _price IN (SELECT 12.5 UNION SELECT 7)', qr/this is of type number, but a decimal is compared/],
    ['SELECT _record_id AS id FROM Prices WHERE _price IN (SELECT b._price FROM Prices b UNION ALL SELECT 7) AND _price > 0', 'r1'],
    ['SELECT _record_id AS id FROM Prices WHERE -3.25 IN (SELECT b._price FROM Prices b) AND _total = 0.1', 'r1'],
    ['SELECT _record_id AS id FROM Prices WHERE length(_code) IN (SELECT b._price FROM Prices b)', ''],
    ['SELECT a._record_id AS id FROM Prices a JOIN Prices b USING (_price) WHERE a._total > 1', 'r2'],
    ['SELECT _record_id AS id FROM (SELECT _record_id, row_number() OVER (ORDER BY _total DESC) AS place FROM Prices) t WHERE place = 1', 'r2'],
    ['SELECT _record_id AS id FROM (SELECT _record_id, lag(_total, 1, 0) OVER (ORDER BY _total) AS before FROM Prices) t WHERE before = 0', 'r1'],
    ["_part = '$part'", 'r2'], ["_part = 'x'", ''],
    ['_total = 1 - 0.9', qr/number of more than 15 digits, which is not exact: beside a decimal say it in quotes/],
    ['_price + 1 > 0', qr/this is of type decimal, expected number: CAST/], ['abs(_price) > 0', qr/of type decimal, expected number/],
    ['_price > CAST(_total AS numeric)', qr/this is of type number, but a decimal is compared with constants/],
    ['_price LIKE \'1%\'', qr/of type decimal, expected text/], ["_price = 'many'", qr/found 'many', expected a decimal in it/],
    ['SELECT a._record_id AS id FROM Prices a WHERE 1 = (SELECT sum(b._price) FROM Prices b)', qr/of type decimal, expected number/]
);

sub query_all
{
    my ($kind) = @_;
    sql(
        "UPDATE batchless_$kind SET part = NULL, price = CASE code WHEN 'r1' THEN '12.5000' WHEN 'r2' THEN '-3.2500' END" . ($is_pgsql ? '::numeric' : '')
            . ", total = CASE code WHEN 'r1' THEN '0.1' WHEN 'r2' THEN '${near}91' ELSE '${near}90' END" . ($is_pgsql ? '::numeric' : '') . " WHERE sheet = 's1'"
    );
    foreach my $case (@queries) {
        my ($query, $wanted) = @$case;
        sql("UPDATE batchless_$kind SET part = '$part' WHERE code = 'r2'") if $query =~ /_part/;
        my $got = selected($kind, $query);
        ref $wanted ? like($got, $wanted, "$kind: $query") : is($got, $wanted, "$kind: $query");
    }
    return;
}

# ---- The same values in every format -------------------------------------------------------------

my $long = '123456789012345678901234567890123456';
my $total = '98765432109876543210987654321.123456789123456789123456789';
# Values as JSON, as CSV, and what a row has of them.
my @values = (
    ['"part":"6BA7B810-9DAD-11D1-80B4-00C04FD430C8","price":12.5,"total":1e2', '6BA7B810-9DAD-11D1-80B4-00C04FD430C8,12.5,1e2', "$part 12.5000 100"],
    ['"part":"{6ba7b8109dad11d180b400c04fd430c8}","price":"12.50","total":"+007.10"', '{6ba7b8109dad11d180b400c04fd430c8},12.50,+007.10', "$part 12.5000 7.1"],
    [qq("price":$long.1230000,"total":$total), ",$long.1230000,$total", "- $long.1230 $total"],
    [qq("price":"-0.0001","total":"-$total"), ",-0.0001,-$total", "- -0.0001 -$total"],
    ['"part":null,"price":-0.0,"total":0e5', '#N/A,-0.0,0e5', '- 0.0000 0'],
    ['"price":9007199254740993,"total":0.1000000000000000055511151231257827', ',9007199254740993,0.1000000000000000055511151231257827',
        '- 9007199254740993.0000 0.1000000000000000055511151231257827'],
    ['"price":null,"total":1e-30', ',#N/A,1e-30', '- - 0.000000000000000000000000000001']
);

sub body_of
{
    my ($format, $letter) = @_;
    return "code,part,price,total\n" . join '', map {"$letter$_,$values[$_][1]\n"} 0 .. $#values if $format eq 'csv';
    my @items = map { qq({"code":"$letter$_",$values[$_][0]}) } 0 .. $#values;
    return $format eq 'ndjson' ? join "\n", @items : '[' . join(',', @items) . ']';
}

my %type = (csv => 'text/csv', ndjson => 'application/x-ndjson', array => 'application/json');
foreach my $kind (@kinds) {
    foreach my $mode (qw(mixed sync)) {
        foreach my $format (sort keys %type) {
            my $letter = substr($mode, 0, 1) . substr $format, 0, 1;
            foreach my $time (qw(created updated)) {
                my $batch = posted(body_of($format, $letter), "?action=merge&resource=$kind&mode=$mode", $type{$format});
                is_result($batch, 'completed', {$time => scalar @values}, "$kind, $mode, $format: $time");
                is(row($kind, "$letter$_"), $values[$_][2], "$kind, $mode, $format, $time: $values[$_][1]") for 0 .. $#values;
                next if $mode eq 'sync' || $time eq 'updated';
                my $upload = file_of($batch, 'upload_json')->body;
                like($upload, qr/"price":\s*"\Q$long\E\.1230","total":\s*"\Q$total\E"/, "$kind, $format: the upload has them as texts, digit by digit");
                like(file_of($batch, 'upload_csv')->body, qr/,\Q$long\E\.1230,\Q$total\E,*\r?\n/, "$kind, $format: so has the CSV file");
            }
        }
    }

    # ---- Properties, duplicates, match -----------------------------------------------------------

    my $batch = posted(qq({"action":"merge","resource":"$kind","data":[{"code":"properties"}],"properties":{"price":$long.5,"total":$total,"part":"6BA7B8109DAD11D180B400C04FD430C8"}}));
    is_result($batch, 'completed', {created => 1}, "$kind: properties");
    is(row($kind, 'properties'), "$part $long.5000 $total", "$kind: keep every digit");

    $batch = posted(qq({"action":"merge","resource":"by_$kind","mode":"sync","data":[{"code":"one","part":"$part","total":0.30},)
            . qq({"code":"two","part":"\U$part\E","total":"3e-1"},{"code":"three","part":"$part","total":0.300000000000000000001}]}));
    is_result($batch, 'completed', {created => 2, duplicates => 1}, "$kind: the same values are duplicates, and others are not");
    is(row($kind, 'three'), "$part - 0.300000000000000000001", "$kind: one differs far behind the point");
    $batch = posted(qq({"action":"merge","resource":"by_$kind","data":[{"code":"again","part":"{$part}","total":"+0.3000"},)
            . qq({"code":"other","part":"$part","total":0.3000000000000000000010}]}));
    is_result($batch, 'completed', {updated => 2}, "$kind: rows are found by match values, however they are written");
    is(row($kind, 'again'), "$part - 0.3", "$kind: this one");
    is(row($kind, 'other'), "$part - 0.300000000000000000001", "$kind: and that one");

    $batch = posted(qq({"action":"merge","resource":"$kind","data":[{"code":"fixed","fixed":1.10,"mark":"$part"}]}));
    is_result($batch, 'completed', {created => 1}, "$kind: a row with values that never change");
    $batch = posted(qq({"action":"merge","resource":"$kind","data":[{"code":"fixed","fixed":"110e-2","mark":"{\U$part\E}","price":1}]}));
    is_result($batch, 'completed', {updated => 1}, "$kind: the same ones, otherwise written, are no change");
    $batch = posted(qq({"action":"merge","resource":"$kind","data":[{"code":"fixed","fixed":1.100000000000000000001}]}));
    is_item_errors([stored_errors($batch)], [[0, 'fixed', 'immutable']], "$kind: one that differs far behind the point is");

    # ---- What is wrong ---------------------------------------------------------------------------

    my @wrong = (
        ['part', '"6ba7b810"', '6ba7b810', 'malformed'], ['part', '1', undef, 'wrong_type'], ['part', '"urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"', "urn:uuid:$part", 'malformed'],
        ['price', '1.00005', '1.00005', 'out_of_range'], ['price', '1e36', '1e36', 'out_of_range'], ['price', '"-1000000000000000000000000000001"', '-1000000000000000000000000000001', 'out_of_range'],
        ['price', '"1,5"', '1;5', 'malformed'], ['price', '""', 'x', 'malformed'], ['price', 'true', undef, 'wrong_type'], ['price', '[1]', undef, 'wrong_type'],
        ['total', '1e999999999', '1e999999999', 'out_of_range'], ['total', '1e-101', '1e-101', 'out_of_range'], ['total', '"NaN"', 'NaN', 'malformed'], ['total', '"0x10"', '0x10', 'malformed']
    );
    foreach my $format (qw(array ndjson csv)) {
        my @those = grep { $format ne 'csv' || defined $_->[2] } @wrong;
        my @items = map { qq({"code":"w","$_->[0]":$_->[1],"extra":1}) =~ s/,"extra":1//r } @those;
        my $n = 0;
        s/"w"/'"w' . $n++ . '"'/e for @items;
        my $body = $format eq 'csv'
            ? "code,part,price,total\n" . join '', map { my $i = $_; join(',', "w$i", map { $those[$i][0] eq $_ ? $those[$i][2] : '' } qw(part price total)) . "\n" } 0 .. $#those
            : $format eq 'ndjson' ? join "\n", @items : '[' . join(',', @items) . ']';
        $batch = posted($body, "?action=merge&resource=$kind", $type{$format});
        is_result($batch, 'failed', {errors => scalar @those}, "$kind, $format: values that are wrong");
        is_item_errors([stored_errors($batch)], [map { [$_, @{$those[$_]}[0, 3]] } 0 .. $#those], "$kind, $format: each names its column and its kind");
    }
    $batch = posted(qq([{"code":"mend","part":"x","total":$total}]), "?action=merge&resource=$kind");
    like(file_of($batch, 'errors_json')->body, qr/"total":\s*\Q$total\E/, "$kind: an error file has the number as it was sent");
    is(value("SELECT count(*) FROM batchless_$kind WHERE code LIKE 'w%' OR code = 'mend'"), 0, "$kind: no row of them is there");

    # ---- The records API -------------------------------------------------------------------------

    sql("INSERT INTO batchless_$kind (id, organization_id, sheet, code) VALUES ('r$_', 'acme', 's1', 'r$_')") for 1 .. 3;
    my $answer = request('POST', '/batch', type => 'application/json',
        body => qq({"batch":{"operations":[{"action":"update","resource":"of_$kind","form_id":"s1","ids":["r1"],"data":{"part":"\U$part\E","price":$long.25,"total":$total}}]}}));
    is_batch_counts(finished($answer->json->{batch}), ['success', 1, 1, 0], "$kind: an update of the records API") or diag($answer->body);
    is(row($kind, 'r1'), "$part $long.2500 $total", "$kind: keeps every digit");
    $answer = request('POST', '/batch', type => 'application/json',
        body => qq({"batch":{"operations":[{"action":"update","resource":"of_$kind","form_id":"s1","ids":["r1"],"data":{"price":1.23456}}]}}));
    is($answer->status, 422, "$kind: digits that the column does not have");
    like($answer->body, qr/has more than 4 digits behind the point/, "$kind: are refused, not rounded");
    query_all($kind);
}

# ---- Columns that would lose digits --------------------------------------------------------------

sub wrong
{
    my ($name, @columns) = @_;
    return ("<BatchResource $name>", 'BatchTable batchless_wrong', 'BatchKey id generated', 'BatchMatch code', 'BatchColumn code text', @columns, 'BatchActions merge', '</BatchResource>');
}
configure(
    wrong('lossy', 'BatchColumn approximate decimal'), wrong('sure', 'BatchColumn approximate decimal precision=15 scale=5'),
    wrong('rounds', 'BatchColumn rounded decimal precision=12 scale=3'), wrong('fits', 'BatchColumn rounded decimal precision=10 scale=2'),
    wrong('narrow', 'BatchColumn short uuid'), wrong('read', 'BatchColumn approximate decimal readonly')
);
# What SQLite would make a double of loses no digit of 15; and a text may be as long as it is.
my %out = (lossy => 1, $is_pgsql ? (rounds => 1, narrow => 1) : ());
my ($double, $uuid) = $is_pgsql ? ('double precision', 'character varying\(20\)') : 'REAL';
my $out = qr/out of service until it fits the database: \S+:\d+: /;
expect_log(qr/:crit\].*MB0205: $out<BatchResource lossy>: BatchColumn: column "approximate" of table "batchless_wrong" is of type $double, which keeps no more than 15 digits of a decimal/);
expect_log(
    qr/:crit\].*MB0205: $out<BatchResource rounds>: BatchColumn: column "rounded" of table "batchless_wrong" is of type numeric\(10,2\), which rounds a decimal with more than 2 digits/,
    qr/:crit\].*MB0205: $out<BatchResource narrow>: BatchColumn: column "short" of table "batchless_wrong" is of type $uuid, which cannot hold a UUID/
) if $is_pgsql;
server_stop();
ok(server_start(), 'columns that would lose digits do not keep httpd from its start');
my %item = (lossy => '"approximate":1', sure => '"approximate":1234567890.12345', rounds => '"rounded":1', fits => '"rounded":12345678.25', narrow => qq("short":"$part"), read => '"code":"read"');
foreach my $name (sort keys %item) {
    my $body = qq({"action":"merge","resource":"$name","mode":"sync","data":[{"code":"$name",$item{$name}}]}) =~ s/"code":"read","code"/"code"/r;
    my $answer = request('POST', '/batches', type => 'application/json', body => $body);
    is($answer->status, $out{$name} ? 503 : 201, "$name is " . ($out{$name} ? 'out of service' : 'in service')) or diag($answer->body);
    unlike($answer->body, qr/approximate|rounded|short/, "$name: names no column") if $out{$name};
}
is(value("SELECT approximate FROM batchless_wrong WHERE code = 'sure'") + 0, 1234567890.12345, 'fifteen digits are kept by a double');
is(value("SELECT rounded FROM batchless_wrong WHERE code = 'fits'") + 0, 12345678.25, 'and those that the column has by its own');

unconfigure();
server_stop();
server_start();
finish();
