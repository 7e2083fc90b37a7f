# Signed URLs: each is for one method, one file of one batch, until it expires. Whatever is not
# exactly that is 403, with nothing about the batch.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

my $none = '00000000-0000-4000-8000-000000000000';
my @files = qw(upload_csv upload_json errors_csv errors_json);

# 403 in the envelope, with nothing that tells whether there is such a batch.
sub is_forbidden
{
    my ($answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_refused($answer, 403, 'forbidden', $name);
    my $body = $answer->body;
    $body =~ s/"endpoint":"[^"]*"//;
    return unlike($body, qr/[0-9a-f]{8}-|contact|acme|expire|batch/i, "$name: and says nothing of the batch");
}

# ---- What they look like -------------------------------------------------------------------------

my $waiting = requested(merge('contact', []));
my $done = run_batch(merge('contact', [{name => 'One'}, {name => 5}, {name => 'Two'}]));
my $port = var('port');
like($waiting->{_upload_url},
    qr{^http://127\.0\.0\.1:$port/batches/$waiting->{id}/upload\?expires=\d{10}&signature=[0-9a-f]{64}$},
    'the URL of an upload is absolute');
my %url = map { $_ => file_url($done, $_) } @files;
foreach my $which (@files) {
    my $leaf = $which =~ tr/_/./r;
    like($url{$which},
        qr{^http://127\.0\.0\.1:$port/batches/$done->{id}/\Q$leaf\E\?expires=\d{10}&signature=[0-9a-f]{64}$},
        "$which: and so is its URL");
}
is(scalar(keys %{{map { /signature=(.*)/ => 1 } values %url, $waiting->{_upload_url}}}), 5, 'each has a signature of its own');

# What a create answers is what a look shows: the same URL, to the same second.
is(resource_batch($waiting)->{_upload_url}, $waiting->{_upload_url}, 'a look shows the same upload URL');
is(request('GET', '/batches')->json->{data}[0]{_upload_url}, undef, 'a list shows none');
is(resource_batch($done)->{_upload_url}, undef, 'a batch with data has no upload URL');
is_deeply([@{resource_batch($done)}{map {"_${_}_url"} @files}], [undef, undef, undef, undef], 'no file unless it is asked for');
my $answer = request('GET', "/batches/$done->{id}?include_errors_csv=true&include_upload_json=false");
is_deeply([map { defined $answer->json->{data}{"_${_}_url"} ? 1 : 0 } @files], [0, 0, 1, 0], 'what is asked for is there, and nothing else');
is($answer->header('Cache-Control'), 'private, no-store', 'an answer with URLs is not kept');
is($answer->header('ETag'), undef, 'nor compared with one');
is_wrong(request('GET', "/batches/$done->{id}?include_errors_csv=yes"), ['include_errors_csv'], 'a flag that is none');
foreach my $case (['=TRUE', 1], ['=1', 1], ['', 1], ['=False', 0], ['=0', 0]) {
    my ($flag, $wanted) = @$case;
    is(defined request('GET', "/batches/$done->{id}?include_upload_csv$flag")->json->{data}{_upload_csv_url} ? 1 : 0, $wanted, "include_upload_csv$flag");
}
like(file_url($done, 'upload_csv', path => '/v1/batches') // '', qr{/batches/}, 'the URL is below where it was asked for');
is(request('GET', "/v1/batches/$done->{id}?include_upload_csv=true")->json->{data}{_upload_csv_url} =~ m{:$port/v1/batches/} ? 1 : 0, 1, 'with its prefix');
$answer = request('GET', "/batches/$done->{id}?include_upload_csv=true", headers => {Host => 'batches.example:8443'});
like($answer->json->{data}{_upload_csv_url}, qr{^http://batches\.example:8443/batches/}, 'with the host that the client has used');

# An overwrite's URL is for those who may overwrite.
my $overwriting = requested(overwrite('contact', []));
ok(resource_batch($overwriting)->{_upload_url}, 'alice sees the URL of an overwrite');
is(resource_batch($overwriting, as => 'bob')->{_upload_url}, undef, 'bob, who may not, does not');
is_refused(request('GET', "/batches/$waiting->{id}", as => 'carol'), 404, 'not_found', 'another organization sees no batch');

# ---- What they let in ----------------------------------------------------------------------------

foreach my $which (@files) {
    foreach my $round (1 .. 2) {
        is(signed('GET', $url{$which})->status, 200, "$which: GET by nobody, time $round");
    }
    my $head = signed('HEAD', $url{$which});
    is($head->status . $head->body, 200, "$which: HEAD with the signature of GET");
    is(request('GET', url_path($url{$which}), as => 'carol')->status, 200, "$which: the URL is what counts, not who has it");
    is_forbidden(signed($_, $url{$which}, body => '[]'), "$which: $_") for qw(PUT POST DELETE);
}

# ---- What is another URL ------------------------------------------------------------------------

my $other = run_batch(merge('contact', [{name => 'Other'}, {name => 6}]));
my $other_waiting = requested(merge('contact', []));
my $good = $url{errors_csv};
my ($expires, $signature) = $good =~ /expires=(\d+)&signature=([0-9a-f]+)$/;
my %tampered = (
    'the last digit' => url_with($good, signature => substr($signature, 0, 63) . ($signature =~ /0$/ ? '1' : '0')),
    'the first digit' => url_with($good, signature => ($signature =~ /^0/ ? '1' : '0') . substr($signature, 1)),
    'upper case' => url_with($good, signature => uc $signature),
    'half of it' => url_with($good, signature => substr $signature, 0, 32),
    'one digit more' => url_with($good, signature => "${signature}0"),
    'nothing' => url_with($good, signature => ''),
    'no expiry' => url_with($good, expires => undef),
    'an empty expiry' => url_with($good, expires => ''),
    'a later expiry' => url_with($good, expires => $expires + 1),
    'an earlier expiry' => url_with($good, expires => $expires - 1),
    'a negative expiry' => url_with($good, expires => '-1'),
    'an endless expiry' => url_with($good, expires => '9' x 40),
    'an expiry with a zero in front' => url_with($good, expires => "0$expires"),
    'an expiry with a blank' => url_with($good, expires => "$expires%20"),
    'an expiry with a line break' => url_with($good, expires => "$expires%0a"),
    'another batch' => $good =~ s/$done->{id}/$other->{id}/r,
    'no batch' => $good =~ s/$done->{id}/$none/r,
    'another file' => $good =~ s/errors\.csv/upload.csv/r,
    'another format' => $good =~ s/errors\.csv/errors.json/r,
    'no extension' => $good =~ s/errors\.csv/errors/r,
    'another prefix' => $good =~ s{/batches/}{/v1/batches/}r,
    'the id in upper case' => $good =~ s/$done->{id}/\U$done->{id}/r,
    'the signature of another' => url_with($good, signature => file_url($other, 'errors_csv') =~ s/.*signature=//r),
);
foreach my $what (sort keys %tampered) {
    is_forbidden(signed('GET', $tampered{$what}), $what);
    # A signature that is wrong is no better with a user.
    is(request('GET', url_path($tampered{$what}))->status, 403, "$what: also with credentials") if $what =~ /digit|expiry/;
}
is(signed('GET', url_with($good, expires => $expires) . '&more=1')->status, 200, 'another parameter does not matter');
is(signed('GET', $good =~ s{csv\?}{%63sv?}r)->status, 200, 'nor how the path is written');
is(signed('GET', $good)->status, 200, 'the right one still holds');

# Without a signature it is as ever: 401 for nobody, 404 for another organization.
my ($bare) = url_path($good) =~ /^([^?]+)/;
is_refused(request('GET', $bare, as => undef), 401, 'unauthorized', 'no signature, and nobody');
is_refused(request('GET', "$bare?expires=$expires", as => undef), 401, 'unauthorized', 'an expiry alone is no signature');
is_refused(request('GET', $bare, as => 'carol'), 404, 'not_found', 'another organization, without a signature');
is(request('GET', $bare, as => 'bob')->status, 200, 'bob fetches it without one');
# Nor does a signature open anything else.
foreach my $path ("/batches/$done->{id}", '/batches', "/batches/$done->{id}/cancel", '/batch') {
    is(request('GET', "$path?expires=$expires&signature=$signature", as => undef)->status, 401, "$path: has no use for a signature");
}

# ---- An upload's URL -----------------------------------------------------------------------------

is_forbidden(signed($_, $waiting->{_upload_url}), "the URL of an upload: $_") for qw(GET DELETE);
is(signed('HEAD', $waiting->{_upload_url})->status, 403, 'the URL of an upload: HEAD');
is_forbidden(signed('PUT', $waiting->{_upload_url} =~ s/$waiting->{id}/$other_waiting->{id}/r, json => [{name => 'x'}]), 'an upload to another batch');
is_forbidden(signed('PUT', url_with($waiting->{_upload_url}, expires => $expires + 9), json => [{name => 'x'}]), 'an upload with another expiry');
is(stored_of($other_waiting)->{status}, 'requested', 'nothing came of them');
is(upload($waiting, json => [{name => 'Up'}], method => 'POST')->status, 202, 'POST is as good as PUT');
is(resource_final($waiting)->{status}, 'completed', 'and the batch runs');
is_refused(upload($waiting, json => [{name => 'Again'}]), 409, 'conflict', 'once more');
is(value("SELECT count(*) FROM contacts WHERE name = 'Again'"), 0, 'has changed nothing');

# ---- The secret ---------------------------------------------------------------------------------

# It is in the database, random, and the same for all processes; whoever knows it can sign.
my $secret = value("SELECT secret FROM batch_secrets WHERE name = 'url'");
like($secret, qr/^[0-9a-f]{64}$/, 'the secret is 32 bytes');
my $path = "/batches/$done->{id}/errors.csv";
is($signature, forged($secret, 'GET', $path, $expires), 'the signature is what the documentation says');
my $past = time - 1;
my $future = time + 600;
my %forged = (
    'that has expired' => ['GET', $path, $past, 403],
    'that has not' => ['GET', $path, $future, 200],
    'of the epoch' => ['GET', $path, 0, 403],
    'of another method' => ['PUT', $path, $future, 403],
    'of HEAD' => ['HEAD', $path, $future, 403],
    'of a longer path' => ['GET', "$path/", $future, 403],
);
foreach my $what (sort keys %forged) {
    my ($method, $signed, $until, $status) = @{$forged{$what}};
    $answer = request('GET', "$path?expires=$until&signature=" . forged($secret, $method, $signed, $until), as => undef);
    is($answer->status, $status, "the right signature $what: $status");
    is_forbidden($answer, "the right signature $what") if $status == 403;
}
is(request('GET', "/batches/$none/errors.csv?expires=$future&signature=" . forged($secret, 'GET', "/batches/$none/errors.csv", $future), as => undef)->status,
    404, 'a right signature of a batch that is not there is 404');
is(request('PUT', "$path?expires=$future&signature=" . forged($secret, 'PUT', $path, $future), as => undef, body => '[]')->status, 405, 'of a method that the file does not have: 405');

# All processes use it, also those that come later.
server_graceful();
is(signed('GET', $good)->status, 200, 'after a restart it still holds');
is(value('SELECT count(*) FROM batch_secrets'), 1, 'and the secret is the same');
is(value('SELECT secret FROM batch_secrets'), $secret, 'to the last digit');

# Nothing of it is ever logged.
my $log = log_text(0);
unlike($log, qr/$secret/, 'the secret is not in the error log');
unlike($log, qr/$signature/, 'nor is a signature');

finish();
