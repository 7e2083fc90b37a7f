# HTTP/2: a refusal reaches the client though its body was not wanted, and a body that is not whole is
# not taken. The client is curl, some of whose versions lose a reply that comes before the body has gone.
#
# needs: nothing
use strict;
use warnings;

use Test::More;

my $modules;

BEGIN {
    chomp($modules = `apxs -q LIBEXECDIR 2>/dev/null` || '/usr/lib/apache2/modules');
    plan skip_all => 'HTTP/2 needs an MPM with threads' if ($ENV{BATCH_TEST_MPM} // '') eq 'prefork';
    plan skip_all => 'there is no mod_http2 here' if !-f "$modules/mod_http2.so";
    plan skip_all => 'there is no curl that speaks HTTP/2 here' if `curl --version 2>&1` !~ /^Features:.* HTTP2\b/m;
}

use BatchTest;
use BatchTest::Files;
use Digest::SHA ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);

configure("LoadModule http2_module $modules/mod_http2.so", 'Protocols h2c http/1.1');
server_stop();
ok(server_start(), 'a server that speaks HTTP/2');

my $out = work_folder() . '/var/http2.out';
my $in = work_folder() . '/var/http2.in';

# Sends a body by HTTP/2: the status code (0: the reply was lost), and what the server said.
sub curl
{
    my ($url, $body, @more) = @_;
    open my $file, '>:raw', $in or die "$in: $!\n";
    print {$file} $body;
    close $file or die;
    unlink $out;
    open my $pipe, '-|', 'curl', qw(-s --http2-prior-knowledge -w %{http_code} -o), $out, '--data-binary', "\@$in", @more, $url or die "curl: $!\n";
    my $code = do { local $/; <$pipe> };
    close $pipe;
    return ($code + 0, -f $out ? do { local $/; open my $reply, '<', $out or die "$out: $!\n"; <$reply> } // '' : '');
}

my $base = 'http://127.0.0.1:' . var('port');
my @alice = ('-H', 'X-ApiToken: alice-token');
my @csv = ('-H', 'Content-Type: text/csv');
my $csv = "name\n" . join '', map {"http2 $_\n"} 1 .. 300;
my ($code, $said) = curl("$base/batches?action=merge&resource=contact", $csv, @alice, @csv);
is($code, 202, 'a batch by HTTP/2');
is_result(resource_final(JSON::PP::decode_json($said)->{data}), 'completed', {created => 300}, 'runs');
restore();

# Refused before the body is looked at, while it is, by httpd before us, and by a route that has no body.
my $batch = requested(merge('contact', []));
my %refused = (
    'no type of ours' => ['/batches', $csv, 415, @alice, '-H', 'Content-Type: image/png'],
    'nobody' => ['/batches', $csv, 401, @csv],
    'who may not' => ['/batches?action=overwrite&resource=contact', $csv, 403, '-H', 'X-ApiToken: bob-token', @csv],
    'no such path' => ['/batches/x/y', $csv, 404, @alice, @csv],
    'another method' => ['/batches', $csv, 405, @alice, @csv, '-X', 'PUT'],
    'a wrong signature' => ["/batches/$batch->{id}/upload?expires=1&signature=x", $csv, 403, @csv, '-X', 'PUT'],
    'a part' => ['/batches?action=merge&resource=contact', $csv, 400, @alice, @csv, '-H', 'Content-Range: bytes 0-1/2'],
    'an unknown header' => ['/batches?action=merge&resource=contact', "zip\n$csv", 422, @alice, @csv],
    'too large' => ['/limited/batches?action=merge&resource=contact', $csv x 2, 413, @alice, @csv],
    'another origin' => ['/batches?action=merge&resource=contact', $csv, 403, '-u', 'alice:alice', @csv, '-H', 'Origin: http://evil.example'],
    'no JSON' => ['/batch', 'oops' . ' ' x 50_000, 400, @alice, '-H', 'Content-Type: application/json'],
);
my $times = 25;
foreach my $name (sort keys %refused) {
    my ($path, $body, $wanted, @more) = @{$refused{$name}};
    my %seen;
    foreach my $i (1 .. $times) {
        my ($status, $text) = curl("$base$path", $body, @more);
        my $json = eval { JSON::PP::decode_json($text) };
        $seen{$status . ($json && $json->{status} && $json->{status} == $status ? '' : ' without its body')}++;
    }
    is_deeply(\%seen, {$wanted => $times}, "$name: each of $times replies came") or diag(explain(\%seen));
}

# The authority of a request is its host.
foreach my $origin ($base, 'http://localhost:' . var('port')) {
    my ($status, $text) = curl("$base/batches?action=merge&resource=contact", "name\nby Basic\n", '-u', 'alice:alice', @csv, '-H', "Origin: $origin");
    is($status, $origin eq $base ? 202 : 403, "Basic, for a page of $origin");
    resource_final(JSON::PP::decode_json($text)->{data}) if $status == 202;
}

# What is not whole.
my $jobs = value('SELECT count(*) FROM batch_jobs');
my $digest = 'Content-Digest: sha-256=:' . encode_base64(Digest::SHA::sha256($csv), '') . ':';
my $merge = "$base/batches?action=merge&resource=contact";
is((curl($merge, substr($csv, 0, -9), @alice, @csv, '-H', $digest))[0], 400, 'another digest');
isnt((curl($merge, $csv, @alice, @csv, '-H', 'Content-Length: ' . (length($csv) + 10)))[0], 202, 'shorter than it says');
isnt((curl($merge, $csv, @alice, @csv, '-H', 'Content-Length: ' . (length($csv) - 10)))[0], 202, 'longer than it says');
is(value('SELECT count(*) FROM batch_jobs'), $jobs, 'makes no batch');
foreach my $header ('Content-Range: bytes 0-1/2', 'Content-Length: ' . (length($csv) + 10), 'Content-Length: ' . (length($csv) - 10), $digest =~ s/=:./=:_/r) {
    my ($status) = curl($batch->{_upload_url}, $csv, '-X', 'PUT', @csv, '-H', $header);
    ok($status == 400 || !$status, "an upload with $header") or diag($status);
    wait_for('the batch to be free', sub { !stored_of($batch)->{owner_host} });
    is_deeply([@{stored_of($batch)}{qw(status segments received)}], ['requested', 0, 0], 'the batch waits on');
}
is((curl($batch->{_upload_url}, $csv, '-X', 'PUT', @csv, '-H', $digest))[0], 202, 'a whole one is taken');
is_result(resource_final($batch), 'completed', {created => 300}, 'and runs');

unconfigure();
server_stop();
ok(server_start(), 'and the server as it was');
tolerate_log(qr/MB0305|AH03404|h2_|http2/);
finish();
