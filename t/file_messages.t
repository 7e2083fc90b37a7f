# Files that are nearly right: the message says what is wrong, where, and what to do instead; as a create in
# both modes, as a file in a form, and as an upload.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;
use IO::Compress::Gzip qw(gzip);
use JSON::PP ();

my $merge = '/batches?action=merge&resource=contact';
my $row = "Anna,anna\@example.com\n";
my $before = table_hash('contacts');
my $utf8 = JSON::PP->new->utf8;

# The same file in every way: its one problem has that field, line and words.
sub is_told
{
    my ($name, $text, $field, $line, $like, %option) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $type = exists $option{type} ? $option{type} : 'text/csv';
    my $form = join "\r\n", '--b', 'Content-Disposition: form-data; name="f"; filename="f.csv"', 'Content-Type: ' . ($type // 'text/csv'), '', $text, '--b--', '';
    my $batch = requested(merge('contact', []));
    my %answers = (
        'a create' => request('POST', $merge, body => $text, type => $type),
        'a create in sync' => request('POST', "$merge&mode=sync", body => $text, type => $type),
        'an upload' => upload($batch, body => $text, type => $type),
        $option{no_form} ? () : ('a form' => request('POST', $merge, body => $form, type => 'multipart/form-data; boundary=b')),
    );
    foreach my $way (sort keys %answers) {
        my $answer = $answers{$way};
        my $json = $answer->json;
        is($answer->status, 422, "$name, $way: 422") or diag($answer->body);
        my @errors = @{$json->{errors}};
        my $is_form = $way eq 'a form' && $field eq 'body' && !$line;
        is_deeply([map { [@$_{qw(field line)}] } $errors[0]], [[$is_form ? 'file' : $field, $line]], "$name, $way: where") or diag($answer->body);
        like($errors[0]{message}, $like, "$name, $way: what");
        is($json->{data}{status}, 'failed', "$name: the upload is failed"), like($json->{data}{reason}, $like, "$name: and says so") if $way eq 'an upload';
    }
    return;
}

# ---- Separators ------------------------------------------------------------------------------------

foreach my $case ([';', 'semicolons'], ["\t", 'tabs'], ['|', 'pipes']) {
    my ($byte, $word) = @$case;
    is_told($word, "name${byte}email\nAnna${byte}a\@example.com\n", "name${byte}email", 1, qr/separated by commas, not by $word/);
    is_told("$word, quoted", "\"name\"${byte}\"email\"\n", 'body', 1, qr/^(?:the upload cannot be taken: body )?line 1, column 7: behind the closing quote .*separated by commas, not by $word/);
    is_told("$word in a row", "name,email\n\"Anna\"${byte}\"x\"\n", 'body', 2, qr/line 2, column 7: .*not by $word/);
}
foreach my $line ('sep=,', 'sep=;', 'SEP=;', 'sep=') {
    is_told($line, "$line\nname,email\n$row", $line eq 'sep=,' ? 'sep=' : $line, 1, qr/must begin with the names of its columns: take the line sep= out/);
}

# ---- Names -----------------------------------------------------------------------------------------

foreach my $case (
    ["\x{feff}name", 'U\+FEFF \(byte order mark\) at its start; without that it is name', "\xef\xbb\xbf"],
    ["\x{200b}name", 'U\+200B \(zero width space\) at its start; without that it is name'],
    ["name\x{a0}", 'U\+00A0 \(no-break space\) at its end; without that it is name'],
    ['name ', 'U\+0020 \(space\) at its end; without that it is name'],
    ["na\x{ad}me", 'U\+00AD \(soft hyphen\) as its character 3; without that it is name'],
    ["\x{200b}Name", 'U\+200B \(zero width space\) at its start; did you mean "name"\?'],
    ["x\x{2060}yz", 'U\+2060 \(word joiner\) as its character 2, which has id, name, email|, which has id, name, email.*U\+2060'],
    ['Name', 'did you mean "name"\?'],
    ['E-Mail', 'did you mean "email"\?'],
    ['mail', 'did you mean "email"\?'],
    ['NAME', 'did you mean "name"\?'],
    ['zip', 'which has id, name, email, phone, notes\b(?!.*did you mean)'],
    )
{
    my ($name, $like, $first) = @$case;
    my $bytes = $name;
    utf8::encode($bytes);
    is_told("the name $bytes", ($first // '') . "phone,$bytes\n1,2\n", $name, 1, qr/$like/) if !$first;
    is_told("the first name $bytes", ($first // '') . "$bytes,phone\n1,2\n", $name, 1, qr/$like/);
}
my $answer = request('POST', $merge, body => "Name,E-mail,zip\n", type => 'text/csv');
is_wrong($answer, ['Name', 'E-mail', 'zip'], 'each name has its words');
like(join(' ', map { $_->{message} } @{$answer->json->{errors}}), qr/did you mean "name"\?.*did you mean "email"\?/, 'also the second one');

# Members of items are told so, too, and those of properties.
foreach my $case (['JSON', 'application/json', '[{"name":"x","E-mail":"y"},{"\u200bname":"x"}]'], ['NDJSON', 'application/x-ndjson', "{\"name\":\"x\",\"E-mail\":\"y\"}\n{\"\\u200bname\":\"x\"}\n"]) {
    my ($name, $type, $text) = @$case;
    my @errors = @{request('POST', "$merge&mode=sync", body => $text, type => $type)->json->{errors}};
    like($errors[0]{message}, qr/did you mean "email"\?/, "$name: a member that is nearly right");
    like($errors[1]{message}, qr/U\+200B .* at its start; without that it is name/, "$name: one with an invisible character");
}
is_wrong(post_batches(merge('contact', [{name => 'x'}], properties => {Notes => 'y'})), ['properties.Notes'], 'a default that is nearly right', like => qr/did you mean "notes"\?/);

# ---- What was sent by curl -------------------------------------------------------------------------

my $glued = "name,email\n$row" =~ s/\n//gr;
is_told('curl -d, CSV', $glued, 'emailAnna', 1, qr/one line: curl -d takes line ends out, --data-binary does not/);
is_told('curl -d of a large file', $glued . 'x' x 1_100_000, 'header', 1, qr/more than \d+ bytes; the file is one line: curl -d/);
is_told('curl -d, CSV of one column', 'nameAnnaBob', 'nameAnnaBob', 1, qr/one line: curl -d/);
unlike(request('POST', $merge, body => 'zip', type => 'text/csv')->json->{errors}[0]{message}, qr/curl/, 'not where a name is just unknown');
$answer = request('POST', "$merge&mode=sync", body => '{"name":"a"}{"name":"b"}', type => 'application/x-ndjson');
like($answer->json->{errors}[0]{message}, qr/column 13\): each object stands on a line of its own; curl -d takes line ends out/, 'curl -d, NDJSON');
foreach my $path ($merge, sub { url_path(requested(merge('contact', []))->{_upload_url}) }) {
    $answer = request(ref $path ? 'PUT' : 'POST', ref $path ? $path->() : $path, ref $path ? (as => undef) : (), body => $glued, type => 'application/x-www-form-urlencoded');
    is_refused($answer, 415, 'unsupported_media_type', 'what curl says by itself');
    like($answer->json->{message}, qr/curl -H 'Content-Type: text\/csv' --data-binary \@FILE/, 'says what to send');
}

# ---- JSON that is another kind ---------------------------------------------------------------------

my $lines = qq({"name":"a"}\n{"name":"b"}\n);
foreach my $type (undef, 'application/json', 'application/octet-stream') {
    my $name = $type // 'no type';
    my $batch = requested(merge('contact', []));
    $answer = upload($batch, body => $lines, type => $type);
    is_envelope($answer, 422, 'batch_failed', "NDJSON to an upload URL, $name");
    like($answer->json->{data}{reason}, qr/expected nothing behind the document; a file of one object a line has the Content-Type application\/x-ndjson \(line 2, column 1\)/, "$name: says what to send");
    $batch = requested(merge('contact', []));
    $answer = upload($batch, body => qq({"name":"a"}\n), type => $type);
    is_envelope($answer, 422, 'batch_failed', "one line of it, $name");
    like($answer->json->{data}{reason}, qr/data is required in an object; .*application\/x-ndjson/, "$name: says what to send");
    $answer = request('POST', $merge, body => $lines, type => $type);
    is_refused($answer, 400, 'invalid_json', "NDJSON to a create, $name");
    like($answer->json->{message}, qr/application\/x-ndjson \(line 2, column 1\)/, "$name: says what to send");
    $answer = request('POST', $merge, body => qq({"name":"a"}\n), type => $type);
    is_wrong($answer, [qw(action resource)], "one line of it, $name", like => qr/application\/x-ndjson/, more => 1);
}
$answer = request('POST', $merge, body => '[{name:1}]', type => 'text/csv');
like($answer->json->{errors}[0]{message}, qr/looks like JSON: send it with the Content-Type application\/json/, 'JSON that is called CSV');

# ---- Files that are no text ------------------------------------------------------------------------

gzip(\"name,email\n$row" => \my $zipped) or die;
foreach my $type ('text/csv', 'application/x-ndjson') {
    is_told("gzip as $type", $zipped, 'body', undef, qr/this is a gzip file: unpack it, or send it .*Content-Encoding: gzip/, type => $type);
}
is_told('gzip without a type', $zipped, 'body', undef, qr/this is a gzip file/, type => undef, no_form => 1);
is_told('a workbook', "PK\x03\x04\x14\0\x06\0" . "\0" x 100, 'body', undef, qr/workbook .*save it as CSV/);
is_told('an old workbook', "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" . "\0" x 100, 'body', undef, qr/\.xls.*save it as CSV/);
is_told('a PDF file', "%PDF-1.7\n%\xe2\xe3\n", 'body', undef, qr/PDF/);
is_refused(request('POST', $merge, body => $zipped, type => 'application/json'), 400, 'invalid_json', 'gzip as JSON');
foreach my $type ('application/gzip', 'application/x-gzip') {
    $answer = request('POST', $merge, body => $zipped, type => $type);
    is_refused($answer, 415, 'unsupported_media_type', $type);
    like($answer->json->{message}, qr/Content-Encoding: gzip/, "$type: says what to send");
}
my $form = join "\r\n", '--b', 'Content-Disposition: form-data; name="f"; filename="contacts.csv.gz"', 'Content-Type: application/gzip', '', $zipped, '--b--', '';
is_wrong(request('POST', $merge, body => $form, type => 'multipart/form-data; boundary=b'), ['file'], 'gzip in a form', like => qr/this is a gzip file/);
is_result(resource_final(request('POST', $merge, body => $zipped, type => 'text/csv', headers => {'Content-Encoding' => 'gzip'})->json->{data}), 'completed', {created => 1}, 'as it is told, it is taken');

restore();
is(table_hash('contacts'), $before, 'the rows are as they were');
finish();
