# Which row an item of an overwrite names, where the item is dropped. A row that it names is kept; an
# item that may name any row makes the overwrite fail before anything is changed, in every format and
# mode.
#
# With "identity unknown" taken for "names no row", each case of the list @unknown removes the row
# that its item was about.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

use Encode ();
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $nord = 'd0010000-71b9-4000-8000-0242ac120002';
my $sued = 'd0020000-71b9-4000-8000-0242ac120002';
my $none = '00000000-0000-4000-8000-000000000000';
my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $eve = 'c0020000-71b9-4000-8000-0242ac120002';

my %type = (csv => 'text/csv', ndjson => 'application/x-ndjson', array => 'application/json');

sub names { return join ', ', map { $_->{name} } contacts() }

sub groups
{
    return join ', ', map {"$_->{name}/$_->{resource}"}
        rows("SELECT * FROM groups WHERE organization_id = 'acme' ORDER BY name, resource");
}

# Two groups of acme's: Nord and Süd, both of contacts.
sub two_groups
{
    restore();
    sql("DELETE FROM groups WHERE organization_id = 'acme'",
        map { "INSERT INTO groups (id, organization_id, name, resource, created_at, updated_at)"
                . " VALUES ('$_->[0]', 'acme', '$_->[1]', 'contact', 'x', 'x')" } [$nord, 'Nord'], [$sued, "S\xc3\xbcd"]);
    return;
}

# Runs a body of a format in a mode: mixed, sync or atomic. The batch when it is final.
sub run_body
{
    my ($how, $format, $resource, $body, $more) = @_;
    my $query = "action=overwrite&resource=$resource" . ($more // '');
    my $mode = $how eq 'mixed' ? 'mixed' : 'sync';
    $query .= '&atomic=false' if $how eq 'sync';
    my $answer;
    if ($how eq 'upload') {
        my $batch = requested(overwrite($resource));
        $answer = upload($batch, body => $body, type => $type{$format});
        return resource_final($batch);
    }
    if ($how eq 'form') {
        my $form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: $type{$format}\r\n\r\n$body\r\n--b--\r\n";
        $answer = request('POST', "/batches?$query", body => $form, type => 'multipart/form-data; boundary=b');
    }
    elsif ($format eq 'object') {
        $answer = request('POST', '/batches', type => 'application/json',
            body => qq({"action":"overwrite","resource":"$resource","mode":"$mode")
                . ($how eq 'sync' ? ',"atomic":false' : '') . ($more // '') . qq(,"data":$body}));
    }
    else {
        $answer = request('POST', "/batches?$query&mode=$mode", body => $body, type => $type{$format});
    }
    my $data = eval { $answer->json->{data} } or die 'was answered ', $answer->status, ' ', $answer->body, "\n";
    return $data->{mode} eq 'mixed' ? resource_final($data) : $data;
}

# ---- Items that may name any row -----------------------------------------------------------------

# What is wrong, and the item, as JSON or as a row of CSV; the header of the latter.
my $sued_json = "S\xc3\xbcd";
my @unknown = (
    ['a match value of another type', '{"name":7,"resource":"contact"}'],
    ['null', 'null'],
    ['a text', '"Süd"'],
    ['an array', "[{\"name\":\"$sued_json\",\"resource\":\"contact\"}]"],
    ['nothing', '{}'],
    ['a match value said twice', "{\"name\":\"$sued_json\",\"name\":\"7\",\"resource\":\"contact\"}"],
    ['a match value said twice, the right one last', "{\"name\":\"7\",\"resource\":\"contact\",\"name\":\"$sued_json\"}"],
    ['U+0000 in a match value', "{\"name\":\"$sued_json\\u0000\",\"resource\":\"contact\"}"],
    ['a match value that is null', "{\"name\":\"$sued_json\",\"resource\":null}"],
    ['a match value that is missing', "{\"name\":\"$sued_json\"}"],
    ['a word that is not in enum', "{\"name\":\"$sued_json\",\"resource\":\"vehicle\"}"],
    ['a word in another case', "{\"name\":\"$sued_json\",\"resource\":\"Contact\"}"],
    ['a match member in another case', "{\"Name\":\"$sued_json\",\"resource\":\"contact\"}"],
    ['an id of another type', "{\"id\":true,\"name\":\"$sued_json\",\"resource\":\"contact\"}"],
    ['an id that is no whole number', "{\"id\":1.5,\"name\":\"$sued_json\",\"resource\":\"contact\"}"],
    ['an empty id', "{\"id\":\"\",\"name\":\"$sued_json\",\"resource\":\"contact\"}"],
    ['an id that is too long', "{\"id\":\"" . 'x' x 300 . "\",\"name\":\"$sued_json\",\"resource\":\"contact\"}"],
    ['an id said twice', "{\"id\":\"$nord\",\"id\":\"$sued\"}"],
    ['U+0000 in an id', "{\"id\":\"$sued\\u0000\"}"],
    ['an id in another case', "{\"ID\":\"$sued\",\"name\":\"x\",\"resource\":\"contact\"}"],
    ['an unknown id without match values', "{\"id\":\"$none\"}"],
    ['an unknown id with a match value too few', "{\"id\":\"$none\",\"name\":\"$sued_json\"}"],
    ['an unknown id with a wrong match value', "{\"id\":\"$none\",\"name\":\"$sued_json\",\"resource\":\"Contact\"}"],
);
my @unknown_rows = (
    ['Latin-1 in a match cell', "S\xfcd,contact", 'name,resource'],
    ['a NUL in a match cell', "$sued_json\0,contact", 'name,resource'],
    ['a word that is not in enum', "$sued_json,Contact", 'name,resource'],
    ['an empty match cell', "$sued_json,", 'name,resource'],
    ['a match cell that is null', "$sued_json,#N/A", 'name,resource'],
    ['a row with a cell too many', "$sued_json,contact,", 'name,resource'],
    ['a row with a cell too few', $sued_json, 'name,resource'],
    ['Latin-1 in an id', "id-\xfc,$sued_json,contact", 'id,name,resource'],
    ['a NUL in an id', "$sued\0,$sued_json,contact", 'id,name,resource'],
    ['an id that is too long', 'x' x 300 . ",$sued_json,contact", 'id,name,resource'],
    ['an unknown id and a match cell that is empty', "$none,$sued_json,", 'id,name,resource'],
    ['a row that is too large', 'x' x 1_100_000 . ',contact', 'name,resource'],
);

two_groups();
my $all = table_hash('groups');

sub fails
{
    my ($batch, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_result($batch, 'failed', {errors => 1}, "$name: fails");
    like($batch->{reason}, qr/^1 of 2 items .* cannot be read, so it is not known which rows they name: nothing was changed.* index 1$/,
        "$name: and says why, and where");
    is(table_hash('groups'), $all, "$name: and has changed nothing") or two_groups();
    return;
}

my $good = '{"name":"Nord","resource":"contact"}';
foreach my $case (@unknown) {
    my ($name, $item) = @$case;
    Encode::_utf8_off($item);
    fails(run_body('mixed', 'ndjson', 'group', "$good\n$item\n"), "NDJSON: $name");
    fails(run_body('sync', 'object', 'group', "[$good,$item]"), "JSON, sync: $name");
}
foreach my $case (@unknown_rows) {
    my ($name, $row, $header) = @$case;
    my $first = $header =~ /^id/ ? "$nord,Nord,contact" : 'Nord,contact';
    fails(run_body('mixed', 'csv', 'group', "$header\n$first\n$row\n"), "CSV: $name");
    fails(run_body('sync', 'csv', 'group', "$header\n$first\n$row\n"), "CSV, sync: $name");
}

# The other ways in.
my $latin = "name,resource\nNord,contact\nS\xfcd,contact\n";
foreach my $how (qw(upload form)) {
    fails(run_body($how, 'csv', 'group', $latin), "CSV, $how");
    fails(run_body($how, 'ndjson', 'group', "$good\nnull\n"), "NDJSON, $how");
    fails(run_body($how, 'array', 'group', "[$good,{\"name\":7,\"resource\":\"contact\"}]"), "an array, $how");
}
fails(run_body('mixed', 'array', 'group', "[$good,7]"), 'an array');
my $batch = run_body('atomic', 'csv', 'group', $latin);
is($batch->{status}, 'failed', 'atomic: fails as well');
is(table_hash('groups'), $all, 'and has changed nothing');

# No valid item at all, and allow_empty: that is no leave to remove what was named.
foreach my $how (qw(mixed sync)) {
    my $batch = run_body($how, 'object', 'group', '[{"name":7,"resource":"contact"}]', ',"allow_empty":true');
    is_result($batch, 'failed', {errors => 1}, "$how: allow_empty and an item that may name any row");
    is(table_hash('groups'), $all, "$how: changes nothing");
    $batch = run_body($how, 'object', 'contact', '["Dana"]', ',"allow_empty":true');
    is_result($batch, 'failed', {errors => 1}, "$how: so with a resource without BatchMatch");
}

# In the last of many groups of items, and in the first.
my @many = map { qq({"name":"n$_","resource":"contact"}) } 1 .. 4500;
foreach my $place (3, 4499) {
    my @items = @many;
    $items[$place] = '{"name":"Nord"}';
    my $batch = run_body('mixed', 'ndjson', 'group', join "\n", @items);
    is_result($batch, 'failed', {errors => 1}, "item $place of 4500");
    like($batch->{reason}, qr/^1 of 4500 .* index $place$/, 'is named');
    is(table_hash('groups'), $all, 'and nothing has changed');
}

# Where there is no BatchMatch an id alone tells.
my $contacts = table_hash('contacts');
foreach my $case (['{"id":7.5}', 'a wrong id'], ['{"Id":"' . $dana . '"}', 'an id in another case'], ['["Dana"]', 'no object'],
    ["{\"id\":\"$dana\",\"id\":\"$eve\"}", 'an id said twice']) {
    foreach my $how (qw(mixed sync)) {
        my $batch = run_body($how, 'object', 'contact', qq([{"name":"Zoe"},$case->[0]]));
        is_result($batch, 'failed', {errors => 1}, "contacts, $how: $case->[1]");
        is(table_hash('contacts'), $contacts, "contacts, $how: and nothing has changed");
    }
}

# ---- Items that name a row, or none ----------------------------------------------------------------

my $upper = uc $sued;
my $umlaut = "S\x{fc}d";
my @named = (
    ['an unknown id with match values', "{\"id\":\"old-1\",\"name\":\"$sued_json\",\"resource\":\"contact\"}", 'not_found'],
    ['an unknown id with match values and other faults', "{\"id\":\"old-1\",\"name\":\"$sued_json\",\"resource\":\"contact\",\"x\":1}", 'unknown_member'],
    ['an id and a wrong match value', "{\"id\":\"$sued\",\"name\":7}", 'wrong_type'],
    ['an id and a match value that never changes', "{\"id\":\"$sued\",\"resource\":\"location\"}", 'immutable'],
    ['an id and a word that is not in enum', "{\"id\":\"$sued\",\"resource\":\"Contact\"}", qr/not_allowed|wrong_type/],
    ['an id and a match value that is null', "{\"id\":\"$sued\",\"name\":null}", qr/missing|wrong_type/],
    ['an unknown member', "{\"name\":\"$sued_json\",\"resource\":\"contact\",\"colour\":\"red\"}", 'unknown_member'],
    ['an id that is null', "{\"id\":null,\"name\":\"$sued_json\",\"resource\":\"contact\",\"colour\":\"red\"}", 'unknown_member'],
    ['another member said twice', "{\"name\":\"$sued_json\",\"resource\":\"contact\",\"x\":1,\"x\":2}", 'repeated_member'],
    ['too large', "{\"id\":\"$sued\",\"x\":\"" . 'x' x 1_048_600 . '"}', 'too_large'],
);
foreach my $case (@named) {
    my ($name, $item, $code) = @$case;
    foreach my $how (qw(mixed sync)) {
        two_groups();
        my $batch = run_body($how, 'object', 'group', qq([{"name":"West","resource":"contact"},$item]));
        is_result($batch, 'completed', {created => 1, overwritten => 1, errors => 1}, "$how: $name");
        is_item_errors([(stored_errors($batch))[0]], [[1, (stored_errors($batch))[0]{field}, $code]], "$how: $name: an error of the item");
        is(groups(), "$umlaut/contact, West/contact", "$how: $name: the row that it names is kept");
    }
}

# A UUID in capitals is another text, but the same UUID.
foreach my $how (qw(mixed sync)) {
    two_groups();
    is_result(run_body($how, 'object', 'group', qq([{"name":"West","resource":"contact"},{"id":"$upper","name":"$sued_json","resource":"contact"}])),
        'completed', {created => 1, overwritten => 1, errors => 1}, "$how: a UUID in capitals, with match values");
    is(groups(), "$umlaut/contact, West/contact", "$how: keeps the row");
    restore();
    is_result(run_body($how, 'object', 'contact', qq([{"name":"Zoe"},{"id":"\U$dana\E","phone":"1"}])),
        'completed', {created => 1, overwritten => 3, errors => 1}, "$how: a UUID in capitals, without BatchMatch");
    is(names(), "Dana D\x{ed}az, Zoe", "$how: keeps the row as well");
}

# Nor do blanks or braces around an id hide the row that is meant; blanks alone are no id.
foreach my $id (" $dana", "$dana\t ", "{\U$dana\E}") {
    restore();
    is_result(run_batch(overwrite('contact', [{name => 'Zoe'}, {id => $id, phone => '1'}])),
        'completed', {created => 1, overwritten => 3, errors => 1}, "an id as '$id'");
    is(names(), "Dana D\x{ed}az, Zoe", 'keeps the row');
}
restore();
is(run_batch(overwrite('contact', [{name => 'Zoe'}, {id => ' ', name => 'Dana'}]))->{status}, 'failed', 'an id of blanks says nothing');
is(table_hash('contacts'), $contacts, 'and nothing has changed');

# A default of the request is a match value of the item.
foreach my $how (qw(mixed sync)) {
    two_groups();
    my $batch = run_body($how, 'object', 'group', "[{\"name\":\"West\"},{\"name\":\"$sued_json\",\"colour\":\"red\"}]",
        ',"properties":{"resource":"contact"}');
    is_result($batch, 'completed', {created => 1, overwritten => 1, errors => 1}, "$how: a match value in properties");
    is(groups(), "$umlaut/contact, West/contact", "$how: counts");
    two_groups();
    $batch = run_body($how, 'object', 'group', "[{\"name\":\"West\"},{\"name\":\"$sued_json\",\"resource\":null}]",
        ',"properties":{"resource":"contact"}');
    is($batch->{status}, 'failed', "$how: unless the item says null");
    $batch = run_body($how, 'object', 'group', "[{\"name\":\"West\"},{\"name\":\"$sued_json\",\"Resource\":\"location\"}]",
        ',"properties":{"resource":"contact"}');
    is($batch->{status}, 'failed', "$how: or nearly says another");
    is(groups(), "Nord/contact, $umlaut/contact", "$how: and nothing has changed");
}

# An item that would make a row names none, where the resource has nothing else to find it by.
foreach my $how (qw(mixed sync)) {
    restore();
    is_result(run_body($how, 'object', 'contact', qq([{"id":"$dana"},{"name":5},{"name":"x","fax":"1"},{"phone":"1"}])),
        'completed', {updated => 1, overwritten => 3, errors => 3}, "$how: wrong new rows of a resource without BatchMatch");
    is(names(), "Dana D\x{ed}az", "$how: name no row");
}

# Duplicates name what they say, also where it is another row than that of the item that counts.
foreach my $how (qw(mixed sync)) {
    foreach my $handling (qw(use_first use_last ignore_all)) {
        two_groups();
        my $batch = run_body($how, 'object', 'group',
            "[{\"name\":\"West\",\"resource\":\"contact\"},{\"id\":\"$none\",\"name\":\"Nord\",\"resource\":\"contact\"},"
                . "{\"id\":\"$none\",\"name\":\"$sued_json\",\"resource\":\"contact\"}]",
            qq(,"duplicate_handling":"$handling"));
        my $all = $handling eq 'ignore_all';
        is_result($batch, 'completed', {created => 1, $all ? (duplicates => 2) : (errors => 1, duplicates => 1)},
            "$how, $handling: two items with one unknown id");
        is(groups(), "Nord/contact, $umlaut/contact, West/contact", "$how, $handling: keep two rows by their match values");
        two_groups();
        $batch = run_body($how, 'object', 'group',
            "[{\"name\":\"West\",\"resource\":\"contact\"},{\"id\":\"$sued\",\"name\":\"$sued_json\"},{\"id\":\"$sued\",\"name\":7}]",
            qq(,"duplicate_handling":"$handling"));
        is(groups(), "$umlaut/contact, West/contact", "$how, $handling: one that is wrong, too, has its id")
            or diag($batch->{status}, ' ', $batch->{reason} // '');
        two_groups();
        $batch = run_body($how, 'object', 'group',
            "[{\"name\":\"West\",\"resource\":\"contact\"},{\"id\":\"$none\",\"name\":7},{\"id\":\"$none\",\"name\":8}]",
            qq(,"duplicate_handling":"$handling"));
        is($batch->{status}, 'failed', "$how, $handling: of an unknown id without match values nobody knows");
        is(groups(), "Nord/contact, $umlaut/contact", "$how, $handling: and nothing has changed");
    }
}

# ---- Rows that go between the answer and the run ---------------------------------------------------

two_groups();
configure('BatchWorkers 0');
server_stop();
ok(server_start(), 'a server without workers');
my @queued = map { accepted(overwrite('group', [{name => 'West', resource => 'contact'}, @$_])) }
    [{id => $sued, name => $umlaut, resource => 'contact'}, {id => $nord, name => 'Nord'}];
sql("UPDATE groups SET id = 'other' WHERE id = '$sued'", "DELETE FROM groups WHERE id = '$nord'",
    "INSERT INTO groups (id, organization_id, name, resource, created_at, updated_at) VALUES ('third', 'acme', 'Third', 'contact', 'x', 'x')");
unconfigure();
server_stop();
ok(server_start(), 'and one with workers');
is_result(resource_final($queued[0]), 'completed', {created => 1, overwritten => 1, errors => 2}, 'ids that no row has any more');
is(groups(), "$umlaut/contact, West/contact", 'name rows by their match values');

# ---- Resources of an administrator's ---------------------------------------------------------------

my $is_pgsql = driver() eq 'pgsql';
sql($is_pgsql ? 'CREATE TABLE batchless_keys (id uuid PRIMARY KEY, code text UNIQUE, label text)'
    : 'CREATE TABLE batchless_keys (id TEXT PRIMARY KEY, code TEXT UNIQUE, label TEXT)',
    'CREATE TABLE batchless_names (id varchar(40) PRIMARY KEY, label varchar(40))');
END { eval { sql('DROP TABLE IF EXISTS batchless_keys', 'DROP TABLE IF EXISTS batchless_names') } }
configure(
    '<BatchResource matched>', 'BatchTable batchless_keys', 'BatchKey id generated', 'BatchMatch code', 'BatchColumn code text max=3',
    'BatchColumn label text max=5', 'BatchActions merge overwrite delete', '</BatchResource>',
    '<BatchResource word>', 'BatchTable batchless_names', 'BatchKey id client', 'BatchColumn label text max=5',
    'BatchActions merge overwrite delete', '</BatchResource>'
);
server_stop();
ok(server_start(), 'resources of an administrator');

sub codes { return join ' ', map { $_->{code} // '-' } rows('SELECT code FROM batchless_keys ORDER BY code') }
sub words { return join ' ', map { $_->{id} } rows('SELECT id FROM batchless_names ORDER BY id') }

sub some_rows
{
    sql('DELETE FROM batchless_keys', 'DELETE FROM batchless_names',
        "INSERT INTO batchless_keys VALUES ('$nord', 'a', 'x'), ('$sued', 'b', 'x')",
        "INSERT INTO batchless_names VALUES ('a', 'x'), ('b', 'x')");
    return;
}

foreach my $how (qw(mixed sync)) {
    some_rows();
    is($_->{status}, 'failed', "$how: a match value that is too long") for run_body($how, 'object', 'matched', '[{"code":"a"},{"code":"bbbb"}]');
    is(codes(), 'a b', "$how: changes nothing");
    # A match value that need not be there.
    some_rows();
    is($_->{status}, 'failed', "$how: a wrong item without its match value") for run_body($how, 'object', 'matched', '[{"code":"c"},{"label":"too long"}]');
    is(codes(), 'a b', "$how: changes nothing");
    my $batch = run_body($how, 'object', 'matched', '[{"code":"a"},{"label":"new"},{"label":"new"}]');
    is_result($batch, 'completed', {updated => 1, created => 1, duplicates => 1, overwritten => 1}, "$how: right ones without it are new rows, duplicates too");
    # The keys of a type that knows capitals.
    some_rows();
    $batch = run_body($how, 'object', 'matched', "[{\"code\":\"c\"},{\"id\":\"\U$sued\E\",\"label\":\"x\"}]");
    is($batch->{status}, $is_pgsql ? 'completed' : 'failed', "$how: a UUID in capitals") or diag($batch->{reason} // '');
    is(codes(), $is_pgsql ? 'b c' : 'a b', "$how: is the key of a column of that type");
    # Keys that clients make: an unknown one makes a row.
    some_rows();
    $batch = run_body($how, 'object', 'word', '[{"id":"c"},{"id":"b","label":"too long"},{"id":"d","label":"too long"}]');
    is_result($batch, 'completed', {created => 1, overwritten => 1, errors => 2}, "$how: a client's key tells, known or unknown");
    is(words(), 'b c', "$how: so its row is kept");
    some_rows();
    is($_->{status}, 'failed', "$how: a client's key that is missing") for run_body($how, 'object', 'word', '[{"id":"c"},{"label":"x"}]');
    is(words(), 'a b', "$how: changes nothing");
}

unconfigure();
server_stop();
sql('DROP TABLE batchless_keys', 'DROP TABLE batchless_names');
ok(server_start(), 'as before');

finish();
