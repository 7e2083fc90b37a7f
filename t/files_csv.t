# A CSV file as the body of a create: what becomes of its rows, and of those that are wrong.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

use Digest::SHA qw(sha256_hex);
use IO::Compress::Gzip qw(gzip);

my $before = table_hash('contacts');

sub post_file
{
    my ($parameters, $body, %option) = @_;
    return request('POST', "/batches?$parameters", body => $body, type => 'text/csv', %option);
}

sub file_final { my $answer = post_file(@_); return resource_final($answer->json->{data}, map { $_ eq 'as' ? () : () } ()) }

my $merge = 'action=merge&resource=contact';

# ---- Rows ----------------------------------------------------------------------------------------

my $body = "\xef\xbb\xbfemail,name,notes\r\na\@b.c,\"Ann \"\"A\"\" One, Jr.\",\r\n\r\nb\@b.c,B\xc3\xb6b,\"two\r\nlines\"\r\n,Carl,#N/A";
my $answer = post_file($merge, $body);
is_envelope($answer, 202, undef, 'a CSV file', 'POST /batches');
my $batch = $answer->json->{data};
is_deeply([@$batch{qw(action resource mode via duplicate_handling)}],
    [qw(merge contact mixed file use_first)], 'is a batch, via file');
is($batch->{checksum}, sha256_hex($body), 'checksum is the SHA-256 of the body');
like($answer->header('Location'), qr{/batches/\Q$batch->{id}\E$}, 'Location');
$batch = resource_final($batch);
is_result($batch, 'completed', {created => 3}, 'it completes');
is_phases($batch, {received => 3}, 'a file');
is_deeply(
    [map { [@$_{qw(name email notes phone)}] } contacts("name IN ('Ann \"A\" One, Jr.', 'Carl') OR name LIKE 'B%b'")],
    [
        ['Ann "A" One, Jr.', 'a@b.c', undef, undef],
        ["B\x{f6}b", 'b@b.c', "two\r\nlines", undef],
        ['Carl', undef, undef, undef]
    ],
    'the rows'
);
my ($ann) = contacts("name LIKE 'Ann%'");

# An empty cell leaves its column as it is, #N/A empties it; by id.
$batch = resource_final(
    post_file($merge, "id,name,email,notes\n$ann->{id},,#N/A,new\n")->json->{data});
is_result($batch, 'completed', {updated => 1}, 'by id');
($ann) = contacts("id = '$ann->{id}'");
is_deeply([@$ann{qw(name email notes)}], ['Ann "A" One, Jr.', undef, 'new'],
    'an empty cell is an absent member, #N/A is null');

# ---- Types ---------------------------------------------------------------------------------------

$batch = resource_final(
    post_file('action=merge&resource=asset', "item_id,location_id,quantity\n1,a,+007\n1,b,-1\n1,c,x\n1,d,1.5\n1,e,\n")
        ->json->{data});
is_result($batch, 'completed', {created => 2, errors => 3}, 'cells have the types of their columns');
is(value("SELECT quantity FROM assets WHERE location_id = 'a'"), 7, 'a number');
is(value("SELECT count(*) FROM assets WHERE location_id = 'e' AND quantity IS NULL"), 1, 'none');
my @errors = stored_errors($batch);
is_item_errors(\@errors,
    [[1, 'quantity', 'out_of_range'], [2, 'quantity', 'wrong_type'], [3, 'quantity', 'wrong_type']], 'others are wrong');
is_deeply(
    [map { $_->{original} } @errors],
    [
        '{"item_id":"1","location_id":"b","quantity":-1}',
        '{"item_id":"1","location_id":"c","quantity":"x"}',
        '{"item_id":"1","location_id":"d","quantity":1.5}'
    ],
    'the originals have types where their cells have'
);
is_deeply([map { value("SELECT line FROM batch_errors WHERE ordinal = $_ AND job = (SELECT max(seq) FROM batch_jobs)") } 1 .. 3],
    [3, 4, 5], 'and their lines');
$batch = resource_final(
    post_file('action=merge&resource=shipment&properties=%7B%22status%22%3A%22pending%22%7D',
        "tracking_number,status,eta\nT1,,2024-01-01T00:00:00Z\nT2,delivered,\nT3,lost,\nT4,,soon\n")->json->{data});
is_result($batch, 'completed', {created => 2, errors => 2}, 'properties come as JSON in the URL');
is(join(' ', map { $_->{status} } rows("SELECT status FROM shipments WHERE tracking_number IN ('T1', 'T2') ORDER BY tracking_number")),
    'pending delivered', 'and fill what rows lack');

# ---- Rows that are wrong ---------------------------------------------------------------------------

restore();
$body = join '',
    "name,email,notes\n",                         # line 1
    "one,1\@x.y,\n",                              # 2
    "\"two\nlines\",2\@x.y,\"and\n\nthree\"\n",   # 3 to 6
    "\n",                                         # 7
    "short,3\@x.y\n",                             # 8
    "long,4\@x.y,x,y\n",                          # 9
    "b\xffd,5\@x.y,\n",                           # 10
    "n\0l,6\@x.y,\n",                             # 11
    ",7\@x.y,\n",                                 # 12
    "one,1\@x.y,\n",                              # 13
    "last,8\@x.y,\n";                             # 14
$batch = resource_final(post_file($merge, $body)->json->{data});
is_result($batch, 'completed', {created => 3, errors => 5, duplicates => 1}, 'rows that are wrong are item errors');
is_phases($batch, {received => 9, duplicates => 1, invalid => 5}, 'rows that are wrong');
is(scalar(contacts("name IN ('one', 'last') OR name LIKE 'two%'")), 3, 'the others are applied');
@errors = rows("SELECT ordinal, line, field, code, original FROM batch_errors WHERE job = (SELECT max(seq) FROM batch_jobs) ORDER BY ordinal");
is_deeply(
    [map { [@$_{qw(ordinal line field code)}] } @errors],
    [
        [2, 8, undef, 'wrong_cell_count'],
        [3, 9, undef, 'wrong_cell_count'],
        [4, 10, 'name', 'invalid_utf8'],
        [5, 11, 'name', 'nul_byte'],
        [6, 12, 'name', 'missing'],
        [7, 13, undef, 'duplicate'],
    ],
    'with the physical lines on which they begin'
);
is($errors[1]{original}, '["long","4@x.y","x","y"]', 'no cell of a ragged row is lost');

# ---- Rows of separators alone ----------------------------------------------------------------------

# Spreadsheets leave them behind: no item, no duplicate, no row of NULLs; each counts as a line.
foreach my $mode ('mixed', 'sync') {
    restore();
    $answer = post_file("$merge&mode=$mode", ",,\nname,email\nl1,1\@x.y\n,\n\"\",\"\"\n , \t\n,,,,\nl2,\n,x\n,\n,\n");
    $batch = $mode eq 'mixed' ? resource_final($answer->json->{data}) : $answer->json->{data};
    is_phases($batch, {received => 3, invalid => 1}, "rows of separators, $mode") if $mode eq 'mixed';
    @errors = rows("SELECT ordinal, line, field, code FROM batch_errors WHERE job = (SELECT max(seq) FROM batch_jobs)");
    is_deeply([map { [@$_{qw(ordinal line field code)}] } @errors], [[2, 9, 'name', 'missing']], "$mode: are lines, and no items");
    $batch = post_file("action=merge&resource=shipment&mode=$mode&atomic=true", "carrier,status,tracking_number\n,,\nx,,L1\n,,\n")->json->{data};
    $batch = resource_final($batch);
    is_result($batch, 'completed', {created => 1}, "$mode: nor duplicates of each other");
}
restore();
$batch = resource_final(post_file('action=overwrite&resource=group', "name,resource\n,\nWest,contact\n,\n\"\",\n")->json->{data});
is_result($batch, 'completed', {created => 1, overwritten => 3}, 'an overwrite has nothing to say of them');
is_wrong(post_file($merge, "name,email\n,\n,\n"), ['data'], 'and alone they are no item', like => qr/at least one item/);

# ---- Files that are wrong --------------------------------------------------------------------------

restore();
my $jobs = value('SELECT count(*) FROM batch_jobs');
foreach my $case (
    ['an unknown column', "name,nix\nx,1\n", ['nix'], 1, qr/line 1: is not a column of the resource contact/],
    ['one behind blank lines', "\n\nname,nix\nx,1\n", ['nix'], 3, qr/line 3/],
    ['a repeated column', "name,email,name\nx,1,y\n", ['name'], 1, qr/given twice/],
    ['several', "name,email,name,a,b\nx,1,y\n", [qw(name a b)], 1, qr/given twice/],
    ['a column without a name', "name,\nx,1\n", ['column 2'], 1, qr/has no name/],
    ['a column of the scope', "name,organization_id\nx,globex\n", ['organization_id'], 1, qr/not a column/],
    ['nothing', '', ['body'], 1, qr/header row/],
    ['semicolons', "name;email\nx;y\n", ['name;email'], 1, qr/commas/],
    ['UTF-16', "\xff\xfen\0a\0m\0e\0\n\0", ['column 1'], 1, qr/UTF-8/],
    ['a quote that is not closed', "name,email\nx,1\n\"y,2\nz,3\n", ['body'], 3, qr/line 3: .*closing quote/],
    ['a quote in a cell', "name,email\nx,1\ny\"y,2\n", ['body'], 3, qr/line 3, column 2/],
    ['text behind a quote', "name,email\nx,1\n\"y\nz\"y,2\n", ['body'], 4, qr/line 4, column 3/],
    ['only a header', "name,email\n", ['data'], undef, qr/at least one/],
    ['a header of 10,000 columns', join(',', map { "c$_" } 1 .. 10_000) . "\nx\n", [map({"c$_"} 1 .. 100), 'header'], 1, qr/9900 more/],
    )
{
    my ($name, $file, $fields, $line, $like) = @$case;
    $answer = post_file($merge, $file);
    is_wrong($answer, $fields, $name, like => $like);
    is($answer->json->{errors}[0]{line}, $line, "$name: with its line");
}
is(table_hash('contacts'), $before, 'no row of them is there');
is(value('SELECT count(*) FROM batch_jobs'), $jobs, 'they make no batch');

# ---- An error file, sent back ------------------------------------------------------------------------

$batch = resource_final(
    post_file($merge, "line,index,field,code,message,name,email\n2,0,name,missing,\"is, say, required\",mended,m\@x.y\n")->json->{data});
is_result($batch, 'completed', {created => 1}, 'the columns of an error file are skipped');
is(scalar(contacts("name = 'mended' AND email = 'm\@x.y'")), 1, 'its row');

# Those of another resource: its columns are still none of this one.
is_wrong(post_file('action=merge&resource=shipment', "line,index,field,code,message,name,email\n2,0,name,missing,x,y,z\n"), [qw(name email)],
    'an error file of another resource');
# Of the records API, by another API than made it.
my ($gone) = rows("SELECT id FROM records WHERE organization_id = 'acme' ORDER BY id LIMIT 1");
my $records = finished(create(delete_ids(unknown_ids(2))));
foreach my $format (['csv', 'text/csv'], ['json', 'application/json']) {
    my $text = request('GET', "/batch/$records->{id}/errors.$format->[0]")->body;
    my ($unknown) = unknown_ids(1);
    $text =~ s/\Q$unknown\E(?="\}|\r?\n|$)/$gone->{id}/mg;
    my $sent = resource_final(post_file('action=delete&resource=record', $text, type => $format->[1])->json->{data});
    is($sent->{stats}{deleted} + $sent->{stats}{errors}, 2, "errors.$format->[0] of the records API, mended: both items are read");
    is($sent->{stats}{deleted}, $format->[0] eq 'csv' ? 1 : 0, "errors.$format->[0] of the records API, mended: the record that is there is deleted");
}

# ---- Other actions, who may, parameters --------------------------------------------------------------

restore();
my @all = contacts("organization_id = 'acme'");
$batch = resource_final(post_file('action=delete&resource=contact', "id\n$all[0]{id}\nnix\n")->json->{data});
is_result($batch, 'completed', {deleted => 1, errors => 1}, 'delete');
is(scalar(contacts()), @all - 1, 'one is gone');
$batch = resource_final(post_file('action=overwrite&resource=contact', "id,name\n$all[1]{id},kept\n,new\n")->json->{data});
is_result($batch, 'completed', {created => 1, updated => 1, overwritten => @all - 2}, 'overwrite');
is(join(' ', map { $_->{name} } contacts()), 'kept new', 'the rows');
# A row whose cells may not stand under their names could name any row.
$batch = resource_final(post_file('action=overwrite&resource=contact', "id,name\n$all[1]{id},kept\nx\n")->json->{data});
is($batch->{status}, 'failed', 'overwrite with a ragged row fails');
is(join(' ', map { $_->{name} } contacts()), 'kept new', 'and removes nothing');
restore();
$answer = post_file('action=overwrite&resource=contact', "name\n", headers => {});
is_wrong($answer, ['data'], 'an overwrite with no row');
$batch = resource_final(post_file('action=overwrite&resource=contact&allow_empty=true', "name\n")->json->{data});
is($batch->{status}, 'completed', 'unless that is allowed');
is(scalar(contacts()), 0, 'then all are gone');
restore();
$batch = resource_final(post_file("$merge&duplicate_handling=use_last&save_upload=false", "id,name\n$all[0]{id},a\n$all[0]{id},b\n")->json->{data});
is_result($batch, 'completed', {updated => 1, duplicates => 1}, 'use_last');
is((contacts("id = '$all[0]{id}'"))[0]{name}, 'b', 'the last one counts');
is_refused(post_file('action=overwrite&resource=contact', "name\nx\n", as => 'bob'), 403, 'forbidden', 'bob may not overwrite');
is_refused(post_file($merge, "name\nx\n", as => undef), 401, 'unauthorized', 'nobody may not');
foreach my $case (
    ['', [qw(resource action)]],
    ['resource=contact', ['action']],
    ['action=merge&resource=nix', ['resource']],
    ['action=overwrite&resource=shipment', ['action']],
    ["$merge&mode=nix&duplicate_handling=nix&save_upload=maybe&atomic=2&allow_empty=", [qw(mode duplicate_handling save_upload atomic allow_empty)]],
    ["$merge&properties=nix", ['properties'], qr/object/],
    ["$merge&properties=%7B%22nix%22%3A1%7D", ['properties.nix']],
    ["$merge&resource=%ff", ['resource']],
    )
{
    my ($parameters, $fields, $like) = @$case;
    is_wrong(post_file($parameters, "name\nx\n"), $fields, "?$parameters", like => $like);
}
is(table_hash('contacts') ne $before, 1, 'only what was sent well is there');

# ---- Sync ----------------------------------------------------------------------------------------------

# As with data: all or nothing, at once, with the errors and their lines in the answer.
restore();
$answer = post_file("$merge&mode=sync", "name,email\nsync 1,1\@x.y\n\"sync\n2\",\n");
is_envelope($answer, 201, undef, 'a file with mode=sync');
is_deeply([@{$answer->json->{data}}{qw(mode via checksum)}],
    ['sync', 'file', sha256_hex("name,email\nsync 1,1\@x.y\n\"sync\n2\",\n")], 'sync: it is a file all the same');
is_result($answer->json->{data}, 'completed', {created => 2}, 'sync: it is done when the answer comes');
is_phases($answer->json->{data}, {received => 2}, 'sync');
is(scalar(contacts("name LIKE 'sync%'")), 2, 'sync: the rows');
my $wrong = "name,email\n\"sync\n3\",\n,4\@x.y\nsync 5,5\@x.y,6\n";
$answer = post_file("$merge&mode=sync", $wrong);
is_envelope($answer, 422, 'batch_failed', 'sync: with rows that are wrong');
is_result($answer->json->{data}, 'failed', {errors => 2}, 'sync: nothing is changed');
is_deeply([map { [@$_{qw(index line field code)}] } @{$answer->json->{errors}}],
    [[1, 4, 'name', 'missing'], [2, 5, undef, 'wrong_cell_count']], 'sync: the errors are in the answer, with their lines');
is(scalar(contacts("name LIKE 'sync%'")), 2, 'sync: no row of it');
$answer = post_file("$merge&mode=sync&atomic=0&save_upload=1", $wrong);
is_envelope($answer, 201, undef, 'sync: with atomic=0');
is_result($answer->json->{data}, 'completed', {created => 1, errors => 2}, 'sync: the good row is applied');
is(scalar @{$answer->json->{errors}}, 2, 'sync: and the bad ones are in the answer');
$jobs = value('SELECT count(*) FROM batch_jobs');
is_wrong(post_file("$merge&mode=sync", "name\n" . "x\n" x 1001), ['data'], 'sync: 1001 rows', like => qr/with the mode sync it may have 1000/);
is(value('SELECT count(*) FROM batch_jobs'), $jobs, 'sync: make no batch');

# ---- Compressed ----------------------------------------------------------------------------------------

restore();
$body = "name,email\n" . join '', map { "zip $_,$_\@x.y\n" } 1 .. 3000;
gzip(\$body => \my $zipped) or die;
$answer = post_file($merge, $zipped, headers => {'Content-Encoding' => 'gzip'});
is($answer->json->{data}{checksum}, sha256_hex($body), 'checksum is that of the body after inflation');
is_result(resource_final($answer->json->{data}), 'completed', {created => 3000}, 'a compressed file');

finish();
