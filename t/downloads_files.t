# The files of a batch: its upload in both formats whatever it came in, and its errors, which can be
# mended and sent back.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;
my @files = qw(upload_csv upload_json errors_csv errors_json);

# The rows of a CSV file, as arrays of cells (RFC 4180).
sub cells
{
    my ($text) = @_;
    my (@rows, @row);
    while (length $text) {
        my $cell;
        if ($text =~ s/\A"((?:[^"]|"")*)"//) { $cell = $1 =~ s/""/"/gr }
        else { $text =~ s/\A([^,"\r\n]*)//; $cell = $1 }
        push @row, $cell;
        next if $text =~ s/\A,//;
        $text =~ s/\A\r\n// or return "no line end before: " . substr $text, 0, 20;
        push @rows, [@row];
        @row = ();
    }
    return \@rows;
}

sub is_file
{
    my ($answer, $batch, $which, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $leaf = $which =~ tr/_/./r;
    my $type = $which =~ /csv/ ? 'text/csv; charset=utf-8' : 'application/json';
    is_deeply([$answer->status, map { $answer->header($_) } qw(Content-Type Content-Disposition X-Content-Type-Options Cache-Control)],
        [200, $type, "attachment; filename=\"batch-$batch->{id}-$leaf\"", 'nosniff', 'private, no-cache'], "$name: its headers");
    return;
}

# All files of a batch, by name; JSON decoded, CSV as rows.
sub files_of
{
    my ($batch, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %file;
    foreach my $which (@files) {
        my $url = file_url($batch, $which) or next;
        my $answer = signed('GET', $url);
        is_file($answer, $batch, $which, "$name: $which");
        $file{$which} = $which =~ /csv/ ? cells($answer->body) : $json->decode($answer->body);
        $file{"${which}_text"} = $answer->body;
    }
    return \%file;
}

# ---- From JSON -------------------------------------------------------------------------------------

my @items = (
    {item_id => 'i1', location_id => 'l1', name => "a \"quoted\", text\r\nwith lines", quantity => 5},
    {item_id => 'i2', location_id => 'l1', name => ' blanks ', quantity => 'six'},
    {item_id => 'i3', location_id => 'l1', name => undef, quantity => -1},
    {location_id => 'l1', zip => 'nowhere'},
    'no object',
    {item_id => 'i1', location_id => 'l1', name => 'a duplicate'},
    {item_id => 'i4', location_id => "\x{e4}\x{2603}", name => '=1+1', quantity => undef},
);
my $done = run_batch({%{merge('asset', [@items])}, properties => {name => 'by default'}});
is_result($done, 'completed', {created => 2, duplicates => 1, errors => 3 + 1}, 'a batch with all kinds of items');
is_deeply([@$done{qw(has_upload_file has_errors_file)}], [TRUE, TRUE], 'it has both files');
my $file = files_of($done, 'JSON');
is_deeply($file->{upload_json}, \@items, 'the upload as JSON is what was sent, without the defaults');
is_deeply($file->{upload_csv}[0], [qw(id item_id location_id name quantity)], 'as CSV it has the columns of the resource');
is_deeply(
    [@{$file->{upload_csv}}[1 .. 7]],
    [
        ['', 'i1', 'l1', "a \"quoted\", text\r\nwith lines", 5], ['', 'i2', 'l1', ' blanks ', 'six'], ['', 'i3', 'l1', '#N/A', -1],
        ['', '', 'l1', '', ''], ['', '', '', '', ''], ['', 'i1', 'l1', 'a duplicate', ''],
        ['', 'i4', "\xc3\xa4\xe2\x98\x83", '=1+1', '#N/A']
    ],
    'and all items in the order sent'
);
is_deeply(
    [map { [@$_{qw(index line id field code)}] } @{$file->{errors_json}}],
    [
        [1, undef, undef, 'quantity', 'wrong_type'], [2, undef, undef, 'quantity', 'out_of_range'], [3, undef, undef, 'zip', 'unknown_member'],
        [4, undef, undef, undef, 'not_an_object'], [5, undef, undef, undef, 'duplicate']
    ],
    'each item appears once in the errors'
);
is_deeply([map { $_->{item} } @{$file->{errors_json}}], [@items[1 .. 5]], 'with its original');
is(scalar(grep { join(' ', sort keys %$_) ne 'code field id index item line message' } @{$file->{errors_json}}), 0, 'and the members that there are');
is_deeply($file->{errors_csv}[0], [qw(line index field code message id item_id location_id name quantity)], 'as CSV they have the columns of the upload behind their own');
is_deeply([map { [@$_[0 .. 3, 5 .. 9]] } @{$file->{errors_csv}}[1, 5]],
    [['', 1, 'quantity', 'wrong_type', '', 'i2', 'l1', ' blanks ', 'six'], ['', 5, '', 'duplicate', '', 'i1', 'l1', 'a duplicate', '']], 'and the cells of each');

# Several things that are wrong with one item: one entry, with all of them.
my $many = run_batch(merge('asset', [{item_id => 1, location_id => 2, name => 3}, {item_id => 'ok', location_id => 'ok'}]));
$file = files_of($many, 'several errors');
is(scalar @{$file->{errors_json}}, 1, 'an item with several errors appears once');
is_deeply([@{$file->{errors_json}[0]}{qw(field code)}], ['item_id', 'wrong_type'], 'with field and code of the first');
like($file->{errors_json}[0]{message}, qr/^must be a string; location_id: must be a string; name: must be a string$/, 'and all messages');

# ---- From CSV --------------------------------------------------------------------------------------

my $csv = "quantity,item_id,location_id\r\n1,c1,l\r\nx,c2,l\r\n3,c3\r\n\r\n\"4\",\"c \"\"4\"\"\",\"l,\nl\"\r\n-5,c5,l\r\n";
my $batch = requested(merge('asset', []));
is(upload($batch, body => $csv, type => 'text/csv')->status, 202, 'an upload of CSV');
my $end = resource_final($batch);
is_result($end, 'completed', {created => 2, errors => 3}, 'is applied');
$file = files_of($batch, 'CSV');
is($file->{upload_csv_text}, "quantity,item_id,location_id\r\n1,c1,l\r\nx,c2,l\r\n3,c3\r\n4,\"c \"\"4\"\"\",\"l,\nl\"\r\n-5,c5,l\r\n", 'as CSV it has its own columns');
is_deeply(
    $file->{upload_json},
    [
        {quantity => 1, item_id => 'c1', location_id => 'l'}, {quantity => 'x', item_id => 'c2', location_id => 'l'}, ['3', 'c3'],
        {quantity => 4, item_id => 'c "4"', location_id => "l,\nl"}, {quantity => -5, item_id => 'c5', location_id => 'l'}
    ],
    'as JSON the values have the types of their columns'
);
like($file->{upload_json_text}, qr/"quantity":\s*1,/, 'numbers are numbers');
is_deeply($file->{errors_csv}[0], [qw(line index field code message quantity item_id location_id)], 'errors have the columns of the upload');
is_deeply([map { [@$_[0, 1]] } @{$file->{errors_csv}}[1 .. 3]], [[3, 1], [4, 2], [8, 4]], 'with the lines on which the items begin');
is_deeply([map { [@$_{qw(index line)}] } @{$file->{errors_json}}], [[1, 3], [2, 4], [4, 8]], 'in JSON too');

# ---- Mended and sent back ----------------------------------------------------------------------------

my %format = (errors_csv => 'text/csv', errors_json => 'application/json');
foreach my $which (sort keys %format) {
    my $text = $file->{"${which}_text"};
    my $again = requested(merge('asset', []));
    # As it is: every item has its error once more, and nothing else is said of the file.
    my $answer = upload($again, body => $text, type => $format{$which});
    is($answer->status, 422, "$which, as it is: without a valid item");
    is_deeply([map { $_->{ordinal} } stored_errors($again)], [0, 1, 2], "$which, as it is: the same items fail");
    # Mended: in the cells, or in the items.
    my $mended = $text;
    if ($which eq 'errors_csv') {
        $mended =~ s/,x,c2,/,2,c2,/ && $mended =~ s/,3,c3\r/,3,c3,l\r/ && $mended =~ s/,-5,/,5,/ or die $mended;
    }
    else {
        my $list = $json->decode($text);
        $list->[0]{item}{quantity} = 2;
        $list->[1]{item} = {item_id => 'c3', location_id => 'l', quantity => 3};
        $list->[2]{item}{quantity} = 5;
        $mended = $json->encode($list);
    }
    $again = requested(merge('asset', []));
    is(upload($again, body => $mended, type => $format{$which})->status, 202, "$which, mended: it is taken");
    is_result(resource_final($again), 'completed', $which eq 'errors_csv' ? {created => 3} : {updated => 3}, "$which, mended: all of it is applied");
    is_deeply([map {"$_->{item_id} $_->{quantity}"} rows("SELECT item_id, quantity FROM assets WHERE location_id = 'l' AND item_id LIKE 'c_' ORDER BY item_id")],
        ['c1 1', 'c2 2', 'c3 3', 'c5 5'], "$which, mended: the rows are as they should be");
    is(file_url($again, 'errors_csv'), undef, "$which, mended: there are no errors any more");
}
# And within a create.
my $answer = post_batches({action => 'merge', resource => 'asset', data => $file->{errors_json}});
is($answer->json->{data}{status}, 'failed', 'the errors as data of a create: read as items');
is_deeply([map { $_->{code} } stored_errors($answer->json->{data})], [qw(wrong_type not_an_object out_of_range)], 'with their own errors');

# What the upload is can be sent again, too.
restore();
foreach my $which (qw(upload_csv upload_json)) {
    restore();
    my $first = run_batch(merge('asset', [map { {item_id => "i$_", location_id => "l, \"$_\"", quantity => $_, $_ % 2 ? (name => undef) : ()} } 1 .. 50]));
    my $text = file_of($first, $which)->body;
    my $hash = table_hash('assets');
    my $again = requested(merge('asset', []));
    upload($again, body => $text, type => $which =~ /csv/ ? 'text/csv' : 'application/json');
    is_result(resource_final($again), 'completed', {updated => 50}, "$which: sent again it finds its rows");
}

# A delete may come with whole items: they are in its files, too.
restore();
my ($first, $second) = map { {id => $_->{id}, name => $_->{name}, phone => 'other'} } (contacts("organization_id = 'acme'"))[0, 1];
on_table('contacts', sub { refuse_trigger('DELETE', "OLD.id = '$second->{id}'", 'it stays') });
my $deleted = run_batch(removal('contact', [$first, $second, {id => 'nix', name => 'nobody'}, {%$first, id => 'nox', name => 5}]));
is_result($deleted, 'completed', {deleted => 1, errors => 3}, 'a delete with whole items');
$file = files_of($deleted, 'delete');
is_deeply($file->{upload_json}, [$first, $second, {id => 'nix', name => 'nobody'}, {%$first, id => 'nox', name => 5}], 'its upload is what was sent');
is_deeply([map { $_->{item} } @{$file->{errors_json}}], [$second, {id => 'nix', name => 'nobody'}, {%$first, id => 'nox', name => 5}], 'and so are the items of its errors');
drop_triggers();

# ---- Refused by the database -------------------------------------------------------------------------

restore();
on_table('contacts', sub { refuse_trigger('INSERT', "NEW.name LIKE 'bad%'", 'no bad ones') });
my $refused = run_batch(merge('contact', [{name => 'good'}, {name => 'bad 1', email => 'x@example.com', phone => undef}, {name => 'bad 2'}]));
is_result($refused, 'completed', {created => 1, errors => 2}, 'rows that the database refuses');
$file = files_of($refused, 'refused');
is_deeply([map { [@$_{qw(index code item)}] } @{$file->{errors_json}}],
    [[1, 'refused', {name => 'bad 1', email => 'x@example.com', phone => undef}], [2, 'refused', {name => 'bad 2'}]], 'are listed with their originals');
like($file->{errors_json}[0]{message}, qr/no bad ones/, "with the database's words");
is_deeply($file->{errors_csv}[1][6], 'bad 1', 'in CSV too');
drop_triggers();
$batch = requested(merge('contact', []));
is(upload($batch, body => $file->{errors_csv_text}, type => 'text/csv')->status, 202, 'when it is mended there, the file can be sent as it is');
is_result(resource_final($batch), 'completed', {created => 2}, 'and all are applied');

# An overwrite's rows that could not be removed belong to no item.
restore();
on_table('contacts', sub { refuse_trigger('DELETE', '1 = 1', 'stays') });
my $kept = run_batch(overwrite('contact', [{name => 'only'}]));
$file = files_of($kept, 'kept');
is(scalar @{$file->{errors_json}}, 4, 'rows that could not be removed are listed');
is(scalar(grep { defined $_->{index} || !$_->{id} || $_->{item}{id} ne $_->{id} } @{$file->{errors_json}}), 0, 'with their ids, and without an index');
drop_triggers();

# ---- Which batches have which files -------------------------------------------------------------------

restore();
my $without = run_batch(merge('contact', [{name => 'x'}, {name => 1}], save_upload => FALSE));
is_deeply([@$without{qw(has_upload_file has_errors_file)}], [FALSE, TRUE], 'without save_upload there is no upload');
is_deeply([map { file_url($without, $_) ? 1 : 0 } @files], [0, 0, 1, 1], 'nor a URL for it');
is_refused(request('GET', "/batches/$without->{id}/upload.csv"), 404, 'not_found', 'nor the file');
my $clean = run_batch(merge('contact', [{name => 'y'}]));
is_deeply([@$clean{qw(has_upload_file has_errors_file)}], [TRUE, FALSE], 'without an error there is no file of them');
is_deeply([map { file_url($clean, $_) ? 1 : 0 } @files], [1, 1, 0, 0], 'nor a URL for it');
is_refused(request('GET', "/batches/$clean->{id}/errors.json"), 404, 'not_found', 'nor the file');
my $waiting = requested(merge('contact', []));
is_refused(request('GET', "/batches/$waiting->{id}/$_"), 404, 'not_found', "a batch that waits has no $_") for qw(upload.csv upload.json errors.csv errors.json);
my %has = map { $_->{id} => ($_->{has_upload_file} ? 1 : 0) . ($_->{has_errors_file} ? 1 : 0) } @{request('GET', '/batches')->json->{data}};
is_deeply(\%has, {$without->{id} => '01', $clean->{id} => '10', $waiting->{id} => '00'}, 'a list says the same');
my $sync = synchronous(merge('contact', [{name => 's'}, {name => 2}]))->json->{data};
is_deeply([@$sync{qw(status has_upload_file has_errors_file)}], ['failed', TRUE, TRUE], 'a sync batch has files as well');
is_deeply(files_of($sync, 'sync')->{upload_json}, [{name => 's'}, {name => 2}], 'with what was sent');
# Removed: 404, signature or not.
my $url = file_url($clean, 'upload_csv');
sql("UPDATE batch_jobs SET completed_at = 1 WHERE id = '$clean->{id}'");
configure('BatchRetention 1h');
server_stop();
ok(server_start(), 'a server that cleans');
wait_for('the batch to be removed', sub { request('GET', "/batches/$clean->{id}")->status == 404 });
is_refused(signed('GET', $url), 404, 'not_found', 'the file of a batch that was removed');
unconfigure();
server_stop();
server_start();

# ---- Other organizations --------------------------------------------------------------------------

foreach my $leaf (qw(upload.csv upload.json errors.csv errors.json)) {
    is_refused(request('GET', "/batches/$without->{id}/$leaf", as => 'carol'), 404, 'not_found', "$leaf of another organization");
    is_refused(request('GET', "/batches/$without->{id}/$leaf", as => undef), 401, 'unauthorized', "$leaf for nobody");
    next if $leaf eq 'upload.json';
    my $posted = request('POST', "/batches/$without->{id}/$leaf", body => '[]');
    is($posted->status, 405, "POST to $leaf");
}

# ---- Conditions, parts, and large ones -----------------------------------------------------------------

restore();
my $small = run_batch(merge('contact', [{name => 'z'}, {name => 1}]));
$url = file_url($small, 'errors_json');
$answer = signed('GET', $url);
my $tag = $answer->header('ETag');
like($tag, qr/^"[^"]+"$/, 'a file has an ETag');
is(signed('GET', $url, headers => {'If-None-Match' => $tag})->status, 304, 'what the client has is not sent again');
is($answer->header('Content-Length'), length $answer->body, 'a small file has its length');
is(signed('HEAD', $url)->header('Content-Length'), length $answer->body, 'HEAD says it');
my $part = signed('GET', $url, headers => {Range => 'bytes=1-5'});
is($part->status . $part->body, '206' . substr($answer->body, 1, 5), 'and parts');

# More than one segment, and more errors than are read at a time; each page is a transaction.
my @large = map { {name => $_ % 3 ? "large $_" : $_, notes => "n$_ " . 'x' x 330} } 1 .. 4000;
my $large = run_batch(merge('contact', \@large));
is_result($large, 'completed', {created => 2667, errors => 1333}, 'a large batch');
cmp_ok(stored_of($large)->{segments}, '>', 2, 'of several segments');
$file = files_of($large, 'large');
is(scalar @{$file->{upload_json}}, 4000, 'its upload is whole');
is_deeply($file->{upload_json}[$_], $large[$_], "item $_") for 0, 1, 2, 1999, 3998, 3999;
is(scalar @{$file->{upload_csv}}, 4001, 'as CSV too');
is(join(' ', map { $_->{index} } @{$file->{errors_json}}), join(' ', map { 3 * $_ - 1 } 1 .. 1333), 'its errors are whole, and in order');
is(scalar @{$file->{errors_csv}}, 1334, 'as CSV too');
is(signed('GET', file_url($large, 'upload_json'))->header('Content-Length'), undef, 'a large file is sent as it is read');

finish();
