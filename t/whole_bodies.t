# A body that says that it is a part of something, or that is not what its digest says, is never taken
# for the whole: 400, no batch, no row, and a batch that waits for its upload goes on waiting.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;
use Digest::MD5 ();
use Digest::SHA ();
use IO::Compress::Gzip qw(gzip);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);

my $json = JSON::PP->new->utf8->canonical;
my $csv = "name,email\nwhole,w\@example.com\n";
my $form = 'multipart/form-data; boundary=b';
my %digest = (
    'sha-256' => sub { Digest::SHA::sha256($_[0]) },
    'sha-512' => sub { Digest::SHA::sha512($_[0]) },
    sha => sub { Digest::SHA::sha1($_[0]) },
    md5 => sub { Digest::MD5::md5($_[0]) },
);

sub base64 { return encode_base64($_[0], '') }

# sha-256=:…: of the bytes.
sub dictionary
{
    my ($bytes, @names) = @_;
    return join ', ', map {"$_=:" . base64($digest{$_}->($bytes)) . ':'} @names ? @names : 'sha-256';
}

sub in_form
{
    my ($content, @headers) = @_;
    return join("\r\n", '--b', 'Content-Disposition: form-data; name="file"; filename="f.csv"', @headers, '', $content, '--b--', '');
}

sub all_rows { return join ' ', map { table_hash($_) } qw(contacts records) }
sub batches { return value('SELECT count(*) FROM batch_jobs') }

# Ways to make a batch: [name, path, type, body, the reply that it should have].
my $merge = 'action=merge&resource=contact';
my @creates = (
    ['a request', '/batches', 'application/json', $json->encode(merge('contact', [{name => 'whole'}])), 202],
    ['a request in sync', '/batches', 'application/json', $json->encode({%{merge('contact', [{name => 'whole'}])}, mode => 'sync'}), 201],
    ['CSV', "/batches?$merge", 'text/csv', $csv, 202],
    ['CSV in sync', "/batches?$merge&mode=sync", 'text/csv', $csv, 201],
    ['NDJSON', "/batches?$merge", 'application/x-ndjson', qq({"name":"whole"}\n), 202],
    ['an array', "/batches?$merge", 'application/json', '[{"name":"whole"}]', 202],
    ['a form', "/batches?$merge", $form, in_form($csv), 202],
    ['the records API', '/batch', 'application/json', $json->encode({batch => {operations => [delete_ids(unknown_ids(1))]}}), 202],
);

sub is_bad
{
    my ($answer, $path, $name, $like) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $path =~ m{^/batches} ? is_refused($answer, 400, 'bad_request', $name) : is_error($answer, 400, $name);
    return like($answer->json->{message}, $like, "$name: says what is wrong");
}

# ---- Creates -------------------------------------------------------------------------------------

my ($rows, $jobs) = (all_rows(), batches());
foreach my $create (@creates) {
    my ($name, $path, $type, $body) = @$create;
    my $other = $body =~ s/whole|0/x/r;
    my %wrong = (
        'Content-Range' => [{'Content-Range' => 'bytes 0-' . (length($body) - 1) . '/' . 2 * length $body}, qr/Content-Range.*part/],
        'all of it as a Content-Range' => [{'Content-Range' => 'bytes 0-' . (length($body) - 1) . '/' . length $body}, qr/Content-Range/],
        'Content-Range of no bytes' => [{'Content-Range' => 'items 0-1/2'}, qr/Content-Range/],
        'Content-MD5' => [{'Content-MD5' => base64(Digest::MD5::md5($other))}, qr/Content-MD5.*send it again/],
        'Content-MD5 in hex' => [{'Content-MD5' => Digest::MD5::md5_hex($body)}, qr/Content-MD5 is malformed/],
        (map { ("Content-Digest $_" => [{'Content-Digest' => dictionary($other, $_)}, qr/$_.*Content-Digest/]) } keys %digest),
        'Content-Digest of two, one wrong' =>
            [{'Content-Digest' => dictionary($body, 'sha-256') . ',' . dictionary($other, 'sha-512')}, qr/sha-512.*Content-Digest/],
        'Content-Digest cut short' => [{'Content-Digest' => 'sha-256=:' . base64(substr $digest{'sha-256'}->($body), 0, 31) . ':'}, qr/Content-Digest/],
        'Content-Digest without colons' => [{'Content-Digest' => 'sha-256=' . base64($digest{'sha-256'}->($body))}, qr/Content-Digest is malformed/],
        'Repr-Digest' => [{'Repr-Digest' => dictionary($other)}, qr/Repr-Digest/],
        'Repr-Digest, the other one right' => [{'Repr-Digest' => dictionary($other), 'Content-Digest' => dictionary($body)}, qr/Repr-Digest/],
    );
    foreach my $what (sort keys %wrong) {
        my ($headers, $like) = @{$wrong{$what}};
        is_bad(request('POST', $path, type => $type, body => $body, headers => $headers), $path, "$name: $what", $like);
    }
    is_bad(request('POST', $path, type => 'multipart/byteranges; boundary=b', body => $body), $path, "$name: multipart/byteranges", qr/byteranges/);
}
is_bad(request('POST', "/batches?$merge", type => $form, body => in_form($csv, 'Content-Range: bytes 0-26/52')), '/batches', 'a part with a Content-Range',
    qr/Content-Range/);
# What a body seems to be does not matter where it is not what was sent.
foreach my $create (@creates) {
    my ($name, $path, $type, $body) = @$create;
    my $cut = substr $body, 0, -3;
    is_bad(request('POST', $path, type => $type, body => $cut, headers => {'Content-Digest' => dictionary($body)}), $path, "$name: cut short", qr/Content-Digest/);
    my $broken = $body =~ s/^(\W?)./$1\x01/r . ' ' x 200_000;
    is_bad(request('POST', $path, type => $type, body => $broken, headers => {'Content-Digest' => dictionary($body)}), $path, "$name: broken", qr/Content-Digest/);
}
is_refused(request('POST', "/batches?action=overwrite&resource=contact", as => 'bob', type => 'text/csv', body => $csv, headers => {'Content-Digest' => dictionary('x')}),
    403, 'forbidden', 'who may not hears that first');
is_refused(request('POST', "/batches?action=overwrite&resource=contact", as => 'bob', type => 'application/json', body => '[{"name":"x"}]', headers => {'Content-Digest' => dictionary('x')}),
    403, 'forbidden', 'by the first byte, too');
is(batches(), $jobs, 'none of these makes a batch');
is(all_rows(), $rows, 'or touches a row');

# ---- What is right is taken ------------------------------------------------------------------------

foreach my $create (@creates) {
    my ($name, $path, $type, $body, $status) = @$create;
    my %right = (
        'Content-MD5' => {'Content-MD5' => base64(Digest::MD5::md5($body))},
        'Content-Digest of all kinds' => {'Content-Digest' => dictionary($body, keys %digest)},
        'Content-Digest in two lines' => {'Content-Digest' => [dictionary($body, 'sha-256'), dictionary($body, 'sha-512')]},
        'the last one of a kind counts' => {'Content-Digest' => dictionary('x') . ' ,  ' . dictionary($body) . ';q=1'},
        'without padding' => {'Content-Digest' => dictionary($body) =~ s/=+:$/:/r},
        'an algorithm that is not known' => {'Content-Digest' => 'crc-7=:AAAA:, x=1;y="a,b", z, unixsum=:30637:'},
        'no algorithm' => {'Content-Digest' => ''},
        'Repr-Digest' => {'Repr-Digest' => dictionary($body, 'sha-512')},
        'all of them' => {'Content-MD5' => base64(Digest::MD5::md5($body)), 'Content-Digest' => dictionary($body), 'Repr-Digest' => dictionary($body)},
    );
    foreach my $what (sort keys %right) {
        is(request('POST', $path, type => $type, body => $body, headers => $right{$what})->status, $status, "$name: $what");
    }
    # What is sent compressed is what the digests are about.
    gzip(\$body => \my $zipped) or die;
    my %gzip = ('Content-Encoding' => 'gzip');
    foreach my $header ('Content-Digest', 'Repr-Digest') {
        is(request('POST', $path, type => $type, body => $zipped, headers => {%gzip, $header => dictionary($zipped)})->status, $status, "$name, compressed: $header");
        is_bad(request('POST', $path, type => $type, body => $zipped, headers => {%gzip, $header => dictionary($body)}), $path, "$name, compressed: $header of what is in it", qr/$header/);
    }
    is(request('POST', $path, type => $type, body => $zipped, headers => {%gzip, 'Content-MD5' => base64(Digest::MD5::md5($zipped))})->status, $status, "$name, compressed: Content-MD5");
    # In chunks.
    my $chunked = join('', map { sprintf "%x\r\n%s\r\n", length, $_ } $body =~ /(.{1,7})/gs) . "0\r\n\r\n";
    my %chunks = ('Transfer-Encoding' => 'chunked', 'Content-Length' => undef);
    is(request('POST', $path, type => $type, body => $chunked, headers => {%chunks, 'Content-Digest' => dictionary($body)})->status, $status, "$name, in chunks: Content-Digest");
    is_bad(request('POST', $path, type => $type, body => $chunked, headers => {%chunks, 'Content-Digest' => dictionary($chunked)}), $path, "$name, in chunks: a wrong one", qr/Content-Digest/);
    # Without its end.
    my $text = request_text('POST', $path, type => $type, body => $chunked =~ s/0\r\n\r\n\z//r, headers => \%chunks);
    my $count = batches();
    is_bad(raw($text, half_close => 1), $path, "$name, in chunks, without the last one", qr/whole/);
    is_bad(raw(request_text('POST', $path, type => $type, body => $body, headers => {'Content-Length' => length($body) + 1}), half_close => 1), $path, "$name, shorter than it says", qr/whole/);
    is(batches(), $count, "$name: no batch of these");
}
wait_for('all batches to end', sub { !value("SELECT count(*) FROM batch_jobs WHERE status IN ('queued', 'processing')") });
restore();

# ---- Uploads -------------------------------------------------------------------------------------

my $before = all_rows();
my %half = (
    'Content-Range' => [{'Content-Range' => 'bytes 0-26/52'}],
    'multipart/byteranges' => [{}, 'multipart/byteranges; boundary=b'],
    'a part with a Content-Range' => [{}, $form, in_form($csv, 'content-range: bytes 0-26/52')],
    'Content-MD5' => [{'Content-MD5' => base64(Digest::MD5::md5('x'))}],
    'a malformed Content-MD5' => [{'Content-MD5' => 'x'}],
    'Content-Digest' => [{'Content-Digest' => dictionary('x')}],
    'a malformed Content-Digest' => [{'Content-Digest' => 'sha-256'}],
    'Repr-Digest' => [{'Repr-Digest' => dictionary('x')}],
    'Content-Digest of half a form' => [{'Content-Digest' => dictionary(in_form($csv))}, $form, substr in_form($csv), 0, -9],
    'Content-Digest of what is no CSV any more' => [{'Content-Digest' => dictionary($csv)}, 'text/csv', qq(name\n"x"y) . ' ' x 100_000],
    'Content-Digest of what has no known header' => [{'Content-Digest' => dictionary($csv)}, 'text/csv', substr $csv, 2],
    'Content-Digest of half an array' => [{'Content-Digest' => dictionary('[{"name":"x"}]')}, 'application/json', '[{"name":'],
);
foreach my $method ('PUT', 'POST') {
    my $batch = requested(overwrite('contact', []));
    foreach my $what (sort keys %half) {
        my ($headers, $type, $body) = @{$half{$what}};
        my $answer = upload($batch, method => $method, type => $type // 'text/csv', body => $body // $csv, headers => $headers);
        is_refused($answer, 400, 'bad_request', "$method with $what");
        wait_for('the batch to be free', sub { !stored_of($batch)->{owner_host} });
        is_deeply([@{stored_of($batch)}{qw(status segments received)}], ['requested', 0, 0], "$method with $what: the batch waits on");
    }
    is(all_rows(), $before, "$method: no row was touched");
    is(upload($batch, method => $method, type => 'text/csv', body => $csv, headers => {'Content-Digest' => dictionary($csv), 'Content-MD5' => base64(Digest::MD5::md5($csv))})->status,
        202, "$method: then it takes the whole");
    is_result(resource_final($batch), 'completed', {created => 1, overwritten => 4}, "$method: and runs");
    restore();
}
my $batch = requested(merge('contact', []));
is_refused(request('PUT', "/batches/$batch->{id}/upload", as => 'carol', type => 'text/csv', body => $csv, headers => {'Content-Digest' => dictionary('x')}), 404, 'not_found',
    'of another organization it is 404 as ever');

# ---- Requests without a batch's body -------------------------------------------------------------

my $pending = pending(delete_ids(unknown_ids(1)));
is_error(request('POST', "/batch/$pending->{id}/operations", json => {operations => [delete_ids('x')]}, headers => {'Content-Range' => 'bytes 0-1/9'}), 400, 'operations with Content-Range');
is_error(request('POST', "/batch/$pending->{id}/operations", json => {operations => [delete_ids('x')]}, headers => {'Content-Digest' => dictionary('x')}), 400, 'operations with another digest');
is(batch($pending)->{objects_total}, $pending->{objects_total}, 'change nothing');
is(start($pending)->status, 202, 'a start without a body');
finished($pending);

# ---- Several gzip members ------------------------------------------------------------------------

gzip(\$csv => \my $one) or die;
my $second = "twice,t\@example.com\n";
gzip(\$second => \my $two) or die;
$jobs = batches();
foreach my $case (['two members', $one . $two], ['a member twice', $one . $one], ['members in chunks', $one . $two, 1]) {
    my ($what, $body, $chunks) = @$case;
    my $text = $chunks ? join('', map { sprintf "%x\r\n%s\r\n", length, $_ } $body =~ /(.{1,5})/gs) . "0\r\n\r\n" : $body;
    my $answer = request('POST', "/batches?$merge", type => 'text/csv', body => $text,
        headers => {'Content-Encoding' => 'gzip', $chunks ? ('Transfer-Encoding' => 'chunked', 'Content-Length' => undef) : ()});
    is_bad($answer, '/batches', $what, qr/several gzip members.*zcat/);
}
unlike(request('POST', "/batches?$merge", type => 'text/csv', body => substr($one, 0, -9), headers => {'Content-Encoding' => 'gzip'})->json->{message}, qr/members/,
    'one that is cut short is called so');
is(batches(), $jobs, 'they make no batch');

tolerate_log(qr/MB0305|AH0248[125]/);
finish();
