# GET /batch/ID/errors.json and errors.csv: the objects that failed, with id, code and message.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

# A reader of RFC 4180 of its own: rows of fields.
sub csv
{
    my ($text) = @_;
    my (@rows, @fields);
    while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gc) {
        my ($quoted, $plain, $end) = ($1, $2, $3);
        push @fields, defined $quoted ? $quoted =~ s/""/"/gr : $plain;
        push @rows, [splice @fields] if $end ne ',';
        last if pos $text == length $text;
    }
    die 'not RFC 4180: ', substr($text, pos($text) // 0, 40), "\n"
        if @fields || (pos($text) // 0) != length $text;
    return @rows;
}

my @ids = record_ids(10);
my @unknown = unknown_ids(3);

# In the order of the request, not of the ids; duplicates stand where they came first.
my @sent = ($unknown[2], $ids[0], $unknown[0], $unknown[2], $ids[1], $unknown[1]);
my $batch = finished(create(delete_ids(@sent)));
is_batch_counts($batch, ['success', 5, 2, 3], 'a batch with three errors');

my $answer = request('GET', "/batch/$batch->{id}/errors.json");
is($answer->status, 200, 'errors.json');
is($answer->media_type, 'application/json', 'is JSON');
my $errors = $answer->json;
is(ref $errors, 'ARRAY', 'an array');
is_deeply(
    [map { $_->{id} } @$errors],
    [@unknown[2, 0, 1]],
    'has the ids in the order of the request'
);
is_deeply([map { $_->{index} } @$errors], [0, 2, 5], 'and their places in it');
is_deeply([map { $_->{code} } @$errors], [('not_found') x 3], 'the code');
is_deeply([map { $_->{item} } @$errors], [map { {id => $_} } @unknown[2, 0, 1]], 'the original');
ok(!(grep { !length($_->{message} // '') || ref $_->{message} } @$errors),
    'and a message for each');
is(
    join(' ', sort keys %{$errors->[0]}),
    'code field id index item line message',
    'these members, and no others'
);
like($answer->body, qr/"index":\s*0\b/, 'the index is a number');

$answer = request('GET', "/batch/$batch->{id}/errors.csv");
is($answer->status, 200, 'errors.csv');
is($answer->media_type, 'text/csv', 'is CSV');
my @rows = csv($answer->body);
is_deeply($rows[0], [qw(line index field code message id)], 'with this header');
is_deeply(
    [map { $_->[5] } @rows[1 .. $#rows]],
    [@unknown[2, 0, 1]],
    'has the ids in the order of the request'
);
is_deeply([map { $_->[1] } @rows[1 .. $#rows]], [0, 2, 5], 'their places');
is_deeply([map { $_->[3] } @rows[1 .. $#rows]], [('not_found') x 3], 'the code');
is_deeply(
    [map { $_->[4] } @rows[1 .. $#rows]],
    [map { $_->{message} } @$errors],
    'and the same messages'
);

# Both names, both prefixes, HEAD.
foreach my $path ("/batch/$batch->{id}/errors.json", "/api/v2/batch/$batch->{id}/errors.csv") {
    my $head = request('HEAD', $path);
    is($head->status, 200, "HEAD $path");
    is($head->body, '', 'without a body');
}
is_deeply(request('GET', "/api/v2/batch/$batch->{id}/errors.json")->json,
    $errors, 'the other prefix');
is_deeply(request('GET', "/batch/$batch->{id}/errors")->json,
    $errors, 'every path with and without .json');

# Everything that CSV and JSON must quote.
my @strange = (
    'a,b', 'say "x"', "two\nlines", "cr\r\nlf", "\x{e9}\x{20ac}\x{1f600}", " blank ", "'", '=1+1',
    '\\', "\x01\x1f\x7f", '</script>'
);
$batch = finished(create(delete_ids(@strange)));
is_batch_counts(
    $batch,
    ['failed', scalar @strange, 0, scalar @strange],
    'a batch that failed altogether'
);
is_deeply([map { $_->{id} } @{request('GET', "/batch/$batch->{id}/errors.json")->json}],
    \@strange, 'JSON gives strange ids back');
@rows = csv(request('GET', "/batch/$batch->{id}/errors.csv")->body);
my @back = map { my $id = $_->[5]; utf8::decode($id); $id } @rows[1 .. $#rows];
is_deeply(\@back, \@strange, 'CSV gives strange ids back');

# None.
$batch = finished(create(delete_ids($ids[2])));
is(request('GET', "/batch/$batch->{id}/errors.json")->status, 200, 'a batch without errors');
is_deeply(request('GET', "/batch/$batch->{id}/errors.json")->json, [], 'has none in JSON');
is_deeply([csv(request('GET', "/batch/$batch->{id}/errors.csv")->body)],
    [$rows[0]], 'and a header alone in CSV');
is_deeply(request('GET', '/batch/' . pending(delete_ids($ids[3]))->{id} . '/errors.json')->json,
    [], 'nor has a pending one');

# Many: all of them, whole.
my @many = unknown_ids(10000);
$batch = finished(create(delete_ids(@many)));
$answer = request('GET', "/batch/$batch->{id}/errors.json");
ok(!$answer->truncated, '10,000 errors arrive');
is_deeply([map { $_->{id} } @{$answer->json}], \@many, 'all of them, in order');
$answer = request('GET', "/batch/$batch->{id}/errors.csv");
ok(!$answer->truncated, 'in CSV, too');
@rows = csv($answer->body);
is(scalar @rows, 10001, 'all of them');
is($rows[-1][5], $many[-1], 'to the last');

# The words of the database (more of them in refused.t).
refuse_trigger('DELETE', "OLD.id = '$ids[5]'", 'this one, it stays "here"');
$batch = finished(create(delete_ids($ids[4], $ids[5], $unknown[0])));
$errors = request('GET', "/batch/$batch->{id}/errors.json")->json;
is_deeply(
    [map {"$_->{index} $_->{code} $_->{id}"} @$errors],
    ["1 refused $ids[5]", "2 not_found $unknown[0]"],
    'two kinds of errors'
);
like($errors->[0]{message}, qr/this one, it stays "here"/, "with the database's own words");
@rows = csv(request('GET', "/batch/$batch->{id}/errors.csv")->body);
is($rows[1][4], $errors->[0]{message}, 'in CSV, too');
drop_triggers();

is_error(request('GET', "/batch/00000000-0000-4000-8000-000000000000/errors.$_"),
    404, "errors.$_ of no batch")
    for qw(json csv);
is_error(request('GET', "/batch/$batch->{id}/errors.xml"), 404, 'errors.xml');

finish();
