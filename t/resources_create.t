# POST /batches and GET /batches/ID: the envelope of every answer, the members of a batch, and what a
# request may look like.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

use Digest::SHA qw(sha256_hex);
use IO::Compress::Gzip qw(gzip);
use JSON::PP ();

my $json = JSON::PP->new->canonical->utf8;
my $before = table_hash('contacts');

# ---- Mixed ---------------------------------------------------------------------------------------

my $body = $json->encode(merge('contact', [contact_items(3)]));
my $answer = post_batches(undef, body => $body);
is_envelope($answer, 202, undef, 'a mixed batch', 'POST /batches');
my $batch = $answer->json->{data};
is($answer->json->{pagination}, undef, 'pagination is of lists');
is_deeply($answer->json->{errors}, [], 'errors are empty');
is(join(' ', sort keys %$batch), join(' ', batch_members()), 'the members of a batch');
is(join(' ', sort keys %{$batch->{stats}}), join(' ', stats_members()), 'and of its statistics');
like($batch->{id}, uuid_pattern(), 'its id');
like($answer->header('Location'),
    qr{^(?:http://[^/]+)?/batches/\Q$batch->{id}\E$}, 'Location names it');
like($answer->header('Retry-After'), qr/^\d+$/, 'with Retry-After');
is_deeply(
    [@$batch{qw(object organization_id resource action mode via duplicate_handling)}],
    ['batch', 'acme', 'contact', 'merge', 'mixed', 'api', 'use_first'],
    'it says what was asked for'
);
like($batch->{status}, qr/^(?:queued|processing|completed)$/, 'it is under way');
is_deeply([@$batch{qw(created_by created_by_id updated_by updated_by_id)}],
    [('Alice Archer', '6fcf631a-71b9-11ee-b962-0242ac120002') x 2], 'and who asked');
like($batch->{$_}, qr/^\d{10}$/, "$_ is in seconds of the epoch") for qw(created_at updated_at);
is($batch->{checksum}, sha256_hex($body), 'checksum is the SHA-256 of the body');
is($batch->{reason}, undef, 'no reason');
ok(JSON::PP::is_bool($batch->{$_}), "$_ is true or false") for qw(has_upload_file has_errors_file);

my $end = resource_final($batch);
is_result($end, 'completed', {created => 3}, 'it completes');
is_phases($end, {received => 3}, 'mixed');
like($end->{$_}, qr/^\d{10}$/, "$_ is in seconds of the epoch") for qw(started_at completed_at);
is($end->{reason}, undef, 'still no reason');
is($end->{checksum}, $batch->{checksum}, 'the same checksum');
my @made = contacts("notes = 'made'");
is(join(', ', map { $_->{name} } @made),
    'contact 00001, contact 00002, contact 00003', 'the rows are there');
is(scalar(grep { $_->{organization_id} eq 'acme' } @made), 3, 'in the organization');

$answer = request('GET', "/batches/$batch->{id}");
is_envelope($answer, 200, undef, 'GET', "GET /batches/$batch->{id}");
is_deeply($answer->json->{data}, $end, 'shows the same');
$answer = request('HEAD', "/batches/$batch->{id}");
is($answer->status, 200, 'HEAD');
$answer = request('GET', "/batches/$batch->{id}.json");
is_envelope($answer, 200, undef, 'GET with .json');
is(request('GET', '/batches/' . uc $batch->{id})->status, 200, 'an id in capitals is the same');

# Under every path.
foreach my $path ('/v1/batches', '/batches.json', '/v1/batches.json') {
    $answer = post_batches(merge('contact', [{name => "by $path"}]), path => $path);
    is_envelope($answer, 202, undef, $path, "POST $path");
    my $prefix = $path =~ /v1/ ? '/v1' : '';
    like($answer->header('Location'), qr{\Q$prefix\E/batches/[-0-9a-f]{36}}, 'and its Location');
    my $where = $answer->header('Location') =~ s{^http://[^/]+}{}r;
    is(request('GET', $where)->status, 200, 'which leads to it');
    resource_final($answer->json->{data});
}

# ---- Sync ----------------------------------------------------------------------------------------

$answer = synchronous(merge('contact', [contact_items(2, 'sync')]));
is_envelope($answer, 201, undef, 'a sync batch', 'POST /batches');
$batch = $answer->json->{data};
is_result($batch, 'completed', {created => 2}, 'is done when its answer comes');
is_phases($batch, {received => 2}, 'sync');
is($batch->{mode}, 'sync', 'it is sync');
is(value("SELECT count(*) FROM contacts WHERE name LIKE 'sync%'"), 2, 'so are its rows');
like($batch->{$_}, qr/^\d{10}$/, "$_ is in seconds of the epoch") for qw(started_at completed_at);
is_deeply(resource_batch($batch), $batch, 'GET shows the same');

# ---- The members, in any order -------------------------------------------------------------------

restore();
my @items = contact_items(40, 'order');
my @parts = (
    '"data":' . $json->encode(\@items), '"resource":"contact"',
    '"action":"merge"', '"properties":{"phone":"+1"}'
);
foreach my $order ([0, 1, 2, 3], [1, 2, 3, 0], [3, 0, 2, 1], [2, 0, 1, 3]) {
    restore();
    $answer = post_batches(undef, body => '{' . join(',', @parts[@$order]) . '}');
    is($answer->status, 202, "members in the order @$order") or diag($answer->body);
    is_result(resource_final($answer->json->{data}), 'completed', {created => 40}, 'are all read');
    is(value("SELECT count(*) FROM contacts WHERE name LIKE 'order%' AND phone = '+1'"),
        40, 'and used');
}

# Data that is larger than what is kept in memory, first and last.
restore();
@items = map { {name => "large $_", notes => "{\"[\\$_]}," . ('x' x 300)} } 1 .. 3000;
my $data = '"data":' . $json->encode(\@items);
foreach my $text ("{$data,$parts[1],$parts[2]}", "{$parts[1],$parts[2],$data}") {
    restore();
    $answer = post_batches(undef, body => $text);
    is($answer->status, 202, 'a megabyte of items') or diag($answer->body);
    is($answer->json->{data}{checksum}, sha256_hex($text), 'its checksum');
    is_result(resource_final($answer->json->{data}), 'completed', {created => 3000}, 'is taken');
    is(
        value("SELECT count(DISTINCT notes) FROM contacts WHERE notes LIKE '{\"[%'"),
        3000, 'every brace in a text is text'
    );
}

# As it may come over the wire.
restore();
my $plain = $json->encode(merge('contact', [contact_items(20, 'gzip')]));
gzip(\$plain => \my $zipped) or die;
$answer = post_batches(undef, body => $zipped, headers => {'Content-Encoding' => 'gzip'});
is($answer->status, 202, 'a body that was compressed');
is($answer->json->{data}{checksum}, sha256_hex($plain), 'has the checksum of what was inflated');
is_result(resource_final($answer->json->{data}), 'completed', {created => 20}, 'and is taken');
$plain =~ s/gzip/chunked/g;
my $chunked = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } $plain =~ /.{1,7}/gs;
$answer = raw(
    request_text(
        'POST', '/batches', headers => {'Transfer-Encoding' => 'chunked', 'Content-Length' => undef},
        type => 'application/json'
        )
        . $chunked
        . "0\r\n\r\n"
);
is($answer->status, 202, 'a body in chunks of seven bytes') or diag($answer->body);
is($answer->json->{data}{checksum}, sha256_hex($plain), 'has its checksum');
is_result(resource_final($answer->json->{data}), 'completed', {created => 20}, 'and is taken');
$answer = post_batches(undef,
    body => "\n{ \"data\" : [ {\"n\\u0061me\":\"\\u00c9t\\u00e9 \\ud83d\\ude00\"}\r\n,\t{\"name\":\"b\"} ] ,\n"
        . ' "resource":"cont\\u0061ct","action" : "merge" } ', type => 'application/json; charset=utf-8');
is($answer->status, 202, 'white space, escapes, a parameter of the media type') or diag($answer->body);
is_result(resource_final($answer->json->{data}), 'completed', {created => 2}, 'are read as JSON says');
is(value("SELECT count(*) FROM contacts WHERE name = '\xc3\x89t\xc3\xa9 \xf0\x9f\x98\x80'"),
    1, 'and so are the rows');

# ---- What is not known ---------------------------------------------------------------------------

restore();
my $batch2 = run_batch(
    merge('contact', [{name => 'z'}], colour => 'blue', wish => [1, {deep => [{}]}], dry_run => FALSE,
        via => 'file', status => 'failed', organization_id => 'globex', mode => 'mixed'));
is_result($batch2, 'completed', {created => 1}, 'unknown members of a request are ignored');
is_deeply([@$batch2{qw(via organization_id)}], ['api', 'acme'], 'those of a batch, too');
is(value("SELECT organization_id FROM contacts WHERE name = 'z'"), 'acme', 'they set nothing');

# ---- Requests that are wrong: 422, all at once ---------------------------------------------------

restore();
my @item = {name => 'nobody'};
my @wrong = (
    ['no action', merge('contact', [@item], action => undef), ['action']],
    ['an unknown action', merge('contact', [@item], action => 'explode'), ['action'], qr/merge/],
    ['an action in capitals', merge('contact', [@item], action => 'MERGE'), ['action']],
    ['an action that is a number', merge('contact', [@item], action => 1), ['action']],
    ['an action of null', {resource => 'contact', action => undef, data => [@item]}, ['action']],
    ['no resource', merge(undef, [@item]), ['resource']],
    ['an unknown resource', merge('unicorn', [@item]), ['resource'], qr/contact/],
    ['a resource in the plural', merge('contacts', [@item]), ['resource']],
    ['a resource that is an array', merge(['contact'], [@item]), ['resource']],
    ['an unknown mode', merge('contact', [@item], mode => 'async'), ['mode'], qr/mixed/],
    ['a mode that is true', merge('contact', [@item], mode => TRUE), ['mode']],
    ['an unknown duplicate_handling', merge('contact', [@item], duplicate_handling => 'keep'),
        ['duplicate_handling'], qr/use_last/],
    ['save_upload is a text', merge('contact', [@item], save_upload => 'true'), ['save_upload']],
    ['atomic is a number', merge('contact', [@item], atomic => 0, mode => 'sync'), ['atomic']],
    ['allow_empty is a text', overwrite('contact', [@item], allow_empty => 'yes'), ['allow_empty']],
    ['properties are an array', merge('contact', [@item], properties => []), ['properties']],
    ['properties are a text', merge('contact', [@item], properties => 'x'), ['properties']],
    ['an unknown property', merge('contact', [@item], properties => {fax => 'x'}),
        ['properties.fax'], qr/\w/],
    ['a property that is the scope', merge('contact', [@item], properties => {organization_id => 'globex'}),
        ['properties.organization_id']],
    ['a property that is a stamp', merge('contact', [@item], properties => {created_at => 'x'}),
        ['properties.created_at']],
    ['data is an object', merge('contact', {name => 'x'}), ['data']],
    ['data is a text', merge('contact', 'x'), ['data']],
    ['data is a number', merge('contact', 1), ['data']],
    ['data is null, sync', {resource => 'contact', action => 'merge', data => undef, mode => 'sync'}, ['data']],
    ['no data, sync', merge('contact', undef, mode => 'sync'), ['data']],
    ['no item', merge('contact', []), ['data']],
    ['no item, sync', merge('contact', [], mode => 'sync'), ['data']],
    ['no item to delete', removal('contact', []), ['data']],
    ['no item to overwrite by', overwrite('contact', []), ['data']],
);
foreach my $resource (qw(shipment tracker asset)) {
    foreach my $action (qw(overwrite delete update)) {
        foreach my $mode (qw(mixed sync)) {
            push @wrong,
                ["$action of a $resource, $mode",
                merge($resource, [@item], action => $action, mode => $mode), ['action'], qr/merge/];
        }
    }
}
push @wrong, ["$_ of records", merge('record', [@item], action => $_), ['action'], qr/delete/]
    for qw(merge overwrite);
push @wrong, ['update of a contact', merge('contact', [@item], action => 'update'), ['action'],
    qr/merge.*overwrite.*delete/];
foreach my $case (@wrong) {
    my ($name, $request, $fields, $like) = @$case;
    is_wrong(post_batches($request), $fields, $name, $like ? (like => $like) : ());
}
is_wrong(
    post_batches({action => 'x', resource => 'contact', mode => 'y', duplicate_handling => 'z', data => [{}]}),
    [qw(action mode duplicate_handling)],
    'several things that are wrong'
);
is_wrong(post_batches({}), ['action'], 'an empty request', more => 1);
foreach my $text ('[]', 'null', '1', '"x"', '[{"name":"x"}]') {
    $answer = post_batches(undef, body => $text);
    ok($answer->status == 422 || $answer->status == 400, "a body of $text is refused")
        or diag($answer->status, $answer->body);
    is_envelope($answer, $answer->status, $answer->json->{code}, 'and');
}
is(value('SELECT count(*) FROM batch_jobs'), 0, 'no batch was made');
is(table_hash('contacts'), $before, 'no row was made');

# ---- What httpd and the module refuse ------------------------------------------------------------

my $none = '00000000-0000-4000-8000-000000000000';
my $good = $json->encode(merge('contact', [@item]));
is_refused(post_batches(undef, body => $good, as => undef), 401, 'unauthorized', 'nobody', 'POST /batches');
is_refused(post_batches(undef, body => $good, as => 'mallory'), 401, 'unauthorized', 'a wrong token');
is_refused(request('GET', '/batches', as => undef), 401, 'unauthorized', 'GET by nobody');
is_refused(request('GET', "/batches/$none", as => undef), 401, 'unauthorized', 'GET of one by nobody');
is_refused(post_batches(overwrite('contact', [@item]), as => 'bob'), 403, 'forbidden', 'what bob may not');
is_refused(request('GET', "/batches/$none"), 404, 'not_found', 'no such batch', "GET /batches/$none");
is_refused(request('POST', "/batches/$none/cancel"), 404, 'not_found', 'cancel of no batch');
is_refused(request('GET', '/batches/x'), 404, 'not_found', 'an id that is none');
is_refused(request('GET', "/batches/$none/x"), 404, 'not_found', 'a path that is none');
foreach my $case (
    ['PUT', '/batches', qr/\bGET\b.*\bPOST\b/],
    ['DELETE', '/batches', qr/\bPOST\b/],
    ['PATCH', '/batches', qr/\bPOST\b/],
    ['POST', "/batches/$none", qr/\bGET\b/],
    ['DELETE', "/batches/$none", qr/\bGET\b/],
    ['GET', "/batches/$none/cancel", qr/\bPOST\b/],
    )
{
    my ($method, $path, $allow) = @$case;
    $answer = request($method, $path, $method eq 'GET' ? () : (body => '{}'));
    is_refused($answer, 405, 'method_not_allowed', "$method $path", "$method $path");
    like($answer->header('Allow') // '', $allow, 'with Allow');
}
foreach my $type ('text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'json', '') {
    is_refused(post_batches(undef, body => $good, type => $type), 415, 'unsupported_media_type',
        "the media type '$type'");
}
$answer = post_batches(undef, body => $good . ' ' x 4000, path => '/limited/batches');
is_refused($answer, 413, 'too_large', 'a body over LimitRequestBody', 'POST /limited/batches');
$answer = raw(
    request_text('POST', '/limited/batches', type => 'application/json',
        headers => {'Transfer-Encoding' => 'chunked', 'Content-Length' => undef})
        . join('', map { sprintf "%x\r\n%s\r\n", length, $_ } ($good . ' ' x 5000) =~ /.{1,1000}/gs)
        . "0\r\n\r\n");
is_refused($answer, 413, 'too_large', 'the same in chunks');
gzip(\($good . ' ' x 100_000) => \$zipped) or die;
$answer = post_batches(undef, body => $zipped, path => '/limited/batches',
    headers => {'Content-Encoding' => 'gzip'});
is_refused($answer, 413, 'too_large', 'the same when it is inflated');
is(value('SELECT count(*) FROM batch_jobs'), 0, 'none of these made a batch');
is(table_hash('contacts'), $before, 'nor a row');
$answer = post_batches(undef, body => $good, path => '/limited/batches');
is($answer->status, 202, 'within the limit');
resource_final($answer->json->{data});

tolerate_log(qr/AH02648/);
finish();
