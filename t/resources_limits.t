# Limits: BatchSyncMaxItems, BatchMaxItems, BatchMaxItemSize, BatchMaxObjects, and sizes as such.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $before = table_hash('contacts');

# ---- As they are without a directive -------------------------------------------------------------

my $answer = synchronous(merge('contact', [contact_items(1000)]));
is_envelope($answer, 201, undef, '1000 items in sync');
is_result($answer->json->{data}, 'completed', {created => 1000}, 'are applied');
restore();
$answer = synchronous(merge('contact', [contact_items(1001)]));
is_wrong($answer, ['data'], '1001 items in sync', like => qr/1000|1,000/);
is(table_hash('contacts'), $before, 'not one of them is applied');
is(value('SELECT count(*) FROM batch_jobs'), 0, 'no batch is made');
# Duplicates are items.
is_wrong(synchronous(merge('contact', [({name => 'x'}) x 1001])), ['data'], '1001 times the same');
is_result(run_batch(merge('contact', [contact_items(1001)])), 'completed', {created => 1001}, 'mixed takes them');

# ---- An item that is too large -------------------------------------------------------------------

restore();
my $room = 1024 * 1024;
my $shell = length '{"name":"x","notes":""}';
foreach my $mode (qw(mixed sync)) {
    my $item = sub { return {name => 'x', notes => 'n' x ($_[0] - $shell)} };
    $answer = post_batches(merge('contact', [{name => 'a'}, $item->($room), {name => 'b'}], mode => $mode));
    my $batch = resource_final($answer->json->{data});
    is_result($batch, 'completed', {created => 3}, "$mode: an item of a mebibyte");
    is(value("SELECT length(notes) FROM contacts WHERE name = 'x'"), $room - $shell, "$mode: is taken whole");
    restore();
    $answer = post_batches(merge('contact', [{name => 'a'}, $item->($room + 1), {name => 'b'}], mode => $mode, atomic => FALSE));
    $batch = resource_final($answer->json->{data});
    is_result($batch, 'completed', {created => 2, errors => 1}, "$mode: an item of a byte more");
    is_item_errors([stored_errors($batch)], [[1, undef, 'too_large']], "$mode: is an item error");
    is(scalar(contacts("name = 'x'")), 0, "$mode: and makes no row");
    restore();
    $answer = post_batches(merge('contact', [{name => 'a'}, $item->(9 * $room), {name => 'b'}], mode => $mode, atomic => FALSE));
    $batch = resource_final($answer->json->{data});
    is_result($batch, 'completed', {created => 2, errors => 1}, "$mode: an item of nine mebibytes");
    restore();
}
# In parts that are skipped, too.
$answer = post_batches(undef, body => '{"x":"' . 'y' x (3 * $room) . '","action":"merge","resource":"contact","data":[{"name":"z"}]}');
ok($answer->status == 413 || $answer->status == 202, 'a large member that nobody knows') or diag($answer->status);
resource_final($answer->json->{data}) if $answer->status == 202;
restore();
$answer = post_batches(merge('contact', [{name => 'z'}], properties => {notes => 'p' x (3 * $room)}));
ok($answer->status =~ /^(?:413|422|202)$/, 'large properties') or diag($answer->status);
resource_final($answer->json->{data}) if $answer->status == 202;
restore();
$answer = post_batches(merge('contact', [{name => 'z', 'm' x 100_000 => 1}, {name => 'y'}]));
is_result(resource_final($answer->json->{data}), 'completed', {created => 1, errors => 1}, 'a long name of a member');
$answer = post_batches(merge('contact', [{name => 'w', map { ("m$_" => 1) } 1 .. 20_000}, {name => 'v'}]));
is_result(resource_final($answer->json->{data}), 'completed', {created => 1, errors => 1}, 'an item of 20,000 members');
$answer = post_batches(undef, body => '{"action":"merge","resource":"contact","data":[{"name":"u","notes":'
        . '[' x 5000 . ']' x 5000 . '},{"name":"t"}]}');
ok($answer->status =~ /^(?:400|202)$/, 'a deeply nested value');
if ($answer->status == 202) {
    is_result(resource_final($answer->json->{data}), 'completed', {created => 1, errors => 1}, 'is an item error');
}

# ---- Set lower -----------------------------------------------------------------------------------

restore();
configure('BatchSyncMaxItems 5', 'BatchMaxItems 50', 'BatchMaxItemSize 200', 'BatchMaxObjects 3');
server_stop();
ok(server_start(), 'with low limits');
$answer = synchronous(merge('contact', [contact_items(5)]));
is_envelope($answer, 201, undef, 'five in sync');
is_wrong(synchronous(merge('contact', [contact_items(6)])), ['data'], 'six in sync', like => qr/\b5\b/);
is_result(run_batch(merge('contact', [contact_items(50, 'fifty')])), 'completed', {created => 50}, '50 items');
my $count = value('SELECT count(*) FROM contacts');
my $jobs = value('SELECT count(*) FROM batch_jobs');
is_wrong(post_batches(merge('contact', [contact_items(51)])), ['data'], '51 items', like => qr/\b50\b/);
is_wrong(post_batches(merge('contact', [contact_items(5000)])), ['data'], '5000 items', like => qr/\b50\b/);
is(value('SELECT count(*) FROM contacts'), $count, 'none of them is applied');
is(value('SELECT count(*) FROM batch_jobs'), $jobs, 'and no batch is made');
is(value('SELECT count(*) FROM batch_items WHERE job NOT IN (SELECT seq FROM batch_jobs)'), 0, 'nor anything of one');
my $batch = run_batch(merge('contact', [{name => 'ok'}, {name => 'x' x 189}, {name => 'y' x 190}]));
is_result($batch, 'completed', {created => 2, errors => 1}, '200 bytes, and 201');
is_item_errors([stored_errors($batch)], [[2, undef, 'too_large']], 'the larger is too large');
$batch = run_batch(merge('contact', [{name => 'y' x 190}, {name => 'a'}, {name => 'y' x 190}, {name => 'y' x 190}],
        duplicate_handling => 'ignore_all'));
is($batch->{stats}{created}, 1, 'several that are too large are each wrong');
is($batch->{stats}{errors} + $batch->{stats}{duplicates}, 3, 'or the same');
# BatchMaxObjects is of the records API.
$batch = run_batch(removal('contact', [map { {id => $_->{id}} } (contacts("notes = 'made'"))[0 .. 9]]));
is_result($batch, 'completed', {deleted => 10}, 'ten are deleted');
unconfigure();
server_stop();
ok(server_start(), 'as before');

finish();
