# Browsers: requests of pages of other origins, the question which methods a path has, and the recipe for
# CORS as docs/browsers.md has it.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;
my $here = '127.0.0.1:' . var('port');
my $csv = "name\nfrom a browser\n";
my @basic = (as => undef);
my %basic = (Authorization => basic('alice', 'alice'));

sub jobs { return join ' ', map { join ',', map { $_ // '-' } @$_{sort keys %$_} } rows('SELECT id, status, revision FROM batch_jobs ORDER BY seq') }

sub all_ended { return wait_for('all batches to end', sub { !value("SELECT count(*) FROM batch_jobs WHERE status IN ('queued', 'processing')") }) }

# ---- OPTIONS ---------------------------------------------------------------------------------------

my $record = pending(delete_ids(unknown_ids(1)));
my $batch = requested(merge('contact', []));
my $unknown = '00000000-0000-4000-8000-000000000000';
my %allow;
foreach my $id ('ID', $unknown) {
    %allow = (
        %allow,
        "/batch" => 'GET, HEAD, POST, OPTIONS',
        "/api/v2/batch.json" => 'GET, HEAD, POST, OPTIONS',
        "/batch/$id" => 'GET, HEAD, DELETE, OPTIONS',
        "/batch/$id/operations" => 'POST, OPTIONS',
        "/batch/$id/start.json" => 'POST, OPTIONS',
        "/batch/$id/errors.csv" => 'GET, HEAD, OPTIONS',
        "/batches" => 'GET, HEAD, POST, OPTIONS',
        "/v1/batches/$id" => 'GET, HEAD, OPTIONS',
        "/batches/$id/cancel" => 'POST, OPTIONS',
        "/batches/$id/upload" => 'GET, HEAD, POST, PUT, OPTIONS',
        "/batches/$id/errors.json" => 'GET, HEAD, OPTIONS',
    );
}
my $before = jobs();
foreach my $path (sort keys %allow) {
    my $real = $path =~ /batches/ ? $batch->{id} : $record->{id};
    my $answer;
    foreach my $who (undef, 'carol', 'nobody') {
        $answer = request('OPTIONS', $path =~ s/ID/$real/r, as => $who, headers => {Origin => 'https://app.example.com', 'Access-Control-Request-Method' => 'PUT'});
        is_deeply([$answer->status, $answer->header('Allow'), $answer->body], [200, $allow{$path}, ''], "OPTIONS $path by " . ($who // 'no one'));
    }
    is($answer->header('Access-Control-Allow-Origin'), undef, "OPTIONS $path: without a recipe no page hears of it");
}
my $signed = request('OPTIONS', url_path($batch->{_upload_url}), as => undef);
is_deeply([$signed->status, $signed->header('Allow')], [200, 'GET, HEAD, POST, PUT, OPTIONS'], 'OPTIONS of a signed URL');
is(request('OPTIONS', url_with(url_path($batch->{_upload_url}), signature => 'x'), as => undef)->status, 200, 'of one that is wrong: nothing is asked of it');
is_refused(request('OPTIONS', '/batches/x/y', as => undef), 404, 'not_found', 'OPTIONS of a path that is none');
is(request('OPTIONS', '/limited/batches', as => undef)->status, 401, 'where the configuration wants a user for all methods it is 401');
is(request('OPTIONS', '/open/batch', as => undef)->status, 200, 'and where it lets all in it is answered');
is(jobs(), $before, 'nothing was changed');

# ---- Other origins ---------------------------------------------------------------------------------

my %foreign = (
    'another site' => {'Sec-Fetch-Site' => 'cross-site', Origin => 'https://evil.example'},
    'another site without Origin' => {'Sec-Fetch-Site' => 'cross-site'},
    'the same site, another origin' => {'Sec-Fetch-Site' => 'same-site', Origin => "http://$here"},
    'a word that is none' => {'Sec-Fetch-Site' => 'same-origin, none'},
    'an empty word' => {'Sec-Fetch-Site' => ''},
    'Origin of another host' => {Origin => 'http://evil.example'},
    'Origin of another port' => {Origin => 'http://127.0.0.1:1'},
    'Origin without a port' => {Origin => 'http://127.0.0.1'},
    'Origin of another scheme' => {Origin => "https://$here"},
    'Origin that begins alike' => {Origin => "http://$here.evil.example"},
    'Origin that ends alike' => {Origin => "http://evil.example/http://$here"},
    'Origin null' => {Origin => 'null'},
    'an empty Origin' => {Origin => ''},
    'two of them' => {Origin => ["http://$here", 'http://evil.example']},
    'X-Forwarded-Host' => {Origin => 'http://evil.example', 'X-Forwarded-Host' => 'evil.example', 'X-Forwarded-Proto' => 'http'},
);
my %own = (
    'no header' => {},
    'Origin' => {Origin => "http://$here"},
    'Origin in capitals' => {Origin => 'HTTP://LOCALHOST:80', Host => 'localhost'},
    'Origin without its own port' => {Origin => 'http://localhost', Host => 'LocalHost:80'},
    'Sec-Fetch-Site: same-origin' => {'Sec-Fetch-Site' => 'same-origin', Origin => 'https://public.example'},
    'Sec-Fetch-Site: none' => {'Sec-Fetch-Site' => 'none'},
);
my %tokens = (
    'X-ApiToken' => {'X-ApiToken' => 'alice-token'},
    'PX-API-KEY' => {'PX-API-KEY' => 'alice-token'},
    'X-API-KEY' => {'X-API-KEY' => 'alice-token'},
    Bearer => {Authorization => 'Bearer alice-token'},
);

# Every request that changes something: [name, method, path, body, its type, the reply to one that may].
my $form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.csv\"\r\n\r\n$csv\r\n--b--\r\n";
my @changes = (
    ['a create', 'POST', '/batches', $json->encode(merge('contact', [{name => 'x'}])), 'application/json', 202],
    ['a file', 'POST', '/batches?action=merge&resource=contact', $csv, 'text/csv', 202],
    ['a form', 'POST', '/batches?action=merge&resource=contact', $form, 'multipart/form-data; boundary=b', 202],
    ['a create without data', 'POST', '/batches', $json->encode({action => 'merge', resource => 'contact'}), undef, 201],
    ['an upload', 'PUT', sub { '/batches/' . requested(merge('contact', []))->{id} . '/upload' }, $csv, 'text/csv', 202],
    ['an upload by POST', 'POST', sub { '/batches/' . requested(merge('contact', []))->{id} . '/upload' }, $csv, 'text/csv', 202],
    ['a cancel', 'POST', sub { '/batches/' . requested(merge('contact', []))->{id} . '/cancel' }, '', undef, 200],
    ['a create of the records API', 'POST', '/batch', $json->encode({batch => {operations => [delete_ids(unknown_ids(1))]}}), 'application/json', 202],
    ['operations', 'POST', sub { '/batch/' . pending([])->{id} . '/operations' }, $json->encode({operations => [delete_ids(unknown_ids(1))]}), 'application/json', 200],
    ['a start', 'POST', sub { '/batch/' . pending(delete_ids(unknown_ids(1)))->{id} . '/start' }, '', 'application/x-www-form-urlencoded', 202],
    ['a removal', 'DELETE', sub { '/batch/' . pending([])->{id} }, undef, undef, 200],
);
sub change
{
    my ($change, $headers, %option) = @_;
    my (undef, $method, $path, $body, $type) = @$change;
    return request($method, $option{path} // (ref $path ? $path->() : $path), body => $body, type => $type, %option, headers => $headers);
}
foreach my $change (@changes) {
    my ($name, undef, $path, undef, undef, $status) = @$change;
    $path = $path->() if ref $path;
    all_ended();
    $before = jobs();
    foreach my $from (sort keys %foreign) {
        my $answer = change($change, {%basic, %{$foreign{$from}}}, @basic, path => $path);
        $path =~ /batches/ ? is_refused($answer, 403, 'forbidden', "$name, $from") : is_error($answer, 403, "$name, $from");
        like($answer->json->{message}, qr/page of another origin/, "$name, $from: says why");
    }
    is(jobs(), $before, "$name: nothing came of it");
    foreach my $from (sort keys %own) {
        is(change($change, {%basic, %{$own{$from}}}, @basic)->status, $status, "$name, own origin: $from");
    }
    foreach my $header (sort keys %tokens) {
        is(change($change, {%{$tokens{$header}}, %{$foreign{'another site'}}}, @basic)->status, $status, "$name, $header: from anywhere");
    }
}
all_ended();
expect_log(qr/MB0319: a browser's request .*: https:\/\/evil\.example/);
is(change($changes[0], {%{$foreign{'another site'}}}, @basic)->status, 401, 'who is nobody hears that first');
is_error(request('POST', '/anonymous/batch', as => undef, json => {batch => {start => JSON::PP::false}}, headers => $foreign{'another site'}), 403, 'with BatchAnonymous, too');
is(request('GET', '/batches', @basic, headers => {%basic, %{$foreign{'another site'}}})->status, 200, 'a look is answered');
is(request('HEAD', '/batches', @basic, headers => {%basic, %{$foreign{'another site'}}})->status, 200, 'without its body, too');

# A signed URL may be used from anywhere, as long as it is right.
foreach my $method ('PUT', 'POST') {
    my $waiting = requested(merge('contact', []));
    my %page = (headers => {%basic, %{$foreign{'another site'}}}, body => $csv, type => 'text/csv');
    is(upload({_upload_url => url_with($waiting->{_upload_url}, signature => '0' x 64)}, method => $method, %page)->status, 403, "$method with a wrong signature");
    is(stored_of($waiting)->{status}, 'requested', 'is not taken');
    is(upload($waiting, method => $method, %page)->status, 202, "$method with a right one is");
    resource_final($waiting);
}

# ---- The recipe ------------------------------------------------------------------------------------

my ($recipe, $proxy) = do {
    open my $file, '<', work_folder() . '/docs/browsers.md' or die "docs/browsers.md: $!\n";
    my @blocks = do { local $/; <$file> } =~ /^```apache\n(.*?)^```/msg;
    ((grep {/Access-Control/} @blocks)[0], (grep { !/Access-Control/ } @blocks)[0]);
};
ok($recipe && $proxy, 'docs/browsers.md has its recipes');
chomp(my $modules = `apxs -q LIBEXECDIR 2>/dev/null` || '/usr/lib/apache2/modules');
my @load = map {"LoadModule ${_}_module $modules/mod_$_.so"} qw(headers setenvif);
configure(@load, $recipe);
server_stop();
ok(server_start(), 'a server with the recipe for CORS');
my %app = (Origin => 'https://app.example.com', 'Sec-Fetch-Site' => 'cross-site');
my %evil = (Origin => 'https://app.example.com.evil.example', 'Sec-Fetch-Site' => 'cross-site');
sub cors { my ($answer) = @_; return {map { $_ => scalar $answer->header("Access-Control-$_") } qw(Allow-Origin Allow-Methods Allow-Headers Allow-Credentials)} }
my $allowed = {
    'Allow-Origin' => 'https://app.example.com', 'Allow-Methods' => 'GET, POST, PUT, DELETE',
    'Allow-Headers' => 'Authorization, Content-Digest, Content-Encoding, Content-Type, PX-API-KEY, X-API-KEY, X-ApiToken', 'Allow-Credentials' => undef,
};
my $none = {map { $_ => undef } keys %$allowed};
my $waiting = requested(merge('contact', []));
foreach my $path ('/batches', '/batch', url_path($waiting->{_upload_url}), "/batches/$unknown/cancel") {
    my %asks = ('Access-Control-Request-Method' => 'PUT', 'Access-Control-Request-Headers' => 'content-type,x-apitoken');
    my $answer = request('OPTIONS', $path, as => undef, headers => {%app, %asks});
    is($answer->status, 200, "a preflight of $path");
    is_deeply(cors($answer), $allowed, 'lets the page in');
    like($answer->header('Vary') // '', qr/\bOrigin\b/, 'by its origin');
    is_deeply(cors(request('OPTIONS', $path, as => undef, headers => {%evil, %asks})), $none, 'and no other one');
}
my $answer = request('POST', '/batches?action=merge&resource=contact', body => $csv, type => 'application/vnd.ms-excel', headers => \%app);
is($answer->status, 202, 'a create by the page, with its token');
is_deeply([@{cors($answer)}{'Allow-Origin'}, $answer->header('Access-Control-Expose-Headers')], ['https://app.example.com', 'ETag, Location, Retry-After'], 'that it may read');
resource_final($answer->json->{data});
$answer = upload($waiting, body => $csv, type => 'application/vnd.ms-excel', headers => \%app);
is_deeply([$answer->status, cors($answer)->{'Allow-Origin'}], [202, 'https://app.example.com'], 'an upload by the page');
is_result(resource_final($waiting), 'completed', {created => 1}, 'runs');
$answer = request('POST', '/batches', json => {action => 'fly'}, headers => \%app);
is_deeply([$answer->status, cors($answer)->{'Allow-Origin'}], [422, 'https://app.example.com'], 'errors may be read, too');
$answer = request('GET', '/batches', as => undef, headers => \%app);
is_deeply([$answer->status, cors($answer)->{'Allow-Origin'}], [401, 'https://app.example.com'], "and httpd's own");
foreach my $change (@changes) {
    is(change($change, {%basic, %app}, @basic)->status, $change->[5], "$change->[0] with Basic: the page's origin is allowed");
    is(change($change, {%basic, %evil}, @basic)->status, 403, "$change->[0] with Basic: another one is not");
}
all_ended();

# Behind a proxy.
configure(@load, $proxy);
server_stop();
ok(server_start(), 'a server behind a proxy');
is(change($changes[0], {%basic, Origin => 'https://api.example.com'}, @basic)->status, 202, 'the public origin is its own');
is(change($changes[0], {%basic, Origin => 'https://api.example.com.evil.example'}, @basic)->status, 403, 'and no other');
is(change($changes[0], {%basic, Origin => 'https://apiXexample.com'}, @basic)->status, 403, 'and no other');

unconfigure();
server_stop();
ok(server_start(), 'and the server as it was');
finish();
