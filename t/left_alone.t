# A trigger keeps a row as it is, and says nothing of it (RAISE(IGNORE), RETURN NULL): a soft delete, a
# seal. The database then reports that no row was touched. That is another thing than a row that is not
# there: the item is refused, counted and listed, in both APIs and in the cleanup of an overwrite.
#
# Where "0 rows" is taken for "no such row", "a row that is kept is refused" fails.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $pgsql = driver() eq 'pgsql';
my $unknown = '00000000-0000-4000-8000-00000000dead';
my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $eve = 'c0020000-71b9-4000-8000-0242ac120002';
my $frank = 'c0030000-71b9-4000-8000-0242ac120002';
my $kept = qr/^the row is still there/;
my $unchanged = qr/left the row as it is/;

# Keeps the rows of a condition; %s is the row (OLD).
sub keep
{
    my ($table, $event, $condition, $also) = @_;
    $also = $also ? "$also; " : '';
    on_table($table, sub {
            trigger("test_keep_\L$event", 'BEFORE', $event,
                {pgsql => "${also}RETURN NULL", sqlite3 => "${also}SELECT RAISE(IGNORE)"}, $condition);
    });
    return;
}

sub listed { return map {"$_->{id} $_->{code}"} @_ }

# ---- Records API ---------------------------------------------------------------------------------

my @ids = record_ids(6);
restore();
keep('records', 'DELETE', "OLD.id IN ('$ids[1]', '$ids[2]')", "UPDATE records SET status = 'gone' WHERE id = OLD.id");
my $batch = finished(create(delete_ids(@ids, $unknown)));
is_batch_counts($batch, ['success', 7, 4, 3], 'a soft delete in a delete');
my $errors = request('GET', "/batch/$batch->{id}/errors.json")->json;
is_deeply([sort(listed(@$errors))], [sort("$ids[1] refused", "$ids[2] refused", "$unknown not_found")],
    'a row that is kept is refused, one that is not there not found');
like($_->{message}, $kept, 'it says what happened') foreach grep { $_->{code} eq 'refused' } @$errors;
is(value("SELECT count(*) FROM records WHERE status = 'gone'"), 2, 'what the trigger did instead stays');

restore();
keep('records', 'UPDATE', "OLD.id IN ('$ids[1]', '$ids[2]')");
$batch = finished(create(update_ids({status => 'sealed'}, @ids, $unknown)));
is_batch_counts($batch, ['success', 7, 4, 3], 'a seal in an update');
$errors = request('GET', "/batch/$batch->{id}/errors.json")->json;
is_deeply([sort(listed(@$errors))], [sort("$ids[1] refused", "$ids[2] refused", "$unknown not_found")],
    'a row that is kept as it is is refused');
like($_->{message}, $unchanged, 'it says so') foreach grep { $_->{code} eq 'refused' } @$errors;

# All of them, and ids that are not there: nothing is done.
restore();
keep('records', 'DELETE', '1 = 1');
$batch = finished(create(delete_ids(@ids[0, 1])));
is_batch_counts($batch, ['failed', 2, 0, 2], 'a delete of which all is kept');

# ---- Resources API -------------------------------------------------------------------------------

sub run_in
{
    my ($mode, $request, %option) = @_;
    my $answer = post_batches({%$request, mode => $mode, atomic => FALSE}, %option);
    die 'create was answered ', $answer->status, ' ', substr($answer->body, 0, 600), "\n" if !$answer->json->{data};
    return resource_final($answer->json->{data});
}

foreach my $mode (qw(mixed sync)) {
    restore();
    keep('contacts', 'DELETE', "OLD.id IN ('$dana', '$eve')");
    $batch = run_in($mode, removal('contact', [{id => $dana}, {id => $frank}, {id => $eve}]));
    is_result($batch, 'completed', {deleted => 1, errors => 2}, "$mode: a delete of which two rows are kept");
    is_phases($batch, {received => 3, refused => 2}, "$mode, a delete");
    my @errors = stored_errors($batch);
    is_item_errors(\@errors, [[0, undef, 'refused'], [2, undef, 'refused']], "$mode: a row that is kept is refused");
    like($_->{message}, $kept, "$mode: with the reason") foreach @errors;

    # The cleanup of an overwrite.
    restore();
    my $all = value("SELECT count(*) FROM contacts WHERE organization_id = 'acme'");
    keep('contacts', 'DELETE', "OLD.id IN ('$dana', '$eve')");
    $batch = run_in($mode, overwrite('contact', [{name => 'Zoe'}]));
    is_result($batch, 'completed', {created => 1, overwritten => $all - 2, errors => 2}, "$mode: a cleanup of which two rows are kept");
    is_phases($batch, {received => 1, cleanup => $all, kept => 2}, "$mode, a cleanup");
    @errors = stored_errors($batch);
    is_deeply([sort(listed(@errors))], [sort("$dana refused", "$eve refused")], "$mode: both are listed");
    like($_->{message}, qr/the row cannot be removed: the row is still there/, "$mode: with the reason") foreach @errors;
    is(join(' ', map { $_->{name} } contacts()), "Dana D\x{ed}az Eve Eriksson Zoe", "$mode: and are there");
    restore();
    keep('contacts', 'DELETE', '1 = 1');
    $batch = run_in($mode, overwrite('contact', [{name => 'Zoe'}]));
    is_result($batch, 'completed', {created => 1, errors => $all}, "$mode: a cleanup of which all is kept");
    is_phases($batch, {received => 1, cleanup => $all, kept => $all}, "$mode, all kept");

    # A merge, by id and by match, and a new row that is left out.
    restore();
    keep('contacts', 'UPDATE', "OLD.id = '$dana'");
    keep('contacts', 'INSERT', "NEW.name = 'Zoe'");
    $batch = run_in($mode, merge('contact', [{id => $dana, phone => '1'}, {id => $eve, phone => '2'}, {name => 'Zoe'}, {name => 'Yan'}]));
    is_result($batch, 'completed', {created => 1, updated => 1, errors => 2}, "$mode: a merge");
    @errors = stored_errors($batch);
    is_item_errors(\@errors, [[0, undef, 'refused'], [2, undef, 'refused']], "$mode: rows that are kept, or left out, are refused");
    like($errors[0]{message}, $unchanged, "$mode: the one");
    like($errors[1]{message}, qr/left the row out/, "$mode: and the other");
    restore();
    keep('groups', 'UPDATE', "OLD.name = 'Inspectors'");
    $batch = run_in($mode, overwrite('group', [{name => 'Inspectors', resource => 'contact'}, {name => 'Zoo', resource => 'contact'}]));
    is($batch->{stats}{errors}, 1, "$mode: by match");
    is(value("SELECT count(*) FROM groups WHERE organization_id = 'acme'"), 2, "$mode: a row that a refused item names is kept");
}

# All or nothing.
restore();
my $before = table_hash('contacts');
keep('contacts', 'DELETE', "OLD.id = '$eve'");
my $answer = synchronous(removal('contact', [{id => $dana}, {id => $eve}]));
is_envelope($answer, 422, 'batch_failed', 'sync: a delete of which a row is kept');
is_item_errors($answer->json->{errors}, [[1, undef, 'refused']], 'sync: names it');
is(table_hash('contacts'), $before, 'sync: nothing has changed');

# From a file.
$answer = post_batches(undef, body => "id\n$dana\n$eve\n", path => '/batches?resource=contact&action=delete&mode=sync&atomic=false', type => 'text/csv');
is_result($answer->json->{data}, 'completed', {deleted => 1, errors => 1}, 'CSV: a delete of which a row is kept')
    or diag($answer->body);

# Rules, which PostgreSQL has besides.
if ($pgsql) {
    restore();
    sql('CREATE RULE batchless_keep AS ON DELETE TO contacts DO INSTEAD NOTHING');
    $batch = run_in('mixed', removal('contact', [{id => $dana}]));
    sql('DROP RULE batchless_keep ON contacts');
    is_result($batch, 'failed', {errors => 1}, 'a rule that keeps all');
    is_item_errors([stored_errors($batch)], [[0, undef, 'refused']], 'is a refusal');
}

finish();
