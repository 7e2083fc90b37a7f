# Keys that the database compares in another way than byte by byte: numbers, UUIDs, texts without case.
# An item names the row that the database finds for it, and a cleanup keeps that row.
#
# Where the cleanup compares what the item says with what the table says, "is kept" fails: the row that
# was just updated is removed.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my $pgsql = driver() eq 'pgsql';
my $uuid = 'c0ffee00-71b9-4000-8000-0242ac120002';
END { eval { sql('DROP TABLE IF EXISTS batchless_numbers', 'DROP TABLE IF EXISTS batchless_words') } }
# SQLite lets any text into a column of numbers, unless that is said.
my $number = $pgsql ? 'INTEGER' : "INTEGER CHECK (typeof(id) = 'integer')";
sql("CREATE TABLE batchless_numbers (id $number, organization_id TEXT NOT NULL, label TEXT, PRIMARY KEY (organization_id, id))",
    'CREATE TABLE batchless_words (id ' . ($pgsql ? 'UUID' : 'TEXT COLLATE NOCASE')
        . ', organization_id TEXT NOT NULL, label TEXT, PRIMARY KEY (organization_id, id))');
my $common = join "\n", 'BatchScope organization_id', 'BatchColumn label text', 'BatchActions merge overwrite delete',
    '</BatchResource>';
configure(
    '<BatchResource number>', 'BatchTable batchless_numbers', 'BatchKey id client', $common,
    '<BatchResource word>', 'BatchTable batchless_words', 'BatchKey id client', $common,
    '<BatchResource term>', 'BatchTable batchless_words', 'BatchKey id generated', $common,
    # Contacts that are found by their names, which are not unique.
    '<BatchResource person>', 'BatchTable contacts', 'BatchKey id generated', 'BatchMatch name',
    'BatchScope organization_id', 'BatchColumn name text required', 'BatchColumn phone text',
    'BatchStamp created_at updated_at', 'BatchActions merge overwrite', '</BatchResource>'
);
tolerate_log(qr/batchless_|contacts/);
server_stop();
ok(server_start(), 'with resources of such keys') or BAIL_OUT('the server does not start');

sub fill
{
    sql('DELETE FROM batchless_numbers', 'DELETE FROM batchless_words',
        "INSERT INTO batchless_numbers (id, organization_id, label) VALUES (7, 'acme', 'seven'), (8, 'acme', 'eight'),"
            . " (9, 'acme', 'nine'), (10, 'globex', 'ten')",
        "INSERT INTO batchless_words (id, organization_id, label) VALUES ('$uuid', 'acme', 'coffee')");
    return;
}

sub labels
{
    my ($table) = @_;
    return join ' ', map {"$_->{id}=$_->{label}"} rows("SELECT id, label FROM $table WHERE organization_id = 'acme' ORDER BY id");
}

sub run_in
{
    my ($mode, $request) = @_;
    my $answer = post_batches({%$request, mode => $mode, atomic => FALSE});
    die 'create was answered ', $answer->status, ' ', substr($answer->body, 0, 600), "\n" if !$answer->json->{data};
    return resource_final($answer->json->{data});
}

foreach my $mode (qw(mixed sync)) {
    fill();
    my $batch = run_in($mode, overwrite('number', [{id => '7', label => 'a'}, {id => 8, label => 'b'}, {id => '11', label => 'c'}]));
    is_result($batch, 'completed', {created => 1, updated => 2, overwritten => 1}, "$mode: numbers as texts and as numbers");
    is(labels('batchless_numbers'), '7=a 8=b 11=c', "$mode: the rows");
    # Zeros in front say nothing; whatever else is no number says nothing that could be known.
    fill();
    $batch = run_in($mode, overwrite('number', [{id => '07', label => 'a'}, {id => '8', label => 'b'}]));
    is_result($batch, 'completed', {updated => 2, overwritten => 1}, "$mode: '07' names row 7");
    is(labels('batchless_numbers'), '7=a 8=b', "$mode: which is kept");
    foreach my $id ('7.0', ' 7', '+7', '7e0', '0x7') {
        fill();
        $batch = run_in($mode, overwrite('number', [{id => $id, label => 'a'}, {id => '8', label => 'b'}]));
        is($batch->{status}, 'failed', "$mode: nobody knows which row '$id' names");
        is(labels('batchless_numbers'), '7=seven 8=eight 9=nine', "$mode: so nothing is changed");
    }
    # Twice the same row, however it is written.
    fill();
    $batch = run_in($mode, merge('number', [{id => '7', label => 'first'}, {id => 7, label => 'second'}, {id => '007', label => 'third'}]));
    is_result($batch, 'completed', {updated => 1, duplicates => 2}, "$mode: a number, the same as text, and with zeros");
    is(value('SELECT label FROM batchless_numbers WHERE id = 7'), 'first', "$mode: of which the first counts");
    foreach my $id ('x', '7x', '9223372036854775808', '99999999999999999999999', '1.5', '', '-', "7'") {
        fill();
        $batch = run_in($mode, merge('number', [{id => '9', label => 'good'}, {id => $id, label => 'bad'}]));
        is_result($batch, 'completed', {updated => 1, errors => 1}, "$mode: '$id' is no such key, and fails alone");
        $batch = run_in($mode, removal('number', [{id => '9'}, {id => $id}]));
        is_result($batch, 'completed', {deleted => 1, errors => 1}, "$mode: nor one to delete");
    }
    # Of another organization.
    fill();
    $batch = run_in($mode, overwrite('number', [{id => '010', label => 'stolen'}, {id => '10', label => 'stolen'}, {id => '7'}]));
    is(value("SELECT label FROM batchless_numbers WHERE id = 10 AND organization_id = 'globex'"), 'ten', "$mode: globex's number is untouched");

    foreach my $resource (qw(word term)) {
        fill();
        $batch = run_in($mode, overwrite($resource, [{id => uc $uuid, label => 'tea'}]));
        is_result($batch, 'completed', {updated => 1}, "$mode, $resource: an id in capitals");
        is(labels('batchless_words'), "$uuid=tea", "$mode, $resource: names a row that is kept");
    }
    # A name that several rows have: none is changed, and none removed, since one of them is meant.
    restore();
    my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
    sql("UPDATE contacts SET name = 'Twin' WHERE id IN ('$dana', 'c0020000-71b9-4000-8000-0242ac120002')");
    $batch = run_in($mode, overwrite('person', [{name => 'Twin', phone => 'x'}, {name => 'Zoe'}]));
    is_result($batch, 'completed', {created => 1, overwritten => 2, errors => 1}, "$mode: a name that two rows have");
    is_item_errors([stored_errors($batch)], [[0, undef, 'ambiguous']], "$mode: is ambiguous") if $batch->{stats}{errors} == 1;
    is(join(' ', map { $_->{name} } contacts()), 'Twin Twin Zoe', "$mode: both are kept");
    is(scalar(contacts("phone = 'x'")), 0, "$mode: as they were");
    fill();
    $batch = run_in($mode, removal('word', [{id => uc $uuid}]));
    is_result($batch, 'completed', {deleted => 1}, "$mode: and deletes it");
    next if !$pgsql;
    $batch = run_in($mode, merge('word', [{id => $uuid, label => 'new'}, {id => 'no-uuid', label => 'bad'}]));
    is_result($batch, 'completed', {created => 1, errors => 1}, "$mode: a text that is no UUID fails alone");
}

unconfigure();
server_stop();
sql('DROP TABLE batchless_numbers', 'DROP TABLE batchless_words');
ok(server_start(), 'as before');

finish();
