# Validation: each item error names index, field, code and message; what is wrong is dropped, the
# rest goes on; and nothing of a wrong item reaches a row.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

use JSON::PP ();

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $hana = 'c0050000-71b9-4000-8000-0242ac120002';
my $group = 'd0010000-71b9-4000-8000-0242ac120002';
my $none = '00000000-0000-4000-8000-000000000000';
my $json = JSON::PP->new->utf8->allow_nonref->allow_bignum;

# [resource, item as JSON, field, code]
my @wrong = (
    # what is no object
    ['contact', '"text"', undef, 'not_an_object'],
    ['contact', '5', undef, 'not_an_object'],
    ['contact', 'null', undef, 'not_an_object'],
    ['contact', 'true', undef, 'not_an_object'],
    ['contact', '[]', undef, 'not_an_object'],
    ['contact', '[{"name":"x"}]', undef, 'not_an_object'],
    # ids
    ['contact', qq({"id":"$none","name":"x"}), 'id', 'not_found'],
    ['contact', qq({"id":"$hana","name":"x"}), 'id', 'not_found'],
    ['contact', '{"id":"no-uuid","name":"x"}', 'id', 'not_found'],
    ['contact', '{"id":5,"name":"x"}', 'id', qr/wrong_type|not_found/],
    ['contact', '{"id":true,"name":"x"}', 'id', 'wrong_type'],
    ['contact', '{"id":{},"name":"x"}', 'id', 'wrong_type'],
    ['contact', qq({"id":["$dana"],"name":"x"}), 'id', 'wrong_type'],
    ['shipment', qq({"id":"$none","tracking_number":"V-1"}), 'id', 'not_found'],
    # required
    ['contact', '{}', 'name', 'missing'],
    ['contact', '{"email":"x"}', 'name', 'missing'],
    ['contact', '{"name":null}', 'name', qr/missing|wrong_type/],
    ['contact', qq({"id":"$dana","name":null}), 'name', qr/missing|wrong_type/],
    ['shipment', '{"carrier":"x"}', 'tracking_number', 'missing'],
    ['shipment', '{"tracking_number":null}', 'tracking_number', qr/missing|wrong_type/],
    ['asset', '{"item_id":"x"}', 'location_id', 'missing'],
    ['asset', '{"location_id":"x"}', 'item_id', 'missing'],
    ['group', '{"name":"x"}', 'resource', 'missing'],
    # unknown
    ['contact', '{"name":"x","fax":"1"}', 'fax', 'unknown_member'],
    ['contact', '{"name":"x","Name":"y"}', 'Name', 'unknown_member'],
    ['contact', '{"name":"x","":"y"}', '', 'unknown_member'],
    ['contact', '{"name":"x","organization_id":"globex"}', 'organization_id', 'unknown_member'],
    ['contact', qq({"id":"$dana","organization_id":"globex"}), 'organization_id', 'unknown_member'],
    ['contact', '{"name":"x","organization_id":"acme"}', 'organization_id', 'unknown_member'],
    ['contact', '{"name":"x","created_at":"2001-01-01T00:00:00Z"}', 'created_at', 'unknown_member'],
    ['contact', '{"name":"x","updated_at":null}', 'updated_at', 'unknown_member'],
    ['contact', '{"name":"x","rowid":1}', 'rowid', 'unknown_member'],
    ['contact', '{"name":"x","ctid":"(0,1)"}', 'ctid', 'unknown_member'],
    ['contact', '{"name":"x","email) VALUES (1); --":"y"}', 'email) VALUES (1); --', 'unknown_member'],
    ['shipment', '{"tracking_number":"V-2","quantity":1}', 'quantity', 'unknown_member'],
    # types
    ['contact', '{"name":5}', 'name', 'wrong_type'],
    ['contact', '{"name":true}', 'name', 'wrong_type'],
    ['contact', '{"name":{}}', 'name', 'wrong_type'],
    ['contact', '{"name":["x"]}', 'name', 'wrong_type'],
    ['contact', '{"name":"x","email":5}', 'email', 'wrong_type'],
    ['contact', '{"name":"x","notes":"a\u0000b"}', 'notes', 'nul_byte'],
    ['contact', '{"name":"\u0000"}', 'name', 'nul_byte'],
    ['asset', '{"item_id":"v","location_id":"1","quantity":"5"}', 'quantity', 'wrong_type'],
    ['asset', '{"item_id":"v","location_id":"2","quantity":1.5}', 'quantity', 'wrong_type'],
    ['asset', '{"item_id":"v","location_id":"3","quantity":-1}', 'quantity', 'out_of_range'],
    ['asset', '{"item_id":"v","location_id":"4","quantity":true}', 'quantity', 'wrong_type'],
    ['asset', '{"item_id":"v","location_id":"5","quantity":9223372036854775808}', 'quantity', 'out_of_range'],
    ['asset', '{"item_id":"v","location_id":"6","quantity":1e400}', 'quantity', 'out_of_range'],
    ['asset', '{"item_id":"v","location_id":"7","quantity":{}}', 'quantity', 'wrong_type'],
    ['shipment', '{"tracking_number":"V-3","eta":"tomorrow"}', 'eta', 'malformed'],
    ['shipment', '{"tracking_number":"V-4","eta":"2023-02-29T00:00:00Z"}', 'eta', 'malformed'],
    ['shipment', '{"tracking_number":"V-5","eta":"2023-10-06"}', 'eta', 'malformed'],
    ['shipment', '{"tracking_number":"V-6","eta":"2023-10-06T02:56:34"}', 'eta', 'malformed'],
    ['shipment', '{"tracking_number":"V-7","eta":1698000000}', 'eta', 'wrong_type'],
    ['shipment', '{"tracking_number":"V-8","eta":""}', 'eta', 'malformed'],
    # enum
    ['shipment', '{"tracking_number":"V-9","status":"lost"}', 'status', 'not_allowed'],
    ['shipment', '{"tracking_number":"V-10","status":"Pending"}', 'status', 'not_allowed'],
    ['shipment', '{"tracking_number":"V-11","status":""}', 'status', 'not_allowed'],
    ['shipment', '{"tracking_number":"V-12","status":"pending,in_transit"}', 'status', 'not_allowed'],
    ['group', '{"name":"x","resource":"vehicle"}', 'resource', 'not_allowed'],
    # max counts characters
    ['contact', '{"name":"' . 'x' x 201 . '"}', 'name', 'too_long'],
    ['contact', '{"name":"' . "\xc3\xa9" x 201 . '"}', 'name', 'too_long'],
    ['contact', '{"name":"' . '\u00e9' x 201 . '"}', 'name', 'too_long'],
    ['contact', '{"name":"' . '\ud83d\ude00' x 201 . '"}', 'name', 'too_long'],
    ['contact', '{"name":"x","phone":"' . '1' x 41 . '"}', 'phone', 'too_long'],
    ['contact', '{"name":"x","email":"' . 'e' x 321 . '"}', 'email', 'too_long'],
    ['shipment', '{"tracking_number":"' . 'x' x 65 . '"}', 'tracking_number', 'too_long'],
    # immutable
    ['group', qq({"id":"$group","resource":"location"}), 'resource', 'immutable'],
);
my %good = (
    contact => '{"name":"good %d"}',
    shipment => '{"tracking_number":"good %d"}',
    asset => '{"item_id":"good","location_id":"%d"}',
    group => '{"name":"good %d","resource":"contact"}'
);

# Each alone among good ones: sync says what is wrong, and changes nothing.
my @tables = qw(contacts groups shipments assets);
my %before = map { $_ => table_hash($_) } @tables;
foreach my $case (@wrong) {
    my ($resource, $item, $field, $code) = @$case;
    my $name = "$resource " . ($item =~ s/[^ -~]/?/gr =~ s/^(.{70}).*/$1…/sr =~ s/(.)\1{20,}/$1$1…/gr);
    utf8::encode($name) if utf8::is_utf8($name);
    my $body = '{"action":"merge","resource":"' . $resource . '","mode":"sync","data":['
        . sprintf($good{$resource}, 1) . ",$item," . sprintf($good{$resource}, 2) . ']}';
    my $answer = post_batches(undef, body => $body);
    is_envelope($answer, 422, 'batch_failed', $name) or next;
    is_item_errors($answer->json->{errors}, [[1, $field, $code]], "$name: its error");
    is_result($answer->json->{data}, 'failed', {errors => 1}, "$name: its batch");
}
is(table_hash($_), $before{$_}, "nothing has changed in $_") for @tables;

# All of a resource at once: mixed drops them and does the rest.
foreach my $resource (qw(contact shipment asset group)) {
    restore();
    my @cases = grep { $_->[0] eq $resource } @wrong;
    my (@items, @errors);
    foreach my $case (@cases) {
        push @items, sprintf $good{$resource}, scalar @items;
        push @errors, [scalar @items, @$case[2, 3]];
        push @items, $case->[1];
    }
    push @items, sprintf $good{$resource}, scalar @items;
    # Some of the wrong ones are the same by what they name: here it is about the wrong.
    my %seen;
    my $answer = post_batches(undef,
        body => '{"action":"merge","resource":"' . $resource . '","data":[' . join(',', @items) . ']}');
    is($answer->status, 202, "$resource: many wrong items are accepted") or next;
    my $batch = resource_final($answer->json->{data});
    my @stored = stored_errors($batch);
    my @duplicates = grep { $_->{code} eq 'duplicate' } @stored;
    my %duplicate = map { $_->{index} => 1 } @duplicates;
    is_item_errors(
        [grep { $_->{code} ne 'duplicate' } @stored],
        [grep { !$duplicate{$_->[0]} } @errors],
        "$resource: every wrong item is listed"
    );
    is_result($batch, 'completed', {created => @cases + 1, errors => @cases - @duplicates, duplicates => scalar @duplicates},
        "$resource: the others are made");
    is_phases($batch, {received => 2 * @cases + 1, duplicates => scalar @duplicates, invalid => @cases - @duplicates},
        $resource);
    # The original is kept as it was sent, so that it can be mended.
    my @changed = grep {
        !defined $_->{original}
            || $json->canonical->encode($json->decode($_->{original})) ne
            $json->canonical->encode($json->decode($items[$_->{index}]))
    } map { {%$_, original => do { my $text = $_->{original}; utf8::encode($text) if defined $text; $text }} }
        grep { $_->{code} ne 'duplicate' } @stored;
    is(scalar @changed, 0, "$resource: with the item as it was sent")
        or diag("$items[$changed[0]{index}]: ", $changed[0]{original} // 'NULL');
}

# Several things wrong in one item, and one item that is wrong in the middle of many.
restore();
my $answer = synchronous(
    merge('contact', [{name => 'ok'}, {id => $none, name => 5, fax => 1, email => 'e' x 400}, {phone => '1'}]));
is_envelope($answer, 422, 'batch_failed', 'several things are wrong');
my @errors = @{$answer->json->{errors}};
ok(@errors >= 2 && !(grep { $_->{index} !~ /^[12]$/ } @errors), 'each names its item') or diag($answer->body);
is($answer->json->{data}{stats}{errors}, 2, 'errors counts items');
is_deeply([map { $_->{id} } @errors], [map { $_->{index} == 1 ? $none : undef } @errors], 'each names the id of its item, where that has one');

# What is just right.
restore();
my $batch = run_batch(
    merge(
        'contact',
        [
            {name => 'x' x 200, phone => '1' x 40, email => 'e' x 320},
            {name => "\x{e9}" x 200},
            {name => "\x{1f600}" x 200, phone => "\x{20ac}" x 40},
            {id => $dana, email => 'without its name'}
        ]
    )
);
is_result($batch, 'completed', {created => 3, updated => 1}, '200 characters, however many bytes');
is(value('SELECT count(*) FROM contacts WHERE length(name) = 200'), 3, 'and they are whole');
$batch = run_batch(
    merge('asset', [map { {item_id => 'n', location_id => "$_", quantity => $_} } 0, 1, 2147483647]));
is_result($batch, 'completed', {created => 3}, 'whole numbers from the smallest on');
$batch = run_batch(
    merge('shipment', [map { {tracking_number => "eta $_", eta => $_} }
        '2024-02-29T23:59:59Z', '2023-10-06T04:56:34.5+02:00', '1969-12-31T23:59:59-12:00']));
is_result($batch, 'completed', {created => 3}, 'times');
is(value("SELECT count(*) FROM shipments WHERE tracking_number LIKE 'eta %' AND eta IS NOT NULL"), 3, 'are there');

# A member said twice: one of them counts, in what is judged and in what is written.
foreach my $text ('{"name":"first","name":"second"}', '{"name":5,"name":"second"}', '{"name":"first","name":5}') {
    restore();
    my $answer = post_batches(undef,
        body => qq({"action":"merge","resource":"contact","mode":"sync","data":[$text]}));
    ok($answer->status == 201 || $answer->status == 422 || $answer->status == 400, "a member said twice: $text");
    my @made = contacts("name IN ('first', 'second', '5')");
    is(scalar @made, $answer->status == 201 ? 1 : 0, 'makes one row or none');
}
# So does an id.
restore();
foreach my $text (qq({"id":"$dana","id":"$hana","phone":"twice"}), qq({"id":"$hana","id":"$dana","phone":"twice"})) {
    post_batches(undef, body => qq({"action":"merge","resource":"contact","mode":"sync","data":[$text]}));
}
is(value("SELECT count(*) FROM contacts WHERE phone = 'twice' AND organization_id <> 'acme'"), 0,
    'an id said twice is no way round');

# Between the answer and the run, what was valid may no longer be.
restore();
configure('BatchWorkers 0');
server_stop();
ok(server_start(), 'a server without workers');
my $eve = 'c0020000-71b9-4000-8000-0242ac120002';
$batch = accepted(merge('contact', [{id => $dana, phone => 'p'}, {id => $eve, phone => 'p'}, {name => 'later'},
            {id => 'c0030000-71b9-4000-8000-0242ac120002', phone => 'p'}]));
my $ships = accepted(merge('shipment', [{tracking_number => 'SOON', carrier => 'mine'}]));
sql("DELETE FROM contacts WHERE id = '$dana'", "UPDATE contacts SET organization_id = 'globex' WHERE id = '$eve'",
    "INSERT INTO shipments (id, organization_id, tracking_number, recipient, created_at, updated_at)"
        . " VALUES ('soon-1', 'acme', 'SOON', 'kept', 'x', 'x'), ('soon-2', 'globex', 'SOON', 'kept', 'x', 'x')");
unconfigure();
server_stop();
ok(server_start(), 'a server with workers');
$batch = resource_final($batch);
is_result($batch, 'completed', {created => 1, updated => 1, errors => 2}, 'rows that went or changed hands fail');
is(value("SELECT coalesce(phone, '-') FROM contacts WHERE id = '$eve'"), '-', 'what is hers now is as it was');
is(value("SELECT count(*) FROM contacts WHERE id = '$dana'"), 0, 'what went is not made again');
is_result(resource_final($ships), 'completed', {updated => 1}, 'a row that came meanwhile is found');
is(join(' ', map {"$_->{organization_id} " . ($_->{carrier} // '-') . " $_->{recipient}"}
        rows("SELECT * FROM shipments WHERE tracking_number = 'SOON' ORDER BY 1, organization_id")),
    'acme mine kept globex - kept', "ours, and not hers");

finish();
