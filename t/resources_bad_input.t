# Bodies that are not JSON, wherever in them that is: 400 with line and column, no batch, no row. Bodies
# that lie, stop or never end: no crash, no 500, nothing left.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

use IO::Compress::Gzip qw(gzip);

my %before = map { $_ => table_hash($_) } qw(contacts groups shipments);
my $head = '{"action":"merge","resource":"contact","data":[';

# [name, body, line, column]: a range where several places are right, undef where any is.
my @malformed = (
    ['nothing', '', 1, [0, 1]],
    ['white space', " \n ", [1, 2], [0, 3]],
    ['half an object', '{"data":', 1, [8, 9]],
    ['a comma too many in the request', '{"data":[],}', 1, 12],
    ['two documents', "$head\{\"name\":\"x\"}]}{}", 1, 62],
    ['a word behind the end', "$head\{\"name\":\"x\"}]} x", 1, 63],
    ['a comma too many in data', "$head\{\"name\":\"x\"},]}", 1, 61],
    ['a comma missing in data', "$head\{\"name\":\"x\"} {\"name\":\"y\"}]}", 1, 61],
    ['a comma first in data', "$head,{\"name\":\"x\"}]}", 1, 48],
    ['two commas in data', "$head\{\"name\":\"x\"},,{\"name\":\"y\"}]}", 1, 61],
    ['data without an end', "$head\{\"name\":\"x\"}", 1, [60, 62]],
    ['the request without an end', "$head\{\"name\":\"x\"}]", 1, [61, 63]],
    ['data closed by a brace', "$head\{\"name\":\"x\"}}", 1, 60],
    ['an item closed by a bracket', "$head\{\"name\":\"x\"]]}", 1, 59],
    ['an item without an end', "$head\{\"name\":\"x\"", 1, [59, 60]],
    ['an item of one quote', "$head\{\"name\":\"x}]}", 1, undef],
    ['an item of words', "$head\{name:\"x\"}]}", 1, 49],
    ['an item without a value', "$head\{\"name\":}]}", 1, 56],
    ['an item without a colon', "$head\{\"name\" \"x\"}]}", 1, 56],
    ['an item with a comma too many', "$head\{\"name\":\"x\",}]}", 1, 60],
    ['an item with a number for a name', "$head\{1:\"x\"}]}", 1, 49],
    ['a number with a zero in front', "$head\{\"name\":01}]}", 1, [56, 57]],
    ['a number that is none', "$head\{\"name\":1.}]}", 1, [56, 58]],
    ['a word that is none', "$head\{\"name\":nul}]}", 1, [56, 59]],
    ['NaN', "$head\{\"name\":NaN}]}", 1, 56],
    ['an escape that is none', "$head\{\"name\":\"\\x\"}]}", 1, [57, 58]],
    ['half an escape', "$head\{\"name\":\"\\u12\"}]}", 1, [57, 62]],
    ['half a pair', "$head\{\"name\":\"\\ud800\"}]}", 1, undef, 'item'],
    ['the other half', "$head\{\"name\":\"\\udc00x\"}]}", 1, undef, 'item'],
    ['a line end in a text', "$head\{\"name\":\"a\nb\"}]}", [1, 2], undef],
    ['a control character in a text', "$head\{\"name\":\"a\x02b\"}]}", 1, [57, 58]],
    ['a byte NUL in a text', "$head\{\"name\":\"a\0b\"}]}", 1, [57, 58]],
    ['a byte NUL between items', "$head\{\"name\":\"x\"}\0]}", 1, 60],
    ['a byte that is not UTF-8', "$head\{\"name\":\"\xff\"}]}", 1, [56, 58]],
    ['UTF-8 cut short', "$head\{\"name\":\"\xc3\"}]}", 1, [56, 58]],
    ['UTF-8 in its long form', "$head\{\"name\":\"\xc0\xaf\"}]}", 1, [56, 58]],
    ['a surrogate in UTF-8', "$head\{\"name\":\"\xed\xa0\x80\"}]}", 1, [56, 59]],
    ['a byte that is not UTF-8 in a name', "$head\{\"na\xffme\":\"x\"}]}", 1, [49, 53]],
    ['brackets that do not fit', "$head\{\"name\":[}]]}", 1, [56, 57]],
    ['on another line', "{\n\"action\":\"merge\",\n\"data\":[\n{\"name\":\"x\"},\n{\"name\":oops}\n]}", 5, 9],
    ['behind many good items', $head . '{"name":"good"},' x 20_000 . '{"name":oops}]}', 1, undef],
    ['behind data', "$head\{\"name\":\"x\"}],\"mode\":oops}", 1, 69],
);
foreach my $case (@malformed) {
    my ($name, $body, $line, $column, $item) = @$case;
    foreach my $mode ('', 'sync') {
        my $text = $mode ? $body =~ s/^\{"action"/{"mode":"sync","action"/r : $body;
        next if $mode && $text eq $body;
        my $answer = post_batches(undef, body => $text);
        # Well-formed by RFC 8259's grammar, and no text: either is right, but no row.
        if ($item && $answer->status != 400) {
            ok($answer->status == 202 || $answer->status == 422, "$name is an item error");
            is(resource_final($answer->json->{data})->{stats}{created}, 0, "$name makes no row")
                if $answer->json->{data};
            next;
        }
        is_refused($answer, 400, 'invalid_json', $mode ? "$name, sync" : $name) or next;
        next if $mode;
        my ($l, $c) = $answer->json->{message} =~ /line (\d+).*?column (\d+)/;
        my @line = ref $line ? @$line : ($line) x 2;
        my @column = defined $column ? (ref $column ? @$column : ($column) x 2) : (0, 1e9);
        ok(defined $l && $l >= $line[0] && $l <= $line[1] && $c >= $column[0] && $c <= $column[1],
            "$name: line @line, column @column")
            or diag($answer->json->{message});
    }
}

# Nesting.
foreach my $case (
    ['arrays', '[' x 200_000],
    ['objects', '{"a":' x 100_000],
    ['arrays in an unknown member', '{"x":' . '[' x 200_000],
    ['arrays in data', $head . '[' x 200_000],
    ['arrays in an item', $head . '{"name":' . '[' x 200_000],
    ['arrays in properties', '{"properties":{"name":' . '[' x 200_000],
    ['closed arrays in an item', $head . '{"name":' . '[' x 200_000 . ']' x 200_000 . '}]}'],
    ['closed objects in an item', $head . '{"name":' . '{"a":' x 50_000 . '1' . '}' x 50_000 . '}]}'],
    )
{
    my ($name, $body) = @$case;
    my $answer = post_batches(undef, body => $body);
    ok($answer->status =~ /^(?:400|413|422|202)$/, "deeply nested $name") or diag($answer->status);
    is(resource_final($answer->json->{data})->{stats}{created}, 0, "$name make no row") if $answer->status == 202;
}

# The body has room for many more members than it may have; what is in arrays does not count.
my $many = join ',', map {"\"m$_\":{}"} 1 .. 10_000;
is_wrong(post_batches(undef, body => qq($head\{"name":"x"}],$many})),
    ['body'], '10,000 members beside the others', like => qr/has more than 10000 members/);
my $kept = '[' . join(',', ('{}') x 20_000) . ']';
is_wrong(post_batches(undef, body => qq({"unknown":$kept,) . substr($head, 1) . ']}'),
    ['data'], 'a long array that nobody knows counts as one');

# Members of the request that come twice: one of them counts, never a part of each.
foreach my $case (
    ['data', $head . '{"name":"d1"}],"data":[{"name":"d2"},{"name":"d3"}]}'],
    ['data, then none', $head . '{"name":"d1"}],"data":[]}'],
    ['none, then data', '{"data":null,' . substr($head, 1) . '{"name":"d1"}]}'],
    ['resource', '{"action":"merge","resource":"shipment","resource":"contact","data":[{"name":"d1"}]}'],
    ['mode', '{"mode":"sync","mode":"mixed",' . substr($head, 1) . '{"name":"d1"}]}'],
    ['properties', '{"properties":{"phone":"1"},"properties":{"notes":"2"},' . substr($head, 1) . '{"name":"d1"}]}'],
    )
{
    my ($name, $body) = @$case;
    restore();
    my $answer = post_batches(undef, body => $body);
    ok($answer->status =~ /^(?:400|422|202|201)$/, "$name twice") or diag($answer->status);
    my $batch = $answer->status =~ /^20/ ? resource_final($answer->json->{data}) : undef;
    is(scalar(contacts("name IN ('d1', 'd2', 'd3')")), $batch ? $batch->{stats}{created} : 0, "$name twice: rows as counted");
    isnt(join(' ', map { $_->{name} } contacts("name IN ('d1', 'd2', 'd3')")), 'd1 d2 d3', "$name twice: not both")
        if $name eq 'data';
}
restore();

# Lengths that lie.
my $good = $head . '{"name":"x"}]}';
my $answer = raw(request_text('POST', '/batches', body => $good, headers => {'Content-Length' => length($good) + 50}),
    half_close => 1);
ok($answer->status != 200 && $answer->status != 202 && $answer->status != 500, 'a body that is shorter than it says')
    or diag($answer->status);
$answer = raw(request_text('POST', '/batches', body => $good, headers => {'Content-Length' => length($good) - 1}));
is_refused($answer, 400, 'invalid_json', 'a body that is longer than it says');
$answer = raw(request_text('POST', '/batches', type => 'application/json',
        headers => {'Transfer-Encoding' => 'chunked', 'Content-Length' => undef}) . "5\r\n{\"act\r\nzz\r\n");
ok($answer->status == 400, 'chunks that are none') or diag($answer->status);
$answer = post_batches(undef, body => 'no gzip at all', headers => {'Content-Encoding' => 'gzip'});
ok($answer->status =~ /^4/, 'a body that is not compressed as it says') or diag($answer->status);
gzip(\$good => \my $zipped) or die;
$answer = post_batches(undef, body => substr($zipped, 0, -12), headers => {'Content-Encoding' => 'gzip'});
ok($answer->status =~ /^4/, 'a compressed body that is cut short') or diag($answer->status);
# What was cut off is the end of the inflated text's check: it may be taken only as a whole.
$answer = post_batches(undef, body => ' ' x 20_000_000 . $good);
ok($answer->status =~ /^(?:202|413)$/, 'twenty million blanks') or diag($answer->status);
resource_final($answer->json->{data}) if $answer->status == 202;
restore();

# Queries and paths.
foreach my $path ('/batches/%00', '/batches/%2e%2e/batches', '/batches//', '/batches/' . 'a' x 5000, '/batches/cancel',
    "/batches/00000000-0000-4000-8000-000000000000'--", '/batches?page=' . '9' x 5000, '/batches?' . '&' x 5000)
{
    my $answer = request('GET', $path);
    ok($answer->status =~ /^(?:200|400|403|404|414|422)$/, substr($path, 0, 60)) or diag($answer->status);
}
is(table_hash($_), $before{$_}, "$_ are as they were") for sort keys %before;
is(value('SELECT count(*) FROM batch_items WHERE job NOT IN (SELECT seq FROM batch_jobs)'), 0, 'nothing is left of any');

# The body is read again and again where nothing may stay: no child has crashed, and all is well.
is_result(run_batch(merge('contact', [{name => 'still here'}])), 'completed', {created => 1}, 'the server is well');

tolerate_log(qr/AH00127: Cannot map GET|AH01390|deflate/i);
finish();
