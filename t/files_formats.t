# Files that are not CSV: NDJSON, a bare JSON array, multipart/form-data; media types, compression,
# limits, and uploads that break off.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

use Digest::SHA qw(sha256_hex);
use IO::Compress::Gzip qw(gzip);
use IO::Socket::INET;

my $before = table_hash('contacts');
my $merge = '/batches?action=merge&resource=contact';

sub post_file
{
    my ($type, $body, %option) = @_;
    return request('POST', delete $option{path} || $merge, body => $body, type => $type, %option);
}

sub posted
{
    my $answer = post_file(@_);
    die 'a file was answered ', $answer->status, ' ', $answer->body, "\n" if $answer->status != 202;
    return resource_final($answer->json->{data});
}

sub last_errors
{
    return [
        map { [@$_{qw(ordinal line field code)}] } rows(
            'SELECT ordinal, line, field, code FROM batch_errors WHERE job = (SELECT max(seq) FROM batch_jobs) ORDER BY ordinal'
        )
    ];
}

# ---- NDJSON --------------------------------------------------------------------------------------

my $ndjson = 'application/x-ndjson';
my $body = "\xef\xbb\xbf{\"name\":\"n1\",\"email\":\"1\@x.y\"}\r\n\n5\n{\"name\":\n{\"name\":\"\xff\"}\n"
    . "{\"name\":\"n\0\"}\n{\"nix\":1,\"name\":\"n2\"}\n{\"index\":3,\"line\":4,\"code\":\"x\",\"item\":{\"name\":\"n3\"}}\n{\"name\":\"n1\",\"email\":\"1\@x.y\"}\n [1]\n{\"name\":\"n4\"}";
my $batch = posted($ndjson, $body);
is_result($batch, 'completed', {created => 3, errors => 6, duplicates => 1}, 'NDJSON');
is($batch->{via}, 'file', 'via file');
is($batch->{checksum}, sha256_hex($body), 'its checksum');
is(join(' ', map { $_->{name} } contacts("name LIKE 'n_'")), 'n1 n3 n4', 'the rows');
is_deeply(
    last_errors(),
    [
        [1, 3, undef, 'not_an_object'], [2, 4, undef, 'invalid_json'],
        [3, 5, undef, 'invalid_utf8'], [4, 6, undef, 'nul_byte'],
        [5, 7, 'nix', 'unknown_member'], [7, 9, undef, 'duplicate'],
        [8, 10, undef, 'not_an_object'],
    ],
    'lines that are wrong are item errors, with their lines'
);
like((stored_errors($batch))[1]{message}, qr/column 9/, 'and the column where it is known');
restore();
$batch = posted($ndjson, "{\"id\":\n", path => '/batches?action=overwrite&resource=contact');
is($batch->{status}, 'failed', 'an overwrite with a line that nobody can read');
is(table_hash('contacts'), $before, 'removes nothing');

# ---- An array --------------------------------------------------------------------------------------

restore();
$body = ' [{"name":"a1"}, {"item":{"name":"a2"},"index":1,"code":"x"},3,{"name":null}]';
$batch = posted('application/json; charset=utf-8', $body);
is_result($batch, 'completed', {created => 2, errors => 2}, 'an array');
is($batch->{via}, 'file', 'via file');
is($batch->{checksum}, sha256_hex($body), 'its checksum');
is_deeply([map { [@$_[0, 2, 3]] } @{last_errors()}],
    [[2, undef, 'not_an_object'], [3, 'name', 'wrong_type']], 'its errors');
is_refused(post_file('application/json', '[{"name":"a1"},'), 400, 'invalid_json', 'an array that is cut short');
is_refused(post_file('application/json', "[\n{]"), 400, 'invalid_json', 'an array that is none');
is_wrong(post_file('application/json', '[]'), ['data'], 'an empty array');
is_wrong(post_file('application/json', '[{"name":"x"}]', path => '/batches'), [qw(resource action)],
    'an array without parameters');
is_result(post_file('application/json', '[{"name":"x"}]', path => "$merge&mode=sync")->json->{data}, 'completed', {created => 1}, 'an array in sync');
is_wrong(
    post_file('application/json', '{"action":"merge","resource":"contact","data":[{"name":"x"}]}',
        path => '/batches?mode=sync&dry_run=false'),
    [qw(mode dry_run)], 'parameters beside a request in JSON', like => qr/belongs into the body/
);

# ---- multipart -------------------------------------------------------------------------------------

restore();
my $file = "name,email\r\nm1,1\@x.y\r\n";
sub part
{
    my ($content, $type, $name) = @_;
    return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" . ($name // 'contacts.csv') . "\"\r\n"
        . ($type ? "Content-Type: $type\r\n" : '') . "\r\n$content\r\n";
}
my $field = "--b\r\nContent-Disposition: form-data; name=\"comment\"\r\n\r\nnew ones\r\n";
my $form = 'multipart/form-data; boundary=b';
$batch = posted($form, $field . part($file, 'text/csv') . "--b--\r\n");
is_result($batch, 'completed', {created => 1}, 'a CSV file in a form');
is($batch->{checksum}, sha256_hex($file), 'the checksum is that of the file');
is(scalar(contacts("name = 'm1' AND email = '1\@x.y'")), 1, 'its row');
is_result(posted($form, part($file, 'application/octet-stream') . '--b--'), 'completed', {created => 1}, 'by its name');
is_result(posted($form, part("{\"name\":\"m2\"}\n", undef, 'x.ndjson') . '--b--'), 'completed', {created => 1}, 'NDJSON by its name');
is_result(posted($form, part('[{"name":"m3"}]', 'application/json') . '--b--'), 'completed', {created => 1}, 'an array');
my $jobs = value('SELECT count(*) FROM batch_jobs');
foreach my $case (
    ['no file', "$field--b--", ['body'], qr/no file/],
    ['two files', part($file) . part($file) . '--b--', ['body'], qr/more than one file/],
    ['a picture', part($file, 'image/png') . '--b--', ['file'], qr{text/csv}],
    ['a file without a type', part($file, undef, 'contacts.xlsx') . '--b--', ['file'], qr{text/csv}],
    ['one that is cut short', part($file) . '--b', ['body'], qr/cut short/],
    ['another boundary', "--c\r\n\r\n--c--", ['body'], qr/boundary/],
    ['nothing', '', ['body'], qr/boundary/],
    ['another file behind a field', part($file) . "--b\r\nContent-Disposition: form-data; name=\"mode\"\r\n\r\nsync\r\n" . part($file) . '--b--', ['body'], qr/more than one file/],
    ['a file that is wrong', part("nix\n") . '--b--', ['nix'], qr/line 1/],
    )
{
    my ($name, $text, $fields, $like) = @$case;
    is_wrong(post_file($form, $text), $fields, "form: $name", like => $like);
}
is_refused(post_file($form, part('[{', 'application/json') . '--b--'), 400, 'invalid_json', 'form: JSON that is none');
is(value('SELECT count(*) FROM batch_jobs'), $jobs, 'they make no batch');

# Fields before the file are parameters, as those of the URL are.
restore();
sub field { return "--b\r\nContent-Disposition: form-data; name=\"$_[0]\"\r\n\r\n$_[1]\r\n" }
my $fields = field(resource => 'contact') . field(action => 'merge');
is_result(posted($form, $fields . $field . part($file) . '--b--', path => '/batches'), 'completed', {created => 1}, 'a form with its parameters');
is_result(posted($form, field(properties => '{"notes":"of a form"}') . field(action => 'merge') . part("name\nm2\n") . '--b--', path => '/batches?resource=contact&action=merge'),
    'completed', {created => 1}, 'some of them in the URL, one in both');
is(scalar(contacts("name = 'm2' AND notes = 'of a form'")), 1, 'its row has the defaults of the form');
# In any order: who calls curl does not think of it.
foreach my $path ('/batches', '/batches?action=merge', '/batches?resource=contact', $merge) {
    restore();
    my $rest = ($path =~ /action/ ? '' : field(action => 'merge')) . ($path =~ /resource/ ? '' : field(resource => 'contact'));
    my $batch = posted($form, part($file) . $rest . field(properties => '{"notes":"behind"}') . '--b--', path => $path);
    is_deeply([$batch->{stats}{created}, $batch->{checksum}], [1, sha256_hex($file)], "fields behind the file, $path");
    is(scalar(contacts("name = 'm1' AND notes = 'behind'")), 1, "they count, $path");
}
my $many = "name\n" . join '', map {"many $_\n"} 1 .. 60_000;
is_result(posted($form, part($many) . $fields . '--b--', path => '/batches'), 'completed', {created => 60_000}, 'a large file that waits for its fields');
restore();
my $answer = post_file($form, field(mode => 'sync') . field(atomic => 'false') . $fields . part("name,zip\n") . '--b--', path => '/batches');
is_wrong($answer, ['zip'], 'sync, with a header that is wrong');
$answer = post_file($form, field(mode => 'sync') . field(atomic => 'false') . $fields . part("name,email\nm3,\n,none\n") . '--b--', path => '/batches');
is_envelope($answer, 201, undef, 'sync by a form');
is_result($answer->json->{data}, 'completed', {created => 1, errors => 1}, 'that is not atomic');
$jobs = value('SELECT count(*) FROM batch_jobs');
my $then = table_hash('contacts');
foreach my $case (
    ['twice', field(action => 'merge') . field(action => 'merge') . part($file), ['body'], qr/action twice/],
    ['another value in the URL', field(mode => 'sync') . part($file), ['mode'], qr/one value in the URL and another one in the form/, "$merge&mode=mixed"],
    ['another resource behind the file', field(resource => 'contact') . part($file) . field(resource => 'group'), ['body'], qr/resource twice/, '/batches?action=merge'],
    ['a wrong value behind the file', part($file) . field(mode => 'often'), ['mode'], qr/sync or mixed/],
    ['another value behind the file than in the URL', part($file) . field(mode => 'sync'), ['mode'], qr/in the URL/, "$merge&mode=mixed"],
    ['twice, behind the file', field(mode => 'sync') . part($file) . field(mode => 'sync'), ['body'], qr/mode twice/],
    ['none, and the file waits', part($file), [qw(action resource)], qr/./, '/batches'],
    ['a file that waits and is wrong', part("nix\n") . $fields, ['nix'], qr/line 1/, '/batches'],
    ['a safety net behind the file', part($file) . field(dry_run => 'true'), ['dry_run'], qr/\w/],
    ['a wrong value', field(mode => 'often') . part($file), ['mode'], qr/sync or mixed/],
    ['a wrong flag', field(atomic => 'perhaps') . part($file), ['atomic'], qr/true or false/],
    ['no JSON', field(properties => '{') . part($file), ['properties'], qr/object/],
    ['an unknown resource', field(resource => 'x') . field(action => 'merge') . part($file), ['resource'], qr/contact/, '/batches'],
    ['a byte NUL', field(resource => "contact\0") . part($file), ['body'], qr/resource.*NUL/, '/batches'],
    ['a safety net', field(dry_run => 'true') . part($file), ['dry_run'], qr/\w/],
    )
{
    my ($name, $text, $wrong, $like, $path) = @$case;
    is_wrong(post_file($form, "$text--b--", path => $path // $merge), $wrong, "fields: $name", like => $like);
}
is_refused(post_file($form, field(action => 'overwrite') . field(resource => 'contact') . part($file) . '--b--', path => '/batches', as => 'bob'), 403, 'forbidden', 'fields: who may not');
is_refused(post_file($form, part($file) . field(action => 'overwrite') . field(resource => 'contact') . '--b--', path => '/batches', as => 'bob'), 403, 'forbidden', 'fields behind the file: who may not');
is_refused(post_file($form, field(properties => '{"notes":"' . 'x' x 1_100_000 . '"}') . part($file) . '--b--'), 413, 'too_large', 'fields: too large');
is(value('SELECT count(*) FROM batch_jobs'), $jobs, 'they make no batch');
is(table_hash('contacts'), $then, 'and no row');

# ---- Types that say nothing ------------------------------------------------------------------------

foreach my $type (undef, 'application/octet-stream', 'application/vnd.ms-excel', 'Application/Vnd.MS-Excel;charset=utf-8') {
    my $name = $type // 'no type';
    foreach my $case (['CSV', $file], ['CSV with a BOM', "\xef\xbb\xbf$file"], ['an array', ' [{"name":"m1"}]'], ['a small one', '[{"name":1}, {"name":"m1"}]']) {
        my ($what, $text) = @$case;
        restore();
        my $batch = posted($type, $text);
        is_deeply([$batch->{stats}{created}, $batch->{via}, $batch->{checksum}], [1, 'file', sha256_hex($text)], "$name: $what");
    }
    is_result(post_file($type, $file, path => "$merge&mode=sync")->json->{data}, 'completed', {created => 1}, "$name: in sync");
    is_result(run_batch(merge('contact', [{name => 'm4'}]), type => $type), 'completed', {created => 1}, "$name: a request in JSON");
    is_wrong(post_file($type, $file, path => '/batches'), [qw(resource action)], "$name: CSV without parameters");
    is_refused(post_file($type, $file, path => '/batches?action=overwrite&resource=contact', as => 'bob'), 403, 'forbidden', "$name: who may not");
    is_refused(post_file($type, ''), 400, 'invalid_json', "$name: nothing at all");
}

# ---- Types and compression ---------------------------------------------------------------------------

foreach my $type ('text/plain', 'image/png', 'application/octet-stream; charset=utf-16', 'application/x-www-form-urlencoded', 'text/csv; charset=latin1', 'multipart/form-data',
    'text/csv; header=absent')
{
    $answer = post_file($type, $file);
    is_refused($answer, 415, 'unsupported_media_type', $type);
    like($answer->json->{message}, qr{text/csv|boundary|UTF-8}, "$type: says what there is");
}
like(post_file('image/png', $file)->json->{message}, qr{text/csv, application/x-ndjson, application/json or multipart/form-data},
    '415 says which types there are');
foreach my $case (['text/csv', $file], [$ndjson, "{\"name\":\"z\"}\n"], ['application/json', '[{"name":"z"}]'],
    [$form, part($file) . '--b--'])
{
    my ($type, $text) = @$case;
    gzip(\$text => \my $zipped) or die;
    restore();
    is_result(posted($type, $zipped, headers => {'Content-Encoding' => 'gzip'}), 'completed', {created => 1}, "$type, compressed");
}
restore();
$jobs = value('SELECT count(*) FROM batch_jobs');
$body = "name,notes\n" . "bomb," . 'x' x 40_000_000 . "\n";
gzip(\$body => \my $bomb) or die;
is_refused(post_file('text/csv', $bomb, headers => {'Content-Encoding' => 'gzip'}), 413, 'too_large', 'a bomb');

# LimitRequestBody, 4000 here: of what came, of what was declared, and of what comes out of it.
my $limited = '/limited/batches?action=merge&resource=contact';
foreach my $case (['text/csv', "name\n", '', sub {"row $_[0]\n"}], [$ndjson, '', '', sub {"{\"name\":\"row $_[0]\"}\n"}],
    ['application/json', '[{}', ']', sub {",{\"name\":\"row $_[0]\"}"}],
    [$form, "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.csv\"\r\n\r\nname\n", "\r\n--b--", sub {"row $_[0]\n"}])
{
    my ($type, $head, $tail, $item) = @$case;
    my $large = $head . join('', map { $item->($_) } 1 .. 1000) . $tail;
    is_refused(post_file($type, $large, path => $limited), 413, 'too_large', "LimitRequestBody, $type");
    gzip(\$large => \my $zipped) or die;
    cmp_ok(length $zipped, '<', 4000, "$type: compressed it is small enough");
    is_refused(post_file($type, $zipped, path => $limited, headers => {'Content-Encoding' => 'gzip'}), 413, 'too_large',
        "LimitRequestBody, $type, compressed");
    my $chunked = join('', map { sprintf "%x\r\n%s\r\n", length, $_ } $large =~ /(.{1,500})/gs) . "0\r\n\r\n";
    is_refused(post_file($type, $chunked, path => $limited, headers => {'Transfer-Encoding' => 'chunked', 'Content-Length' => undef}),
        413, 'too_large', "LimitRequestBody, $type, in chunks");
}
# Not asked for with 100 Continue.
my $asked = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => BatchTest::Config::var('port')) or die;
$asked->print(request_text('POST', $limited, type => 'text/csv', headers => {'Content-Length' => 1_000_000, Expect => '100-continue'}));
$asked->flush;
like(do { local $/; <$asked> } // '', qr{^HTTP/1.1 413 }, 'LimitRequestBody by Content-Length alone, without a byte of it');
close $asked;
is(value('SELECT count(*) FROM batch_jobs'), $jobs, 'what is too large makes no batch');

# ---- Uploads that break off ----------------------------------------------------------------------------

# Temporary files that the server has open.
sub spools
{
    return scalar grep { (readlink $_ // '') =~ m{/batch-\w{6} \(deleted\)$} }
        map { glob "/proc/$_/fd/*" } server_children();
}
restore();
$jobs = value('SELECT count(*) FROM batch_jobs');
my $rows = join '', map { "cut $_," . 'n' x 200 . "\n" } 1 .. 5000;
my $text = request_text('POST', $merge, body => "name,notes\n$rows", type => 'text/csv');
foreach my $half (0, 1) {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => BatchTest::Config::var('port')) or die;
    $socket->print(substr $text, 0, -10);
    $socket->flush;
    wait_for('the spool of an upload', sub { spools() || undef }) if !$half;
    if ($half) {
        shutdown $socket, 1;
        local $/;
        like(scalar <$socket> // '', qr{^HTTP/1.1 400}, 'it is said that the body did not arrive whole');
    }
    close $socket;
    wait_for('it to be gone', sub { !spools() || undef });
}
is(spools(), 0, 'no temporary file is left of an upload that breaks off');
is(value('SELECT count(*) FROM batch_jobs'), $jobs, 'no batch is made of it');
is(value('SELECT count(*) FROM batch_items'), 0, 'nor an item stored');
is(table_hash('contacts'), $before, 'nor a row');

# ---- Limits ----------------------------------------------------------------------------------------------

configure('BatchMaxItems 50', 'BatchMaxItemSize 200');
server_stop();
ok(server_start(), 'with low limits');
foreach my $case (
    ['text/csv', "name\n", sub {"c$_[0]\n"}, ''],
    [$ndjson, '', sub {"{\"name\":\"j$_[0]\"}\n"}, ''],
    ['application/json', '[{"name":"a0"}', sub {",{\"name\":\"a$_[0]\"}"}, ']'],
    )
{
    my ($type, $head, $item, $tail) = @$case;
    my $extra = $type eq 'application/json' ? 1 : 0;
    my $make = sub { $head . join('', map { $item->($_) } 1 .. $_[0] - $extra) . $tail };
    is_result(posted($type, $make->(50)), 'completed', {created => 50}, "$type: 50 items");
    my $count = value('SELECT count(*) FROM batch_jobs');
    is_wrong(post_file($type, $make->(51)), ['data'], "$type: 51", like => qr/more than 50 items/);
    is_wrong(post_file($type, $make->(5000)), ['data'], "$type: 5000");
    is(value('SELECT count(*) FROM batch_jobs'), $count, "$type: no batch is made");
}
restore();
$batch = posted('text/csv', "name,notes\na,\n\"b\n" . 'x' x 10_000 . "\",\n" . 'c' x 199 . ",\n" . 'd' x 200 . ",\ne,\n");
is_result($batch, 'completed', {created => 3, errors => 2}, 'rows that are too large');
is_deeply(last_errors(), [[1, 3, undef, 'too_large'], [3, 6, undef, 'too_large']], 'are item errors, with their lines')
    or diag(join ' ', map { join ',', map { $_ // '-' } @$_ } @{last_errors()});
$batch = posted($ndjson, "{\"name\":\"f\"}\n{\"name\":\"" . 'g' x 20_000 . "\"}\n{\"name\":\"" . 'h' x 190 . "\"}\n{\"name\":\"i\"}\n");
is_result($batch, 'completed', {created => 2, errors => 2}, 'lines that are too large');
is_deeply(last_errors(), [[1, 2, undef, 'too_large'], [2, 3, undef, 'too_large']], 'too');
unconfigure();
server_stop();
ok(server_start(), 'as before');

tolerate_log(qr/MB0305|deflate|AH01390/i);
finish();
