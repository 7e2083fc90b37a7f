# Items that a constraint refuses are tried once more when all others have been applied: a child may
# stand before its parent, and a new row may take the unique value of one that an overwrite removes.
#
# Without the second try "a child before its parent" fails on both drivers, and "a parent is deleted
# before its child" on SQLite; without the one behind the cleanup "takes the code" does.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

my $pgsql = driver() eq 'pgsql';
my @names = qw(batchless_nodes batchless_deferred);

sub drop
{
    sql(map { 'DROP TABLE IF EXISTS ' . $_ . ($pgsql ? ' CASCADE' : '') } @names, 'batchless_seen');
    return;
}
END {
    eval { drop() }
}
drop();
foreach my $name (@names) {
    my $when = $name =~ /deferred/ ? ' DEFERRABLE INITIALLY DEFERRED' : '';
    sql("CREATE TABLE $name (id TEXT NOT NULL, organization_id TEXT NOT NULL, code TEXT, parent_id TEXT,"
            . ' PRIMARY KEY (organization_id, id), UNIQUE (organization_id, code),'
            . " FOREIGN KEY (organization_id, parent_id) REFERENCES $name (organization_id, id)$when)");
}
my @resources = map {
    my ($resource, $table) = @$_;
    (
        "<BatchResource $resource>", "BatchTable $table", 'BatchKey id client', 'BatchScope organization_id',
        'BatchColumn code text', 'BatchColumn parent_id text', 'BatchActions merge overwrite delete',
        '</BatchResource>'
    )
} ['node', $names[0]], ['knot', $names[1]];
configure(@resources);
tolerate_log(qr/batchless_/);
server_stop();
ok(server_start(), 'with tables that refer to themselves') or BAIL_OUT('the server does not start');

# The rows that are there at first, as "id=code<parent".
sub fill
{
    my ($table, @rows) = @_;
    sql("DELETE FROM $table", map {
            my ($id, $code, $parent) = /^(\w+)=(\w*)<(\w*)$/;
            "INSERT INTO $table VALUES ('$id', 'acme', "
                . ($code ? "'$code'" : 'NULL') . ', '
                . ($parent ? "'$parent'" : 'NULL') . ')'
    } @rows);
    return;
}

sub rows_of
{
    my ($table) = @_;
    return join ' ',
        map { "$_->{id}=" . ($_->{code} // '') . '<' . ($_->{parent_id} // '') }
        rows("SELECT id, code, parent_id FROM $table WHERE organization_id = 'acme' ORDER BY id");
}

# A batch in its mode: its object once it has ended, and the errors, of the answer or of the file.
sub run_in
{
    my ($mode, $request) = @_;
    my $answer = post_batches({%$request, mode => $mode =~ /sync/ ? 'sync' : 'mixed',
            atomic => $mode eq 'sync' ? TRUE : FALSE});
    die 'create was answered ', $answer->status, ' ', substr($answer->body, 0, 600), "\n" if !$answer->json->{data};
    my $batch = resource_final($answer->json->{data});
    return ($batch, $mode =~ /sync/ ? $answer->json->{errors} : [stored_errors($batch)]);
}

sub no_items_left
{
    my ($batch, $name) = @_;
    my $count = "SELECT count(*) FROM batch_items WHERE job = (SELECT seq FROM batch_jobs WHERE id = '$batch->{id}')";
    wait_for('the items to be gone', sub { value($count) == 0 });
    return pass("$name: nothing is left of the items");
}

foreach my $mode ('mixed', 'sync', 'sync, not atomic') {
    my ($batch, $errors);

    # ---- A child before its parent ---------------------------------------------------------------

    fill($names[0]);
    ($batch, $errors) = run_in($mode, merge('node', [
                {id => 'child', parent_id => 'parent', code => 'c'}, {id => 'parent', code => 'p'}, {id => 'other'}
            ], save_upload => FALSE));
    is_result($batch, 'completed', {created => 3}, "$mode: a child before its parent");
    is_phases($batch, {received => 3}, "$mode: a child before its parent");
    is_item_errors($errors, [], "$mode: without an error");
    is(rows_of($names[0]), 'child=c<parent other=< parent=p<', "$mode: all are there");
    no_items_left($batch, "$mode: a child before its parent");

    # A chain of them, the youngest first.
    fill($names[0]);
    ($batch, $errors) = run_in($mode, merge('node', [
                {id => 'd', parent_id => 'c'}, {id => 'c', parent_id => 'b'}, {id => 'b', parent_id => 'a'}, {id => 'a'}
            ]));
    is_result($batch, 'completed', {created => 4}, "$mode: a chain");
    is(rows_of($names[0]), 'a=< b=<a c=<b d=<c', "$mode: all of it is there");
    ($batch, $errors) = run_in($mode, removal('node', [map { {id => $_} } qw(a b c d)]));
    is_result($batch, 'completed', {deleted => 4}, "$mode: a chain, deleted from its beginning");
    is(rows_of($names[0]), '', "$mode: all of it is gone");
    ($batch, $errors) = run_in($mode, merge('node', [
                {id => 'd', parent_id => 'c'}, {id => 'lost', parent_id => 'nowhere'}, {id => 'c', parent_id => 'b'},
                {id => 'b', parent_id => 'a'}, {id => 'a'}
            ]));
    is_result($batch, $mode eq 'sync' ? 'failed' : 'completed', {errors => 1, $mode eq 'sync' ? () : (created => 4)},
        "$mode: a chain, and one that is in none");
    is_item_errors($errors, [[1, undef, 'refused']], "$mode: which is refused");

    # An update that refers to a row which comes later, beside a value that is NULL.
    fill($names[0], 'a=<', 'b=<');
    ($batch, $errors) = run_in($mode, merge('node', [{id => 'a', parent_id => 'z'}, {id => 'b', code => 'B'}, {id => 'z'}]));
    is_result($batch, 'completed', {created => 1, updated => 2}, "$mode: a reference to a later row");
    is(rows_of($names[0]), 'a=<z b=B< z=<', "$mode: is there");

    # A value that a later item of the batch gives up.
    fill($names[0], 'a=1<', 'b=2<');
    ($batch, $errors) = run_in($mode, merge('node', [{id => 'a', code => '2'}, {id => 'b', code => '3'}]));
    is_result($batch, 'completed', {updated => 2}, "$mode: a value that a later item gives up");
    is(rows_of($names[0]), 'a=2< b=3<', "$mode: has gone over");

    # ---- Two that exchange their values ----------------------------------------------------------

    fill($names[0], 'a=1<', 'b=2<');
    ($batch, $errors) = run_in($mode, merge('node', [{id => 'a', code => '2'}, {id => 'b', code => '1'}, {id => 'c'}]));
    is_result($batch, $mode eq 'sync' ? 'failed' : 'completed', {errors => 2, $mode eq 'sync' ? () : (created => 1)},
        "$mode: two that exchange their values");
    is_item_errors($errors, [[0, undef, 'refused'], [1, undef, 'refused']], "$mode: are refused");
    like($errors->[0]{message}, qr/unique.*rows that exchange values need a batch before/i, "$mode: and told why");
    is(rows_of($names[0]), $mode eq 'sync' ? 'a=1< b=2<' : 'a=1< b=2< c=<', "$mode: they are as they were");

    # ---- One that has no parent ------------------------------------------------------------------

    fill($names[0], 'old=<');
    ($batch, $errors) = run_in($mode, merge('node',
            [{id => 'child', parent_id => 'parent'}, {id => 'lost', parent_id => 'nowhere', code => 'l'}, {id => 'parent'}]));
    is_result($batch, $mode eq 'sync' ? 'failed' : 'completed', {errors => 1, $mode eq 'sync' ? () : (created => 2)},
        "$mode: a reference to nothing");
    is_item_errors($errors, [[1, undef, 'refused']], "$mode: is refused");
    like($errors->[0]{message}, qr/foreign key/i, "$mode: in the database's words");
    like($errors->[0]{original}, qr/^=3;(?=.*2:id,4:lost,)(?=.*4:code,1:l,)(?=.*9:parent_id,7:nowhere,)/,
        "$mode: with all that was sent")
        if $mode eq 'mixed';
    is(rows_of($names[0]), $mode eq 'sync' ? 'old=<' : 'child=<parent old=< parent=<', "$mode: the others are applied");

    # ---- Deletes ---------------------------------------------------------------------------------

    fill($names[0], 'parent=<', 'child=<parent', 'stays=<');
    ($batch, $errors) = run_in($mode, removal('node', [{id => 'parent'}, {id => 'child'}]));
    is_result($batch, 'completed', {deleted => 2}, "$mode: a parent is deleted before its child");
    is(rows_of($names[0]), 'stays=<', "$mode: both are gone");
    fill($names[0], 'parent=<', 'child=<parent', 'stays=<parent');
    ($batch, $errors) = run_in($mode, removal('node', [{id => 'parent'}, {id => 'child'}]));
    is_result($batch, $mode eq 'sync' ? 'failed' : 'completed', {errors => 1, $mode eq 'sync' ? () : (deleted => 1)},
        "$mode: a parent that another child needs");
    is_item_errors($errors, [[0, undef, 'refused']], "$mode: stays");

    # ---- Overwrites ------------------------------------------------------------------------------

    fill($names[0], 'goes=1<', 'stays=2<');
    ($batch, $errors) = run_in($mode, overwrite('node',
            [{id => 'new', code => '1', parent_id => 'later'}, {id => 'stays', code => '3'}, {id => 'later'}], save_upload => FALSE));
    is_result($batch, 'completed', {created => 2, updated => 1, overwritten => 1}, "$mode: a new row takes the code of one that goes");
    is_phases($batch, {received => 3, cleanup => 1}, "$mode: a new row takes the code of one that goes");
    is(rows_of($names[0]), 'later=< new=1<later stays=3<', "$mode: and is there");
    no_items_left($batch, "$mode: an overwrite");
    # Rows that the cleanup removes, in the order of their keys, need each other.
    fill($names[0], 'a=<', 'b=<a', 'c=<b', 'd=<');
    ($batch, $errors) = run_in($mode, overwrite('node', [{id => 'd', code => 'D'}]));
    is_result($batch, 'completed', {updated => 1, overwritten => 3}, "$mode: a cleanup of parents before their children");
    is(rows_of($names[0]), 'd=D<', "$mode: removes all of them");

    # … however many there are between them: a parent in the first piece, its child in the last.
    fill($names[0], 'z=<');
    sql("INSERT INTO $names[0] (id, organization_id) "
            . ($pgsql ? "SELECT 'n' || lpad(i::text, 5, '0'), 'acme' FROM generate_series(1, 1500) AS n (i)"
            : "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT printf('n%05d', i), 'acme' FROM n"),
        "UPDATE $names[0] SET parent_id = 'n00001' WHERE id = 'n01500'");
    ($batch, $errors) = run_in($mode, overwrite('node', [{id => 'z', code => 'Z'}]));
    is_result($batch, 'completed', {updated => 1, overwritten => 1500}, "$mode: a large cleanup of parents before their children");
    is_phases($batch, {received => 1, cleanup => 1500}, "$mode: a large cleanup");
    is(rows_of($names[0]), 'z=Z<', "$mode: removes all of them, too");

    # All rows are exchanged for others with the same codes: nothing can be applied before the cleanup.
    fill($names[0], 'a=1<', 'b=2<');
    ($batch, $errors) = run_in($mode, overwrite('node', [{id => 'x', code => '1'}, {id => 'y', code => '2', parent_id => 'x'}]));
    is_result($batch, 'completed', {created => 2, overwritten => 2}, "$mode: rows with the same codes in the place of all");
    is(rows_of($names[0]), 'x=1< y=2<x', "$mode: are there");
    # … but not where they could not be applied then either.
    fill($names[0], 'a=1<', 'b=2<');
    ($batch, $errors) = run_in($mode, overwrite('node', [{id => 'x', code => '1', parent_id => 'nowhere'}]));
    is_result($batch, 'failed', {errors => 1}, "$mode: one that can never be applied");
    is_item_errors($errors, [[0, undef, 'refused']], "$mode: is refused");
    is(rows_of($names[0]), 'a=1< b=2<', "$mode: and nothing is removed");

    # ---- Constraints that are checked at the end of a transaction ----------------------------------

    fill($names[1], 'old=<');
    ($batch, $errors) = run_in($mode, merge('knot', [
                {id => 'child', parent_id => 'parent', code => 'c'}, {id => 'lost', parent_id => 'nowhere'},
                (map { {id => "more$_"} } 1 .. 5), {id => 'parent', parent_id => 'old'}
            ]));
    is_result($batch, $mode eq 'sync' ? 'failed' : 'completed', {errors => 1, $mode eq 'sync' ? () : (created => 7)},
        "$mode: one dangling reference that is found at the end");
    is_item_errors($errors, [[1, undef, 'refused']], "$mode: its item is named");
    like($errors->[0]{message}, qr/foreign key/i, "$mode: in the database's words");
    is(rows_of($names[1]), $mode eq 'sync' ? 'old=<'
            : 'child=c<parent more1=< more2=< more3=< more4=< more5=< old=< parent=<old', "$mode: the others are applied");

    fill($names[1]);
    ($batch, $errors) = run_in($mode, merge('knot', [{id => 'a', parent_id => 'b'}, {id => 'b', parent_id => 'c'}, {id => 'c', parent_id => 'a'}]));
    is_result($batch, 'completed', {created => 3}, "$mode: rows that refer to each other");
    is(rows_of($names[1]), 'a=<b b=<c c=<a', "$mode: are applied as a whole");

    fill($names[1], 'parent=<', 'child=<parent', 'both=<', 'other=<both');
    ($batch, $errors) = run_in($mode, removal('knot', [{id => 'both'}, {id => 'parent'}, {id => 'child'}]));
    is_result($batch, $mode eq 'sync' ? 'failed' : 'completed', {errors => 1, $mode eq 'sync' ? () : (deleted => 2)},
        "$mode: a delete of which one row is needed by another");
    is_item_errors($errors, [[0, undef, 'refused']], "$mode: that item is named");
    is(rows_of($names[1]), $mode eq 'sync' ? 'both=< child=<parent other=<both parent=<' : 'both=< other=<both',
        "$mode: the others are gone");

    # Both kinds in one chunk: what it has put off is undone with it, and is put off once more.
    fill($names[1], 'a=1<', 'b=2<');
    ($batch, $errors) = run_in($mode, merge('knot', [
                {id => 'a', code => '2'}, {id => 'child', parent_id => 'parent'}, {id => 'lost', parent_id => 'nowhere'},
                {id => 'b', code => '3'}, {id => 'twice', code => '3'}, {id => 'parent'}
            ]));
    is_result($batch, $mode eq 'sync' ? 'failed' : 'completed', {errors => 2, $mode eq 'sync' ? () : (created => 2, updated => 2)},
        "$mode: constraints that are checked at once, and at the end");
    is_item_errors($errors, [[2, undef, 'refused'], [4, undef, 'refused']], "$mode: each item that breaks one is named");
    is(rows_of($names[1]), $mode eq 'sync' ? 'a=1< b=2<' : 'a=2< b=3< child=<parent parent=<', "$mode: the others are applied");

    # A row that the cleanup cannot remove, and the others that it can.
    sql('DROP TABLE IF EXISTS batchless_seen',
        'CREATE TABLE batchless_seen (id TEXT, organization_id TEXT, FOREIGN KEY (organization_id, id)'
            . " REFERENCES $names[1] (organization_id, id) DEFERRABLE INITIALLY DEFERRED)");
    fill($names[1], 'a=<', 'b=<', 'c=<', 'd=<');
    sql("INSERT INTO batchless_seen VALUES ('b', 'acme')");
    ($batch, $errors) = run_in($mode, overwrite('knot', [{id => 'd', code => 'd'}, {id => 'e', parent_id => 'd'}]));
    is_result($batch, $mode eq 'sync' ? 'failed' : 'completed',
        {errors => 1, $mode eq 'sync' ? () : (created => 1, updated => 1, overwritten => 2)}, "$mode: a row that is needed elsewhere");
    is($errors->[0]{id}, 'b', "$mode: is named");
    is(rows_of($names[1]), $mode eq 'sync' ? 'a=< b=< c=< d=<' : 'b=< d=d< e=<d', "$mode: the others are removed");
    sql('DROP TABLE batchless_seen');
}

# ---- The records API -------------------------------------------------------------------------------

sql('ALTER TABLE records ADD COLUMN test_parent TEXT' . ' REFERENCES records (id)');
my @ids = sort(record_ids(4));
sql("UPDATE records SET test_parent = '$ids[0]' WHERE id = '$ids[1]'", "UPDATE records SET test_parent = '$ids[1]' WHERE id = '$ids[2]'");
is_batch_counts(finished(create(delete_ids(@ids))), ['success', 4, 4, 0], 'records: parents are deleted before their children');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids) . "')"), 0, 'records: all are gone');
sql('ALTER TABLE records DROP COLUMN test_parent');
restore();

# ---- An item that ends the whole transaction (SQLite) ----------------------------------------------

if (!$pgsql) {
    foreach my $atomic (TRUE, FALSE) {
        fill($names[0], 'old=<');
        on_table($names[0], sub { refuse_trigger('INSERT', "NEW.code LIKE 'bad%'", 'all of it', 'ROLLBACK') });
        my $answer = synchronous(merge('node', [
                    {id => 'one'}, {id => 'two', code => 'bad2'}, {id => 'three', parent_id => 'four'}, {id => 'four', code => 'bad4'}
                ], atomic => $atomic));
        is_item_errors($answer->json->{errors}, [[1, undef, 'refused'], [2, undef, 'refused'], [3, undef, 'refused']],
            'items that end the transaction are named');
        is(rows_of($names[0]), $atomic ? 'old=<' : 'old=< one=<', 'and the others applied, unless it is all or nothing');
        drop_triggers();
    }
}

unconfigure();
server_stop();
drop();
ok(server_start(), 'as before');

finish();
