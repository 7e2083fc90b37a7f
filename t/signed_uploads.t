# Batches that are made without data, and their uploads: one wins, and what breaks off leaves a batch
# that waits for another.
#
# needs: processes
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;
use Compress::Zlib ();
use Digest::SHA ();
use JSON::PP ();
use Time::HiRes qw(sleep);

my $json = JSON::PP->new->utf8->canonical;

sub phase
{
    my ($batch, $name) = @_;
    my ($phase) = grep { $_->{name} eq $name } @{$batch->{phases}};
    return $phase;
}

# Nothing of an upload is left, and the batch waits for one.
sub is_waiting
{
    my ($batch, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $row = wait_for("$name: the batch to be free", sub { my $r = stored_of($batch); $r->{owner_host} || $r->{lease_until} ? undef : $r });
    is_deeply([@$row{qw(status segments error_rows received stored errors duplicates upload_began_at)}],
        ['requested', 0, 0, 0, 0, 0, 0, 0], "$name: nothing is left of it");
    my $now = resource_batch($batch);
    is_deeply([$now->{status}, @{phase($now, 'parsing')}{qw(status total processed started_at)}], ['requested', 'pending', 0, 0, undef], "$name: and it is shown so");
    return;
}

# ---- From the request to the rows ----------------------------------------------------------------

my $answer = post_batches(merge('contact', undef, properties => {notes => 'made'}, duplicate_handling => 'use_last'));
is_envelope($answer, 201, undef, 'a batch without data', 'POST /batches');
my $batch = $answer->json->{data};
is($answer->header('Location'), "/batches/$batch->{id}", 'it has a place');
is($answer->header('Retry-After'), undef, 'nothing is to be waited for');
is_deeply([sort keys %$batch], [batch_members()], 'its members are those of any batch');
is_deeply([@$batch{qw(status reason mode via has_upload_file has_errors_file checksum started_at completed_at)}, stored_of($batch)->{segments}],
    ['requested', undef, 'mixed', 'file', JSON::PP::false, JSON::PP::false, undef, undef, undef, 0], 'it waits');
is_deeply([map { "$_->{status} $_->{total}" } @{$batch->{phases}}], [('pending 0') x 3], 'and so do its phases');
my $body = $json->encode([{name => 'A', email => 'a@example.com'}, {name => 'B'}, {name => 'A', email => 'a@example.com'}, {name => 7}]);
$answer = upload($batch, body => $body);
is_envelope($answer, 202, undef, 'its upload', "PUT /batches/$batch->{id}/upload");
is($answer->header('Location'), "/batches/$batch->{id}", 'with its place');
is($answer->header('Retry-After'), 1, 'and when to look');
is($answer->json->{data}{status}, 'queued', 'it is queued');
is($answer->json->{data}{_upload_url}, undef, 'without a URL for another');
is($answer->json->{data}{checksum}, Digest::SHA::sha256_hex($body), 'with the checksum of what came');
my $end = resource_final($batch);
is_result($end, 'completed', {created => 2, duplicates => 1, errors => 1}, 'it runs');
is_phases($end, {received => 4, duplicates => 1, invalid => 1}, 'its phases');
is(value("SELECT count(*) FROM contacts WHERE notes = 'made'"), 2, 'the defaults of the request are in its rows');
is_item_errors([stored_errors($batch)], [[0, undef, 'duplicate'], [3, 'name', 'wrong_type']], 'the errors are stored');
is($end->{updated_by}, 'Alice Archer', 'it is still hers');
is_refused(upload($batch, json => [{name => 'C'}]), 409, 'conflict', 'a second upload');
is_deeply(resource_batch($batch), $end, 'changes nothing');

# With credentials instead of a signature.
my $plain = requested(merge('contact', []));
is_refused(request('PUT', "/batches/$plain->{id}/upload", as => 'carol', json => []), 404, 'not_found', 'an upload by another organization');
is(request('PUT', "/batches/$plain->{id}/upload", as => 'bob', json => [{name => 'Bob'}])->status, 202, 'an upload by one of the organization');
is_result(resource_final($plain), 'completed', {created => 1}, 'runs');
my $hers = requested(overwrite('contact', []));
is_refused(request('PUT', "/batches/$hers->{id}/upload", as => 'bob', json => [{name => 'Bob'}]), 403, 'forbidden', 'an upload by one who may not overwrite');
is_waiting($hers, 'refused');

# In other shapes and formats.
$batch = requested(merge('contact', []));
is(upload($batch, json => {data => [{name => 'in an object'}], action => 'merge', resource => 'contact'})->status, 202, 'an object with data');
is_result(resource_final($batch), 'completed', {created => 1}, 'runs');
foreach my $case (['text/csv', "name,email\r\ncsv,c\@example.com\r\n"], ['application/x-ndjson', qq({"name":"lines"}\n)]) {
    my ($type, $text) = @$case;
    $batch = requested(merge('contact', []));
    is(upload($batch, body => $text, type => $type)->status, 202, $type);
    is_result(resource_final($batch), 'completed', {created => 1}, "$type: runs");
}

# Without a type the first byte tells.
foreach my $text ("name,email\nno type,c\@example.com\n", "\xef\xbb\xbfname\nno type\n", '[{"name":"no type"}]', qq( {"data":[{"name":"no type"}]})) {
    $batch = requested(merge('contact', []));
    is(upload($batch, body => $text, type => undef)->status, 202, 'an upload without a type: ' . substr $text, 0, 10);
    is_result(resource_final($batch), 'completed', {created => 1}, 'it runs');
}

# A type that says nothing is none: what browsers and their systems say of CSV.
foreach my $type ('application/vnd.ms-excel', 'application/octet-stream', 'text/plain;charset=UTF-8', 'text/plain') {
    foreach my $text ("name,email\nvague,c\@example.com\n", '[{"name":"vague"}]', '{"data":[{"name":"vague"}]}') {
        foreach my $method ('PUT', 'POST') {
            $batch = requested(merge('contact', []));
            is(upload($batch, method => $method, body => $text, type => $type)->status, 202, "$method as $type: " . substr $text, 0, 10);
            is_result(resource_final($batch), 'completed', {created => 1}, 'it runs');
        }
    }
}

# A form, and its fields.
sub form { return join '', (map {"--b\r\nContent-Disposition: form-data; name=\"$_->[0]\"\r\n\r\n$_->[1]\r\n"} @_), "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.csv\"\r\n\r\nname\nof a form\n\r\n--b--\r\n" }
foreach my $fields ([], [[action => 'merge'], [resource => 'contact'], [mode => 'mixed'], [comment => 'x']]) {
    $batch = requested(merge('contact', []));
    is(upload($batch, body => form(@$fields), type => 'multipart/form-data; boundary=b')->status, 202, 'a form with ' . @$fields . ' fields');
    is_result(resource_final($batch), 'completed', {created => 1}, 'runs');
}

$batch = requested(merge('contact', []));
is(upload($batch, body => form() =~ s/--b--\r\n\z/--b\r\nContent-Disposition: form-data; name="action"\r\n\r\nmerge\r\n--b--/r, type => 'multipart/form-data; boundary=b')->status, 202, 'a form with a field behind its file');
is_result(resource_final($batch), 'completed', {created => 1}, 'runs');

# An overwrite that may be empty, and one that may not.
restore();
my $contacts = table_hash('contacts');
$batch = requested(overwrite('contact', []));
$answer = upload($batch, json => []);
is_envelope($answer, 422, 'batch_failed', 'an overwrite without items');
is($answer->json->{data}{status}, 'failed', 'is failed');
is(table_hash('contacts'), $contacts, 'and has removed nothing');
$batch = requested(overwrite('contact', [], allow_empty => TRUE));
is(upload($batch, json => [])->status, 202, 'with allow_empty');
is_result(resource_final($batch), 'completed', {overwritten => 4}, 'it removes all');
restore();

# ---- What is refused at once ---------------------------------------------------------------------

is_wrong(post_batches(merge('contact', undef, mode => 'sync')), ['data'], 'the mode sync without data');
is_wrong(post_batches(merge('contact', undef, properties => {zip => 1})), ['properties.zip'], 'a default that is none');
is_wrong(post_batches(merge('shipment', undef, action => 'overwrite')), ['action'], 'an action that the resource does not have');
is_refused(post_batches(overwrite('contact', undef), as => 'bob'), 403, 'forbidden', 'who may not do it');
is(value("SELECT count(*) FROM batch_jobs"), 0, 'no batch was made');

# ---- Uploads that are not what the batch takes ---------------------------------------------------

my %wrong = (
    'no JSON' => ['[{"name":', 'application/json', qr/line 1, column \d+/],
    'an object without data' => ['{}', 'application/json', qr/data/],
    'a number' => ['5', 'application/json', qr/\w/],
    'an empty body' => ['', 'application/json', qr/\w/],
    'another action' => ['{"action":"delete","data":[{"name":"x"}]}', 'application/json', qr/merge/],
    'defaults' => ['{"properties":{"notes":"x"},"data":[{"name":"x"}]}', 'application/json', qr/properties/],
    'a safety net' => ['{"dry_run":true,"data":[{"name":"x"}]}', 'application/json', qr/dry_run/],
    'no items' => ['[]', 'application/json', qr/at least one/],
    'no valid item' => ['[{"name":1},{"zip":2}]', 'application/json', qr/none of the 2 items/],
    'a header that it does not have' => ["name,zip\nx,1\n", 'text/csv', qr/zip/],
    'an open quote' => [qq(name\n"x\n), 'text/csv', qr/line \d/],
);
my $before = table_hash('contacts');
$wrong{"a form: $_->[0]"} = [form($_), 'multipart/form-data; boundary=b', $_->[2]]
    for [action => 'delete', qr/action.*merge/], [resource => 'group', qr/resource.*contact/], [mode => 'sync', qr/mode.*mixed/], [properties => '{"notes":"x"}', qr/properties/], [dry_run => 'true', qr/dry_run/];
$wrong{'a form: action, behind its file'} = [form() =~ s/--b--\r\n\z/--b\r\nContent-Disposition: form-data; name="action"\r\n\r\ndelete\r\n--b--/r, 'multipart/form-data; boundary=b', qr/action.*merge/];
foreach my $what (sort keys %wrong) {
    my ($text, $type, $like) = @{$wrong{$what}};
    $batch = requested(merge('contact', []));
    $answer = upload($batch, body => $text, type => $type);
    is_envelope($answer, 422, 'batch_failed', $what);
    my $data = $answer->json->{data};
    is_deeply([@$data{qw(id status)}], [$batch->{id}, 'failed'], "$what: the batch is failed");
    my ($line) = $data->{reason} =~ /line (\d+)/;
    is($answer->json->{errors}[0]{line}, $line, "$what: the line is in the errors, too");
    like($data->{reason} // '', $like, "$what: and says why");
    is_deeply(resource_batch($batch), $data, "$what: as a look shows it");
    is_refused(upload($batch, json => [{name => 'x'}]), 409, 'conflict', "$what: another upload");
}
is(table_hash('contacts'), $before, 'no row was touched');

# What says nothing about the batch's items leaves it as it is.
$batch = requested(merge('contact', []));
is_refused(upload($batch, body => 'x', type => 'text/html'), 415, 'unsupported_media_type', 'a type that is none');
is_refused(upload($batch, body => "\x1f\x8b\x08junk", headers => {'Content-Encoding' => 'br'}), 415, 'unsupported_media_type', 'an encoding that is none');
is_waiting($batch, 'refused');
is_refused(request('PUT', "/limited/batches/$batch->{id}/upload", body => '[' . '{"name":"x"},' x 400 . '{"name":"y"}]'), 413, 'too_large', 'a body that is too large');
is_waiting($batch, 'too large');
is_refused(upload($batch, body => Compress::Zlib::memGzip('[{"name":"packed"}]') =~ s/.....$//rs, headers => {'Content-Encoding' => 'gzip'}), 400, 'bad_request', 'a compressed body that is cut off');
is_waiting($batch, 'cut off');
tolerate_log(qr/AH02481: Encountered premature end-of-stream/);
my $plain_text = '[{"name":"packed"}]';
$answer = upload($batch, body => Compress::Zlib::memGzip($plain_text), headers => {'Content-Encoding' => 'gzip'});
is($answer->status, 202, 'a good one is taken after that, compressed too');
is($answer->json->{data}{checksum}, Digest::SHA::sha256_hex($plain_text), 'with the checksum of what was in it');
is_result(resource_final($batch), 'completed', {created => 1}, 'and it runs');

# ---- Cancelled -----------------------------------------------------------------------------------

$batch = requested(merge('contact', []));
is_envelope(cancel($batch), 200, undef, 'cancel of a batch that waits for its upload');
is_deeply([@{resource_batch($batch)}{qw(status reason _upload_url)}], ['failed', 'cancelled by Alice Archer', undef], 'it is over');
is_refused(upload($batch, json => [{name => 'late'}]), 409, 'conflict', 'an upload to it');

# ---- Two at once ---------------------------------------------------------------------------------

foreach my $round (1 .. 5) {
    $batch = requested(merge('contact', []));
    my @texts = map { request_text('PUT', url_path($batch->{_upload_url}), as => undef, json => [map { {name => "r$round u$_"} } 1 .. 20]) } 1 .. 4;
    my @answers = parallel(\@texts, 'PUT');
    is(join(' ', sort map { $_->status } @answers), '202 409 409 409', "round $round: of four uploads at once one wins");
    is_result(resource_final($batch), 'completed', {created => 20}, "round $round: and its items are applied");
}
# One that has begun keeps others out, whoever is faster then.
my $long = $json->encode([map { {name => "long $_", notes => 'x' x 200} } 1 .. 2000]);
$batch = requested(merge('contact', []));
my $socket = open_upload($batch, $long, 1000);
wait_for('the upload to begin', sub { stored_of($batch)->{owner_host} });
is(phase(resource_batch($batch), 'parsing')->{status}, 'processing', 'its parsing is under way');
is_refused(upload($batch, json => [{name => 'second'}]), 409, 'conflict', 'a second one, while the first has not ended');
$socket->print(substr $long, 1000);
my $reply = do { local $/; <$socket> };
like($reply, qr{^HTTP/1.1 202 }, 'the first one is taken');
is_result(resource_final($batch), 'completed', {created => 2000}, 'and applied');

# Cancelled while it comes.
$batch = requested(merge('contact', []));
my $groups = $json->encode([contact_items(6000, 'cancelled')]);
$socket = open_upload($batch, $groups, 1000);
wait_for('the upload to begin', sub { stored_of($batch)->{owner_host} });
is(cancel($batch)->status, 200, 'cancel in the midst of an upload');
$socket->print(substr $groups, 1000);
$reply = do { local $/; <$socket> };
like($reply, qr{^HTTP/1.1 409 }, 'the upload hears of it');
is_deeply([@{stored_of($batch)}{qw(status segments error_rows stored)}], ['failed', 0, 0, 0], 'nothing of it is stored');
is(resource_batch($batch)->{has_upload_file}, JSON::PP::false, 'nor shown');

# ---- What breaks off ------------------------------------------------------------------------------

restore();
$before = table_hash('contacts');
# So large that it is stored in several transactions, however it is judged.
my $items = $json->encode([map { {%$_, notes => 'x' x 300} } contact_items(6000, 'broken')]);
foreach my $part (0, 10, length($items) - 1) {
    $batch = requested(merge('contact', []));
    $socket = open_upload($batch, $items, $part);
    wait_for('the upload to begin', sub { stored_of($batch)->{owner_host} });
    close $socket;
    is_waiting($batch, "the client goes away after $part bytes");
    is(upload($batch, json => [{name => "after $part"}])->status, 202, "after $part bytes: another one is taken");
    is_result(resource_final($batch), 'completed', {created => 1}, "after $part bytes: and applied");
}
foreach my $way ('while the body comes', 'while it is stored') {
    $batch = requested(merge('contact', []));
    # So that it takes a while.
    on_table('batch_items', sub { slow_trigger('INSERT', 400) }) if $way =~ /stored/;
    $socket = open_upload($batch, $items, $way =~ /stored/ ? length $items : 5000);
    wait_for("$way: it has come that far", sub { my $r = stored_of($batch); $way =~ /stored/ ? $r->{segments} || $r->{status} ne 'requested' : $r->{owner_host} });
    server_replace(server_children());
    close $socket;
    drop_triggers();
    is(resource_batch($batch)->{status}, 'requested', "$way, killed: the batch waits");
    my $last = $way =~ /stored/ ? [{name => 5}, {name => "after $way"}] : [{name => "after $way"}];
    is(upload($batch, json => $last)->status, 202, "$way, killed: another upload is taken at once");
    is_result(resource_final($batch), 'completed', {created => 1, errors => @$last - 1}, "$way, killed: and applied");
    is_deeply([@{stored_of($batch)}{qw(segments error_rows received)}], [1, @$last - 1, scalar @$last], "$way, killed: nothing is left of the first");
}
is(value("SELECT count(*) FROM contacts WHERE name LIKE 'broken%'"), 0, 'no row of those');

# ---- Progress -----------------------------------------------------------------------------------

# While the body comes, the number of items moves: seen on another connection.
$batch = requested(merge('contact', []));
my $many = 45_000; # of several transactions
my $much = $json->encode([contact_items($many, 'much')]);
$socket = open_upload($batch, $much, 100);
my ($at, $seen) = (100, undef);
wait_for('the number of items to move', sub {
        if ($at < length($much) - 20_000) {
            $socket->print(substr $much, $at, 10000);
            $socket->flush;
            $at += 10000;
        }
        my $now = resource_batch($batch);
        my $parsing = phase($now, 'parsing');
        $seen = [$now->{status}, $parsing->{status}, $parsing->{total}, $parsing->{processed}];
        return $parsing->{total} > 0;
});
is_deeply([@$seen[0, 1]], ['requested', 'processing'], 'while the body comes, parsing is under way');
cmp_ok($seen->[2], '<', $many, "and its items are counted ($seen->[2])");
# While it is stored, what is behind it moves.
on_table('batch_items', sub { slow_trigger('INSERT', 600) });
$socket->print(substr $much, $at);
$socket->flush;
wait_for('the parsed items to move', sub {
        my $now = resource_batch($batch);
        my $parsing = phase($now, 'parsing');
        $seen = [$now->{status}, @$parsing{qw(status total processed)}];
        return $parsing->{processed} > 0;
});
let_go();
$reply = do { local $/; <$socket> };
like($reply, qr{^HTTP/1.1 202 }, 'it is taken');
is_deeply([@$seen[0 .. 2]], ['requested', 'processing', $many], 'while it is stored, all items are known');
cmp_ok($seen->[3], '<', $many, "and some of them are behind it ($seen->[3])");
drop_triggers();
is_result(resource_final($batch), 'completed', {created => $many}, 'then it runs');

# ---- Time -----------------------------------------------------------------------------------------

# Nobody tidies up meanwhile.
configure('BatchWorkers 0');
server_stop();
ok(server_start(), 'a server without workers');
restore();
$batch = requested(merge('contact', []));
my $fresh = requested(merge('shipment', []));
sql("UPDATE batch_jobs SET expires_at = expires_at - 3600000000 WHERE id = '$batch->{id}'");
my $now = resource_batch($batch);
is_deeply([@$now{qw(status reason _upload_url)}], ['expired', 'no upload came in time', undef], 'one whose time is over is expired');
is($now->{completed_at}, stored_of($batch)->{expires_at} / 1000000, 'since its time was over');
is(stored_of($batch)->{status}, 'requested', 'before anybody has written it');
unconfigure();
server_stop();
ok(server_start(), 'and one with workers');
my %listed = map { $_->{id} => $_->{status} } @{request('GET', '/batches')->json->{data}};
is_deeply(\%listed, {$batch->{id} => 'expired', $fresh->{id} => 'requested'}, 'a list shows it so');
is_refused(cancel($batch), 409, 'conflict', 'it cannot be cancelled');
is_refused(request('PUT', "/batches/$batch->{id}/upload", json => [{name => 'x'}]), 409, 'conflict', 'nor uploaded to by a user');
is_refused(upload($batch, json => [{name => 'x'}]), 403, 'forbidden', 'nor by its URL');
$answer = request('GET', '/batches?status=expired');
is_deeply([map { $_->{id} } @{$answer->json->{data}}], [$batch->{id}], 'a list of the expired has it');
is($answer->json->{pagination}{total_count}, 1, 'and counts it');
is_deeply([map { $_->{id} } @{request('GET', '/batches?status=requested')->json->{data}}], [$fresh->{id}], 'a list of the requested does not');
is(stored_of($batch)->{status}, 'expired', 'by now it is written');
is_deeply([@{resource_batch($batch)}{qw(status reason)}], ['expired', 'no upload came in time'], 'and shown as before');

# One that was begun in time goes on; nobody else can begin one then.
my $late = requested(merge('contact', []));
$socket = open_upload($late, $items, 5000);
wait_for('the upload to begin', sub { stored_of($late)->{owner_host} });
sql("UPDATE batch_jobs SET expires_at = expires_at - 3600000000 WHERE id = '$late->{id}'");
is(resource_batch($late)->{status}, 'requested', 'while an upload is under way it does not expire');
$socket->print(substr $items, 5000);
$reply = do { local $/; <$socket> };
like($reply, qr{^HTTP/1.1 202 }, 'the upload is taken');
is_result(resource_final($late), 'completed', {created => 6000}, 'and applied');

# A body that does not go on.
configure('Timeout 1');
server_stop();
ok(server_start(), 'a server that waits a second for a body');
$batch = requested(merge('contact', []));
$socket = open_upload($batch, $items, 5000);
$reply = do { local $/; <$socket> };
like($reply, qr{^HTTP/1.1 408 .*"code":"timeout"}s, 'an upload that does not go on');
is_waiting($batch, 'an upload that does not go on');
is(upload($batch, json => [{name => 'in time'}])->status, 202, 'another one is taken');
is_result(resource_final($batch), 'completed', {created => 1}, 'and applied');
unconfigure();

# A URL that has expired by itself: 403.
configure('BatchURLTTL 1s');
server_stop();
ok(server_start(), 'a server whose URLs are valid for a second');
$batch = requested(merge('contact', []));
my $url = file_url($late, 'upload_csv');
wait_for('the batch to expire', sub { resource_batch($batch)->{status} eq 'expired' });
is_refused(upload($batch, json => [{name => 'x'}]), 403, 'forbidden', 'the URL of an upload that has expired');
wait_for('the URL to expire', sub { signed('GET', $url)->status == 403 });
pass('the URL of a file expires');
unconfigure();
server_stop();
ok(server_start(), 'and the server as it was');

finish();
