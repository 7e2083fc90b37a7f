# Keys that the database makes, of integers, texts and UUIDs: created, found, removed, in every format.
#
# Where the keys of new rows are not known to the engine, "is kept" fails: the cleanup of an overwrite
# removes the rows that it has just made.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

my $pgsql = driver() eq 'pgsql';
my @tables = qw(batchless_numbered batchless_worded batchless_unmade batchless_forms);
END { eval { sql(map {"DROP TABLE IF EXISTS $_"} @tables) } }
sql(map {"DROP TABLE IF EXISTS $_"} @tables);
my ($number, $word)
    = $pgsql
    ? ('BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY', 'UUID PRIMARY KEY DEFAULT gen_random_uuid()')
    : ('INTEGER PRIMARY KEY AUTOINCREMENT', 'TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(8))))');
sql("CREATE TABLE batchless_numbered (id $number, organization_id TEXT NOT NULL, code TEXT, label TEXT, form_id TEXT, UNIQUE (organization_id, code))",
    "CREATE TABLE batchless_worded (id $word, organization_id TEXT NOT NULL, code TEXT, label TEXT)",
    'CREATE TABLE batchless_unmade (id INTEGER NOT NULL UNIQUE, organization_id TEXT NOT NULL, label TEXT)',
    'CREATE TABLE batchless_forms (id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, name TEXT)',
    "INSERT INTO batchless_forms VALUES ('numbers', 'acme', 'Numbers')");
my $common = join "\n", 'BatchScope organization_id', 'BatchColumn code text', 'BatchColumn label text max=500', 'BatchActions merge overwrite delete',
    '</BatchResource>';
my @resources = (
    'BatchChunkTime 1ms',
    '<BatchResource numbered>', 'BatchTable batchless_numbered', 'BatchKey id database', 'BatchMatch code', $common,
    '<BatchResource plain>', 'BatchTable batchless_numbered', 'BatchKey id Database', $common,
    '<BatchResource worded>', 'BatchTable batchless_worded', 'BatchKey id database', 'BatchMatch code', $common,
    '<BatchResource unmade>', 'BatchTable batchless_unmade', 'BatchKey id database', 'BatchScope organization_id', 'BatchColumn label text',
    'BatchActions merge overwrite delete', '</BatchResource>',
    '<BatchResource sheet>', 'BatchTable batchless_numbered', 'BatchKey id database', 'BatchScope organization_id',
    'BatchForm form_id batchless_forms scope=organization_id name=name', 'BatchColumn id integer readonly', 'BatchColumn label text',
    'BatchActions update delete', '</BatchResource>'
);
configure(@resources);
tolerate_log(qr/batchless_(?!unmade)/);
expect_log(qr/:crit\].*MB0205.*<BatchResource unmade>: BatchKey, merge, overwrite: the database is to make the keys of table "batchless_unmade"/);
server_stop();
ok(server_start(), 'with resources of such keys') or BAIL_OUT('the server does not start');

# acme has -5, 7 to 10, and 100; the next row is 1001.
sub fill
{
    my $override = $pgsql ? 'OVERRIDING SYSTEM VALUE' : '';
    sql('DELETE FROM batchless_numbered', 'DELETE FROM batchless_worded',
        "INSERT INTO batchless_numbered (id, organization_id, code, label, form_id) $override VALUES (11, 'globex', 'c11', 'theirs', 'numbers'),"
            . join(', ', map {"($_, 'acme', 'c$_', 'old', 'numbers')"} -5, 7 .. 10, 100),
        $pgsql
        ? 'ALTER TABLE batchless_numbered ALTER id RESTART WITH 1001'
        : "UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'batchless_numbered'");
    return;
}

# acme's rows, "id=label" in order of id.
sub labels
{
    return join ' ', map {"$_->{id}=$_->{label}"} rows("SELECT id, label FROM batchless_numbered WHERE organization_id = 'acme' ORDER BY id");
}

sub run_in
{
    my ($mode, $request, %option) = @_;
    my $answer = post_batches({%$request, mode => $mode, atomic => FALSE}, %option);
    die 'create was answered ', $answer->status, ' ', substr($answer->body, 0, 600), "\n" if !$answer->json->{data};
    return resource_final($answer->json->{data});
}

foreach my $mode (qw(mixed sync)) {
    # ---- Merge ----
    fill();
    my $batch = run_in($mode, merge('numbered', [{id => '7', label => 'a'}, {id => 8, label => 'b'}, {code => 'c9', label => 'c'}, {code => 'n1', label => 'd'}, {code => 'n2', label => 'e'}, {label => 'f'}]));
    is_result($batch, 'completed', {created => 3, updated => 3}, "$mode: a merge by id, by match, and of new rows");
    is(labels(), '-5=old 7=a 8=b 9=c 10=old 100=old 1001=d 1002=e 1003=f', "$mode: the rows");
    fill();
    $batch = run_in($mode, merge('numbered', [{id => 7, label => 'a'}, {id => 7777, label => 'x'}, {id => '11', label => 'x'}, {id => '99999999999999999999', label => 'x'}, {id => '+8', label => 'x'}, {id => 9.5, label => 'x'}]));
    is_result($batch, 'completed', {updated => 1, errors => 5}, "$mode: ids that are unknown");
    is_item_errors([stored_errors($batch)], [[1, 'id', 'not_found'], [2, 'id', 'not_found'], [3, 'id', 'not_found'], [4, 'id', 'malformed'], [5, 'id', 'wrong_type']], "$mode: are errors, another's among them");
    is(join(' ', map { $_->{id} // '-' } stored_errors($batch)), '7777 11 99999999999999999999 - -', "$mode: which name the ids as texts");
    is(labels(), '-5=old 7=a 8=old 9=old 10=old 100=old', "$mode: and make no rows");
    is(value('SELECT label FROM batchless_numbered WHERE id = 11'), 'theirs', "$mode: nor change that of another");
    fill();
    $batch = run_in($mode, merge('numbered', [{id => 7, label => 'first'}, {id => '007', label => 'x'}, {id => '7', label => 'x'}, {id => '-05', label => 'minus'}, {id => -5, label => 'x'}]));
    is_result($batch, 'completed', {updated => 2, duplicates => 3}, "$mode: one id in several spellings");
    is(labels(), '-5=minus 7=first 8=old 9=old 10=old 100=old', "$mode: is one row");

    # ---- Delete ----
    fill();
    $batch = run_in($mode, removal('numbered', [{id => '0100'}, {id => -5}, {id => 9}, {id => 11}, {id => 0}]));
    is_result($batch, 'completed', {deleted => 3, errors => 2}, "$mode: a delete");
    is(labels(), '7=old 8=old 10=old', "$mode: leaves the others");

    # ---- Overwrite ----
    foreach my $resource (qw(numbered plain)) {
        fill();
        $batch = run_in($mode, overwrite($resource, [{id => '007', label => 'a'}, {id => 100, label => 'b'}, {code => 'n1', label => 'c'}, {code => 'n2', label => 'd'}, {label => 'e'}]));
        is_result($batch, 'completed', {created => 3, updated => 2, overwritten => 4}, "$mode: an overwrite of $resource");
        is(labels(), '7=a 100=b 1001=c 1002=d 1003=e', "$mode: what it has made is kept");
    }
    fill();
    $batch = run_in($mode, overwrite('numbered', [{code => 'c9', label => 'a'}, {id => '7777', code => 'c10', label => 'x'}, {id => 8, label => 'y' x 501}]));
    is_result($batch, 'completed', {updated => 1, errors => 2, overwritten => 3}, "$mode: with an id that is unknown");
    is(labels(), '8=old 9=a 10=old', "$mode: the row of its match values is kept, and that of an item that is wrong");
    fill();
    $batch = run_in($mode, overwrite('numbered', [{id => 7, label => 'a'}, {id => '+8', label => 'b'}]));
    is($batch->{status}, 'failed', "$mode: an id that says nothing");
    is(labels(), '-5=old 7=old 8=old 9=old 10=old 100=old', "$mode: removes nothing");
    # So many that the walk over keys takes several steps, below zero and above.
    fill();
    sql('INSERT INTO batchless_numbered (id, organization_id, code, label) ' . ($pgsql
        ? "OVERRIDING SYSTEM VALUE SELECT n, 'acme', 'w' || n, 'old' FROM generate_series(-1200, -100) AS n UNION ALL SELECT n, 'acme', 'w' || n, 'old' FROM generate_series(1100, 2600) AS n"
        : "WITH RECURSIVE n (n) AS (SELECT -1200 UNION ALL SELECT n + 1 FROM n WHERE n < 2600) SELECT n, 'acme', 'w' || n, 'old' FROM n WHERE n <= -100 OR n >= 1100"));
    $batch = run_in($mode, overwrite('numbered', [map { {id => $_, label => 'kept'} } -1200, -1000, -999, -100, 9, 100, 1100, 1999, 2000, 2600]));
    is_result($batch, 'completed', {updated => 10, overwritten => 6 - 2 + 1101 - 4 + 1501 - 4}, "$mode: an overwrite of many");
    is(labels(), '-1200=kept -1000=kept -999=kept -100=kept 9=kept 100=kept 1100=kept 1999=kept 2000=kept 2600=kept', "$mode: none is passed over, none removed twice");

    # ---- Texts and UUIDs ----
    fill();
    sql("INSERT INTO batchless_worded (organization_id, code, label) VALUES ('acme', 'c1', 'old'), ('acme', 'c2', 'old'), ('globex', 'c1', 'theirs')");
    my $id = value("SELECT id FROM batchless_worded WHERE organization_id = 'acme' AND code = 'c1'");
    $batch = run_in($mode, overwrite('worded', [{id => $pgsql ? uc $id : $id, label => 'a'}, {code => 'c3', label => 'b'}, {label => 'c'}]));
    is_result($batch, 'completed', {created => 2, updated => 1, overwritten => 1}, "$mode: texts that the database makes");
    is(join(' ', map {"$_->{code}=$_->{label}"} rows("SELECT coalesce(code, '-') AS code, label FROM batchless_worded WHERE organization_id = 'acme' ORDER BY label")), 'c1=a c3=b -=c', "$mode: the rows");
    is(value('SELECT count(*) FROM batchless_worded WHERE length(CAST(id AS TEXT)) >= 16'), 4, "$mode: all have a key");
    $batch = run_in($mode, merge('worded', [{id => $id, label => 'z'}, {id => 'unknown', label => 'x'}]));
    is_result($batch, 'completed', {updated => 1, errors => 1}, "$mode: one that is unknown");
    is_item_errors([stored_errors($batch)], [[1, 'id', $pgsql ? 'malformed' : 'not_found']], "$mode: makes no row");

    # ---- Triggers ----
    fill();
    my $table = $pgsql ? 'batchless_numbered' : 'batchless_worded';
    on_table($table, sub {
        trigger('test_other_key', $pgsql ? 'BEFORE' : 'AFTER', 'INSERT', {
            pgsql => 'NEW.id := NEW.id + 5000',
            sqlite3 => "UPDATE batchless_worded SET id = 'other ' || id WHERE rowid = NEW.rowid"
        });
    });
    sql("INSERT INTO batchless_worded (organization_id, code, label) VALUES ('acme', 'c1', 'old')");
    my $resource = $pgsql ? 'numbered' : 'worded';
    $batch = run_in($mode, overwrite($resource, [{code => 'n1', label => 'a'}, {code => 'n2', label => 'b'}, {label => 'c'}]));
    is_result($batch, 'completed', {created => 3, overwritten => $pgsql ? 6 : 1}, "$mode: with a trigger that gives other keys");
    is(value("SELECT count(*) FROM $table WHERE organization_id = 'acme' AND " . ($pgsql ? 'id > 6000' : "id LIKE 'other %'")), 3, "$mode: what was made is kept");
    drop_triggers();
}

# ---- Many items ----
foreach my $resource (qw(numbered plain)) {
    fill();
    my $batch = run_batch(overwrite($resource, [map { {code => "m$_", label => 'x' x 400} } 1 .. 3000]));
    is_result($batch, 'completed', {created => 3000, overwritten => 6}, "$resource: new rows of several segments and chunks");
    my @ids = map { $_->{id} } rows("SELECT id FROM batchless_numbered WHERE organization_id = 'acme' ORDER BY id");
    is(scalar @ids, 3000, "$resource: which are kept");
    $batch = run_batch(overwrite($resource, [
        (map { {id => $_ % 2 ? $ids[$_] : "000$ids[$_]", label => 'y' x 400} } 0 .. 1499), map { {code => "k$_", label => 'z' x 400} } 1 .. 1500
    ]));
    is_result($batch, 'completed', {created => 1500, updated => 1500, overwritten => 1500}, "$resource: some by their ids, and others");
    is(value("SELECT count(*) FROM batchless_numbered WHERE organization_id = 'acme' AND label NOT LIKE 'x%'"), 3000, "$resource: the rows");
    is(value('SELECT label FROM batchless_numbered WHERE id = 11'), 'theirs', "$resource: another's is there");
}

# ---- Formats ----
foreach my $format (
    ['text/csv', "id,label\r\n7,a\r\n007,x\r\n,b\r\n+8,x\r\n7777,x\r\n"],
    ['application/x-ndjson', qq({"id":7,"label":"a"}\n{"id":"007","label":"x"}\n{"label":"b"}\n{"id":"+8","label":"x"}\n{"id":7777,"label":"x"}\n)],
    ['application/json', '[{"id":7.0,"label":"a"},{"id":"007","label":"x"},{"label":"b"},{"id":"+8","label":"x"},{"id":7e3,"label":"x"}]']
    )
{
    my ($type, $body) = @$format;
    foreach my $way (qw(mixed sync upload)) {
        fill();
        my $batch;
        if ($way eq 'upload') {
            $batch = requested(merge('numbered', undef));
            upload($batch, body => $body, type => $type);
            $batch = resource_final($batch);
        }
        else {
            my $answer = post_batches(undef, body => $body, type => $type, path => "/batches?action=merge&resource=numbered&mode=$way&atomic=false");
            $batch = resource_final($answer->json->{data});
        }
        is_result($batch, 'completed', {created => 1, updated => 1, duplicates => 1, errors => 2}, "$type, $way");
        is(labels(), '-5=old 7=a 8=old 9=old 10=old 100=old 1001=b', "$type, $way: the rows");
        is_item_errors([stored_errors($batch)], [[1, undef, 'duplicate'], [3, 'id', 'malformed'], [4, 'id', 'not_found']], "$type, $way: the errors");
        like(file_of($batch, 'upload_csv')->body, qr/^7,,?a\r?$/m, "$type, $way: the upload");
    }
}

# ---- The records API ----
sub sheets
{
    return operation(resource => 'sheet', form_id => 'numbers', @_);
}

fill();
my $batch = finished(create(sheets(action => 'update', data => {label => 'set'}, ids => [100, '9', 10.0, '007', 7, '7', -5, 11, '9x', '+8', 7777, '99999999999999999999'])));
is_batch_counts($batch, ['success', 10, 5, 5], 'by numbers and texts');
is(labels(), '-5=set 7=set 8=old 9=set 10=set 100=set', 'the rows');
is(value('SELECT label FROM batchless_numbered WHERE id = 11'), 'theirs', 'but not that of another');
is(join(' ', sort map { $_->{id} } @{request('GET', "/batch/$batch->{id}/errors.json")->json}), '+8 11 7777 99999999999999999999 9x', 'the ids of the errors');
$batch = finished(create(sheets(ids => [map {"00$_"} 9, 10, 100])));
is_batch_counts($batch, ['success', 3, 3, 0], 'a delete');
is(labels(), '-5=set 7=set 8=old', 'of the rows');
my $pending = pending(sheets(ids => ['008', 7]));
start($pending);
$batch = finished($pending);
is_batch_counts($batch, ['success', 2, 2, 0], 'a batch that was started later');
fill();
$batch = finished(create(sheets(ids => undef, query => 'SELECT _record_id AS id FROM "Numbers" WHERE _record_id > 9')));
is_batch_counts($batch, ['success', 2, 2, 0], 'a query compares them as numbers');
is(labels(), '-5=old 7=old 8=old 9=old', 'and 9 is less than 10');
fill();
$batch = finished(create(sheets(ids => undef, query => 'SELECT a._record_id AS id FROM "Numbers" a JOIN "Numbers" b ON b._record_id = a._record_id + 1 ORDER BY a._record_id DESC LIMIT 2')));
is_batch_counts($batch, ['success', 2, 2, 0], 'a join computes with them');
is(labels(), '-5=old 7=old 10=old 100=old', 'and has their order');

# ---- A key that nobody makes ----
sql("INSERT INTO batchless_unmade VALUES (1, 'acme', 'one'), (2, 'acme', 'two')");
foreach my $action (qw(merge overwrite)) {
    is_refused(post_batches({resource => 'unmade', action => $action, data => [{label => 'x'}]}), 503, 'unavailable', "$action into a table that makes no keys");
}
is_result(run_batch(removal('unmade', [{id => '01'}])), 'completed', {deleted => 1}, 'a delete is in service');

unconfigure();
server_stop();
sql(map {"DROP TABLE $_"} @tables);
ok(server_start(), 'as before');

finish();
