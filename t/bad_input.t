# Every malformed, oversized, contradictory or foreign request gets the answer of docs/api and
# changes nothing.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

use IO::Compress::Gzip qw(gzip);
use JSON::PP ();

my @ids = record_ids(10);
my $records = table_hash('records');
my $op = JSON::PP->new->canonical->encode(delete_ids($ids[0]));

sub post { my ($body, %option) = @_; return request('POST', '/batch', body => $body, %option) }

# ---- Bytes that are not JSON: 400 with line and column -------------------------------------------

# [name, body, line, column]: column counts bytes from 1. Where it is a range, several places are
# right.
my @malformed = (
    ['nothing', '', 1, [0, 1]],
    ['white space', " \n ", [1, 2], [0, 3]],
    ['half an object', '{"batch":', 1, [9, 10]],
    ['a comma too many in an object', '{"batch":{},}', 1, 13],
    ['a bracket of the wrong kind', '{"batch":{},]', 1, 13],
    ['a comma too many in an array', '{"a":[1,]}', 1, 9],
    ['something behind the end', '{} x', 1, 4],
    ['two documents', '{}{}', 1, 3],
    ['a word that is none, on line 3', qq({\n  "batch": {\n    "start": x\n), 3, 14],
    ['a line of Windows counts once', qq({\r\n"a":1,\r\n"b" 2}), 3, [4, 5]],
    ['columns count bytes', qq({"\xc3\xa9":x}), 1, 7],
    ['a tab is one column', qq({\t"a"\t:\t}), 1, 9],
    ['single quotes', q({'batch':{}}), 1, 2],
    ['a name without quotes', '{batch:{}}', 1, 2],
    ['a missing colon', '{"batch" {}}', 1, 10],
    ['a missing comma', '{"a":1 "b":2}', 1, 8],
    ['a number for a name', '{1:2}', 1, 2],
    ['a comment', '{/* */}', 1, 2],
    ['a text without an end', '{"batch', 1, [2, 9]],
    ['a line end in a text', qq({"ba\ntch":1}), [1, 2], [0, 6]],
    ['a control character in a text', qq({"a\x01b":1}), 1, [3, 5]],
    ['an escape that is none', '{"\\x41":1}', 1, [3, 4]],
    ['half an escape', '{"\\u12":1}', 1, [3, 8]],
    ['NaN', '{"a":NaN}', 1, 6],
    ['Infinity', '{"a":Infinity}', 1, [6, 7]],
    ['a leading zero', '{"a":012}', 1, [6, 7]],
    ['a leading plus', '{"a":+1}', 1, 6],
    ['a point without digits', '{"a":1.}', 1, [6, 8]],
    ['an exponent without digits', '{"a":1e}', 1, [6, 8]],
    ['a word in capitals', '{"a":TRUE}', 1, 6],
    ['half a word', '{"a":tru}', 1, [6, 9]],
    ['a word and more', '{"a":nullx}', 1, [6, 10]],
    ['a byte NUL', qq({"a":\0}), 1, 6],
    ['a byte NUL in a text', qq({"a":"b\0c"}), 1, [7, 8]],
    ['a byte NUL behind the end', qq({}\0), 1, 3],
    ['a byte that is not UTF-8', qq({"a":"\xff"}), 1, [6, 8]],
    ['UTF-8 cut short', qq({"a":"\xc3"}), 1, [6, 8]],
    ['a long form of a slash', qq({"a":"\xc0\xaf"}), 1, [6, 8]],
    ['a surrogate in UTF-8', qq({"a":"\xed\xa0\x80"}), 1, [6, 9]],
    ['beyond the last code point', qq({"a":"\xf4\x90\x80\x80"}), 1, [6, 10]],
    ['Latin-1 in an id', qq({"batch":{"operations":[{"ids":["caf\xe9"]}]}}), 1, [32, 38]],
    ['UTF-16', join('', map {"$_\0"} split //, '{"batch":{}}'), 1, [1, 2]],
    ['an error far behind', '{"a":"' . ('x' x 5000) . '",' . ("\n" x 99) . '!}', 100, 1],
);

foreach my $case (@malformed) {
    my ($name, $body, $line, $column) = @$case;
    my $answer = post($body);
    is_error($answer, 400, $name, qr/\w/) or next;
    my ($got_line, $got_column) = $answer->json->{message} =~ /line (\d+).*?column (\d+)/;
    my ($l, $c) = map { ref $_ ? $_ : [$_, $_] } $line, $column;
    ok(
        defined $got_line
            && $got_line >= $l->[0]
            && $got_line <= $l->[1]
            && $got_column >= $c->[0]
            && $got_column <= $c->[1],
        "$name: line $l->[0], column $c->[0]"
    ) or diag($answer->json->{message});
}

# Deep nesting, in places that are read and in places that are skipped.
foreach my $case (
    ['arrays', '[' x 200_000],
    ['objects', '{"a":' x 100_000],
    ['arrays in a property', '{"x":' . '[' x 200_000],
    ['arrays in ids', '{"batch":{"operations":[{"ids":[' . '[' x 100_000]
    )
{
    my ($name, $body) = @$case;
    my $answer = post($body);
    ok($answer->status == 400 || $answer->status == 413, "deeply nested $name")
        or diag($answer->status);
}
my $answer = post('{"x":' . '[' x 500 . ']' x 500 . ',"batch":{"start":false}}');
ok($answer->status == 201 || $answer->status == 400, 'some nesting in a property that nobody knows')
    or diag($answer->status);
request('DELETE', '/batch/' . $answer->json->{batch}{id}) if $answer->status == 201;

# ---- JSON of another shape: 422 ------------------------------------------------------------------

# A document that is no object has no member to name.
foreach my $body ('null', '[]', '"batch"', '1', 'true', '[{"batch":{}}]') {
    my $answer = post($body);
    ok($answer->status == 422 || $answer->status == 400, "a document $body")
        or diag($answer->status, ' ', $answer->body);
}

my $form = TESTING_APP;
my @shapes = (
    ['no batch', '{}', ['batch']],
    ['batch is null', '{"batch":null}', ['batch']],
    ['batch is an array', '{"batch":[]}', ['batch']],
    ['batch is a text', '{"batch":"x"}', ['batch']],
    ['no operations to start', '{"batch":{}}', ['operations']],
    ['operations are null', '{"batch":{"operations":null}}', ['operations']],
    ['operations are an object', "{\"batch\":{\"operations\":$op}}", ['operations']],
    ['operations are a text', '{"batch":{"operations":"x"}}', ['operations']],
    ['no operation in operations', '{"batch":{"operations":[]}}', ['operations']],
    ['an operation is null', '{"batch":{"operations":[null]}}', ['operations[0]']],
    ['an operation is an array', '{"batch":{"operations":[[]]}}', ['operations[0]']],
    ['an operation is a text', '{"batch":{"operations":["x"]}}', ['operations[0]']],
    ['start is a text', "{\"batch\":{\"start\":\"false\",\"operations\":[$op]}}", ['start']],
    ['start is a number', "{\"batch\":{\"start\":0,\"operations\":[$op]}}", ['start']],
);
foreach my $case (@shapes) {
    my ($name, $body, $fields) = @$case;
    is_unprocessable(post($body), $fields, $name, "what is missing is missing below it, too");
}

my @operations = (
    ['no action', operation(action => undef, ids => ['x']), ['action']],
    ['an unknown action', operation(action => 'explode', ids => ['x']), ['action']],
    ['an action that records do not have', operation(action => 'merge', ids => ['x']), ['action']],
    ['an action that is a number', operation(action => 1, ids => ['x']), ['action']],
    ['no resource', operation(resource => undef, ids => ['x']), ['resource']],
    ['an unknown resource', operation(resource => 'unicorn', ids => ['x']), ['resource']],
    ['a resource that is an array', operation(resource => ['record'], ids => ['x']), ['resource']],
    ['no form', operation(form_id => undef, ids => ['x']), ['form_id']],
    [
        'an unknown form',
        operation(form_id => '00000000-0000-4000-8000-000000000000', ids => ['x']),
        ['form_id']
    ],
    ['a form that is no UUID', operation(form_id => "x' OR '1'='1", ids => ['x']), ['form_id']],
    ['a form that is empty', operation(form_id => '', ids => ['x']), ['form_id']],
    ['a form that is a number', operation(form_id => 5, ids => ['x']), ['form_id']],
    ['neither ids nor query', operation(), ['ids']],
    ['ids of no element', operation(ids => []), ['ids']],
    ['ids that are a text', operation(ids => 'x'), ['ids']],
    ['ids that are an object', operation(ids => {x => 1}), ['ids']],
    ['an id that is no whole number', operation(ids => ['x', 7.5]), ['ids[1]']],
    ['an id that is an array', operation(ids => [['x']]), ['ids[0]']],
    ['an id that is true', operation(ids => ['a', 'b', JSON::PP::true]), ['ids[2]']],
    ['an id of 256 bytes', operation(ids => ['x' x 256]), ['ids[0]']],
    ['an empty id', operation(ids => ['a', '']), ['ids[1]']],
    ['an id with a NUL', operation(ids => ["a\0b"]), ['ids[0]']],
    ['a query that is wrong', operation(query => "_status = "), ['query']],
    ['an empty query', operation(query => ''), ['query']],
    ['a query with a NUL', operation(query => "_status = '\0'"), ['query']],
);
foreach my $case (@operations) {
    my ($name, $operation, $fields) = @$case;
    is_unprocessable(post_batch($operation), [map {"operations[0].$_"} @$fields], $name);
}
is_unprocessable(
    post_batch(operation(query => 1)),
    ['operations[0].query'],
    'a query that is a number',
    'ids are missing, too'
);
# The body has room for many more members than it may have.
my $many = join ',', map {"\"m$_\":{}"} 1 .. 10_000;
is_unprocessable(post("{\"batch\":{\"operations\":[$op],$many}}"),
    ['body'], '10,000 members and one');
is_unprocessable(post('{"batch":{"operations":[' . $op =~ s/\}$/,$many}/r . ']}}'),
    ['operations[0]'], 'an operation of 10,000 members more');
# null is no id, and no text.
foreach my $member (qw(action resource form_id ids)) {
    my %operation = %{delete_ids('x')};
    $operation{$member} = undef;
    is_unprocessable(request('POST', '/batch', json => {batch => {operations => [\%operation]}}),
        ["operations[0].$member"], "$member is null");
}
is_unprocessable(
    request('POST', '/batch', json => {batch => {operations => [operation(ids => ['x', undef])]}}),
    ['operations[0].ids[1]'],
    'an id is null'
);
$answer = post_batch(operation(ids => ['x'], query => "_status = 'x'"));
ok(
    $answer->status == 422
        && !(grep { !/^operations\[0\]\.(?:ids|query)$/ } keys %{$answer->json->{batch}{errors}}),
    'both ids and query'
) or diag($answer->status, $answer->body);

# One entry for every thing that is wrong.
$answer = request(
    'POST', '/batch',
    json => {
        batch => {
            start => 'yes',
            operations => [{action => 'explode', resource => 'unicorn', ids => 5}]
        }
    }
);
is_unprocessable(
    $answer,
    ['start', map {"operations[0].$_"} qw(action resource form_id ids)],
    'many things wrong'
);
$answer = request('POST', '/batch', json => {batch => {operations => [{}]}});
is_unprocessable(
    $answer,
    [map {"operations[0].$_"} qw(action resource form_id ids)],
    'an empty operation'
);
$answer = post_batch(operation(ids => [1.5, 'x', FALSE]));
is_unprocessable($answer, ['operations[0].ids[0]', 'operations[0].ids[2]'], 'two wrong ids');
# But not without bound.
$answer = post_batch(operation(ids => [(FALSE) x 20000]));
ok(
    $answer->status == 422 && length $answer->body < 200_000,
    'twenty thousand wrong ids, and an answer of some size'
) or diag($answer->status, ' ', length $answer->body);
$answer = request(
    'POST', '/batch',
    json => {
        batch => {
            operations => [
                {
                    action => 'x' x 100_000,
                    resource => "\x{1f600}" x 20_000,
                    form_id => 'y' x 100_000,
                    ids => ['z']
                }
            ]
        }
    }
);
ok($answer->status == 422 && length $answer->body < 100_000, 'long values are not sent back whole')
    or diag($answer->status, ' ', length $answer->body);
ok(eval { $answer->json; 1 }, 'and what is cut off is still JSON in UTF-8');

my $which = qq("action":"delete","resource":"record","form_id":"$form");

# Lone surrogates can be written in JSON, but are no text.
foreach my $escape ('\\ud800', '\\udc00', '\\ud800x', '\\ud800\\ud800') {
    $answer = post(qq({"batch":{"operations":[{$which,"ids":["$escape"]}]}}));
    ok($answer->status == 400 || $answer->status == 422, "a lone surrogate $escape")
        or diag($answer->status);
}
# Numbers of any size are numbers.
$answer = post('{"x":1e999999,"y":-0.0e-99999,"z":' . '9' x 5000 . ',"batch":{"start":false}}');
is($answer->status, 201, 'numbers that no machine has, in properties that nobody knows');
request('DELETE', '/batch/' . $answer->json->{batch}{id}) if $answer->status == 201;
# Contradictions: members that come twice. Whatever is read, it is one reading.
foreach my $body (
    qq({"batch":{"start":false},"batch":{"operations":[$op]}}),
    qq({"batch":{"start":true,"start":false,"operations":[$op]}}),
    qq({"batch":{"start":false,"operations":[],"operations":[$op]}}),
    qq({"batch":{"start":false,"operations":[{$which,"ids":["a"],"ids":["b","c"]}]}}),
    )
{
    $answer = post($body);
    ok($answer->status =~ /^(?:400|422|201)$/, 'a member that comes twice')
        or diag($answer->status, ' ', $answer->body);
    request('DELETE', '/batch/' . $answer->json->{batch}{id}) if $answer->status == 201;
}

# Safety nets that are not there are refused, not ignored.
foreach my $net ([dry_run => JSON::PP::true], [max_removed => 5], [max_errors => 5]) {
    is_unprocessable(post_batch(delete_ids($ids[0]), batch => {@$net}),
        [$net->[0]], "$net->[0], which is not available");
}

# ---- Sizes: 413 ----------------------------------------------------------------------------------

my $credentials = "Host: x\r\nX-ApiToken: alice-token\r\nContent-Type: application/json\r\n";
my $limited = "POST /limited/batch HTTP/1.1\r\n$credentials";
$answer = raw($limited . "Content-Length: 4001\r\n\r\n");
is_error($answer, 413, 'Content-Length alone, no byte of the body sent');
$answer = raw($limited . "Content-Length: 99999999999999999\r\n\r\n");
is_error($answer, 413, 'a Content-Length of many digits');

sub chunked
{
    my ($size, @parts) = @_;
    return join('',
        map { sprintf("%x\r\n%s\r\n", length $_, $_) } map { unpack "(a$size)*", $_ } @parts) .
        "0\r\n\r\n";
}

sub chunked_request
{
    my ($path, $chunks, $more) = @_;
    my $coding = "Connection: close\r\nTransfer-Encoding: chunked\r\n" . ($more // '');
    return raw("POST $path HTTP/1.1\r\n$credentials$coding\r\n$chunks");
}
my $padding = '{"x":"' . 'y' x 6000 . '","batch":{"start":false}}';
is_error(chunked_request('/limited/batch', chunked(1000, $padding)),
    413, 'chunks that pass the limit');
is(
    chunked_request('/limited/batch',
        chunked(100, '{"x":"' . 'y' x 3000 . '","batch":{"start":false}}'))->status,
    201,
    'chunks that do not'
);
is(request('POST', '/limited/batch', body => '{"batch":{"start":false}}')->status,
    201, 'a body below the limit');
is_error(request('POST', '/limited/batch', body => $padding), 413, 'a body beyond it');
# The limit holds for what comes out of a filter, too.
gzip(\$padding, \my $bomb);
ok(length $bomb < 400, 'the same body is small in gzip');
is_error(
    request('POST', '/limited/batch', body => $bomb, headers => {'Content-Encoding' => 'gzip'}),
    413, 'and beyond the limit all the same');

# A body that becomes a thousand times as large is refused by mod_deflate, which does not say why.
my $spaces = '{"batch":{"start":false}}' . ' ' x 4_000_000;
gzip(\$spaces, \$bomb);
is_error(
    request('POST', '/batch', body => $bomb, headers => {'Content-Encoding' => 'gzip'}),
    413, 'a body that becomes too much larger',
    qr/compressed/
);
$answer = chunked_request('/batch', chunked(1000, $bomb), "Content-Encoding: gzip\r\n");
is_error($answer, 400, 'the same in chunks', qr/Content-Encoding/);

# What is not ids is bounded by the module itself.
is_error(post('{"x":"' . 'y' x 2_000_000 . '","batch":{"start":false}}'),
    413, 'a property of two million bytes');
is_error(
    request(
        'POST', '/batch',
        json => {batch => {operations => [delete_ids('x'), {note => 'y' x 2_000_000}]}}
    ),
    413,
    'a second operation of two million bytes'
);
is_error(chunked_request('/batch', chunked(60000, '{"x":"' . 'y' x 2_000_000 . '"}')),
    413, 'the same in chunks');
# Ten thousand ids of 255 bytes are more than that, and are fine.
$answer = post_batch(operation(ids => [map { sprintf '%0255d', $_ } 1 .. 10000]),
    batch => {start => JSON::PP::false});
is($answer->status, 201, 'ten thousand ids of 255 bytes');
is($answer->json->{batch}{objects_total}, 10000, 'are ten thousand');
request('DELETE', '/batch/' . $answer->json->{batch}{id});
# Half a million duplicates do not fill the memory.
$answer
    = post(
    '{"batch":{"start":false,"operations":[{"action":"delete","resource":"record","form_id":"' .
        $form . '","ids":[' .
        join(',', ('"one"', '"two"') x 250_000) . ']}]}}');
is($answer->status, 201, 'half a million duplicates');
is($answer->json->{batch}{objects_total}, 2, 'are two');
request('DELETE', '/batch/' . $answer->json->{batch}{id});

# ---- Media types: 415 ----------------------------------------------------------------------------

foreach my $type (
    'text/plain', 'text/csv',
    'application/xml', 'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x', 'application/jsonx',
    'nonsense', 'application/json-seq'
    )
{
    is_error(post('{"batch":{"start":false}}', type => $type), 415, $type);
}
foreach my $type (
    'application/json', 'Application/JSON',
    'application/json;charset=utf-8', 'application/json ; charset="UTF-8"'
    )
{
    my $answer = post('{"batch":{"start":false}}', type => $type);
    is($answer->status, 201, $type);
}

# ---- Bodies in other clothes ---------------------------------------------------------------------

my $whole = "{\"batch\":{\"start\":false,\"operations\":[$op]}}";
foreach my $size (1, 2, 7, 65536) {
    $answer = chunked_request('/batch', chunked($size, $whole));
    is($answer->status, 201, "a body in chunks of $size");
    is($answer->json->{batch}{objects_total}, 1, 'is the same body');
}
gzip(\$whole, \my $zipped);
$answer = post($zipped, headers => {'Content-Encoding' => 'gzip'});
is($answer->status, 201, 'a body in gzip, by the filter of the sample');
$answer = request('POST', '/batch', body => $whole, headers => {Expect => '100-continue'});
is($answer->status, 201, 'Expect: 100-continue');
my $count = value('SELECT count(*) FROM batch_jobs');

# Bodies that break off, and HTTP that is none: whatever the answer, no batch.
tolerate_log(qr/AH\d+/);
my $head = "POST /batch HTTP/1.1\r\nConnection: close\r\n$credentials";
my @broken = (
    ['a body that breaks off', $head . "Content-Length: 5000\r\n\r\n$whole", 1],
    [
        'a body that breaks off in a text',
        $head . 'Content-Length: 5000' . "\r\n\r\n" . substr($whole, 0, 40), 1
    ],
    [
        'chunks that break off',
        $head . "Transfer-Encoding: chunked\r\n\r\n" . sprintf("%x\r\n", 5000) . $whole, 1
    ],
    [
        'no last chunk',
        $head . "Transfer-Encoding: chunked\r\n\r\n" .
            sprintf("%x\r\n%s\r\n", length $whole, $whole),
        1
    ],
    [
        'a chunk size that is none',
        $head . "Transfer-Encoding: chunked\r\n\r\nzz\r\n$whole\r\n0\r\n\r\n"
    ],
    [
        'a chunk size of many digits',
        $head . "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n$whole\r\n0\r\n\r\n"
    ],
    ['a Content-Length that is none', $head . "Content-Length: abc\r\n\r\n$whole"],
    ['a Content-Length below zero', $head . "Content-Length: -1\r\n\r\n$whole"],
    ['two Content-Lengths', $head . "Content-Length: 3\r\nContent-Length: 400\r\n\r\n$whole"],
    ['an unknown transfer coding', $head . "Transfer-Encoding: zip\r\n\r\n$whole"],
    [
        'gzip that is none',
        $head . 'Content-Encoding: gzip' . "\r\nContent-Length: " .
            length($whole) . "\r\n\r\n$whole"
    ],
    [
        'gzip that breaks off',
        $head . "Content-Encoding: gzip\r\nContent-Length: 30\r\n\r\n" . substr($zipped, 0, 30)
    ],
    [
        'no Host',
        "POST /batch HTTP/1.1\r\nConnection: close\r\nX-ApiToken: alice-token\r\nContent-Length: "
            . length($whole)
            . "\r\n\r\n$whole"
    ],
    [
        'a header without a colon',
        $head . "nonsense\r\nContent-Length: " . length($whole) . "\r\n\r\n$whole"
    ],
    [
        'a NUL in a header',
        $head . "X: a\0b\r\nContent-Length: " . length($whole) . "\r\n\r\n$whole"
    ],
    ['a NUL in the path', "POST /batch\0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"],
    ['no HTTP at all', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 1],
);

foreach my $case (@broken) {
    my ($name, $bytes, $half_close) = @$case;
    my $answer = raw($bytes, half_close => $half_close);
    ok(
        $answer->status == 0
            || ($answer->status >= 400 && $answer->status < 500)
            || $answer->status == 501,
        "$name: " . $answer->status
    ) or diag($answer->body);
    ok(!$answer->{timed_out}, "$name: the connection is not left open");
}
# One request behind another is not taken for a part of its body.
$answer = raw($head =~ s/Connection: close\r\n//r . 'Content-Length: ' .
        length($whole) . "\r\n\r\n$whole" . request_text('GET', '/batch?per_page=1'));
is($answer->status, 201, 'a request with another one behind it');
like($answer->{rest}, qr/HTTP\/1\.1 200.*"per_page":1\b/s, 'which is answered, too');
is(value('SELECT count(*) FROM batch_jobs'), $count + 1,
    'nothing that was broken has made a batch');

# A body where none is wanted is read over: the next request on the connection is not eaten.
$answer
    = raw(
    "GET /batch HTTP/1.1\r\nHost: x\r\nX-ApiToken: alice-token\r\nContent-Length: 5\r\n\r\nhello" .
        request_text('GET', '/batch?per_page=1'));
is($answer->status, 200, 'a GET with a body');
like($answer->{rest}, qr/HTTP\/1\.1 200.*"per_page":1\b/s, 'and the request behind it');

is(table_hash('records'), $records, 'nothing of all this has changed a row');

finish();
