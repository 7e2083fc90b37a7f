# A trigger that raises what the server itself says of a moment's trouble (a deadlock, a lock, a full
# disk, a read-only transaction, a lost statement), and always does so for some rows: they are refused,
# with the trigger's words, after some tries; the batch goes on, whatever the API, mode and action. A
# trigger that does so a few times only is believed.
#
# Where a trigger is believed for ever, the worker waits for ever: "a batch with such a row ends" fails.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

plan skip_all => 'the triggers of SQLite have no such words' if driver() ne 'pgsql';

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $eve = 'c0020000-71b9-4000-8000-0242ac120002';
my @codes = qw(40001 40P01 55P03 55006 53000 53100 53200 53300 53400 58000 58030 25006 25P02 26000 08006 57014 57P01 XX001);

sub raise
{
    my ($table, $event, $condition, $code, $timing) = @_;
    on_table($table, sub {
            trigger("test_raise_\L$event", $timing || 'BEFORE', $event, "RAISE EXCEPTION 'not this one' USING ERRCODE = '$code'", $condition);
    });
    return;
}

sub run_in
{
    my ($mode, $request) = @_;
    my $answer = post_batches({%$request, mode => $mode, atomic => FALSE});
    die 'create was answered ', $answer->status, ' ', substr($answer->body, 0, 600), "\n" if !$answer->json->{data};
    return resource_final($answer->json->{data});
}

foreach my $code (@codes) {
    foreach my $mode (qw(mixed sync)) {
        next if $mode eq 'sync' && $code !~ /^(?:40001|53100|25006|26000)/;
        restore();
        raise('contacts', 'INSERT', "NEW.phone = 'bad'", $code);
        raise('contacts', 'UPDATE', "NEW.phone = 'bad'", $code);
        raise('contacts', 'DELETE', "OLD.id = '$eve'", $code);
        my @items = ((map { {name => "r$_", phone => $_ == 3 || $_ == 17 ? 'bad' : 'good'} } 1 .. 20), {id => $dana, phone => 'bad'});
        my $batch = run_in($mode, merge('contact', \@items));
        is_result($batch, 'completed', {created => 18, errors => 3}, "$code, $mode: a batch with such rows ends");
        my @errors = stored_errors($batch);
        is_item_errors(\@errors, [map { [$_, undef, 'refused'] } 2, 16, 20], "$code, $mode: they are refused");
        like($errors[0]{message}, qr/not this one/, "$code, $mode: in the trigger's words");
        $batch = run_in($mode, removal('contact', [{id => $eve}, {id => $dana}]));
        is_result($batch, 'completed', {deleted => 1, errors => 1}, "$code, $mode: a removal");
        next if $code !~ /^(?:40001|53100)/;
        # The cleanup of an overwrite.
        $batch = run_in($mode, overwrite('contact', [{name => 'Zoe'}]));
        is($batch->{stats}{errors}, 1, "$code, $mode: a row that cannot be removed");
        is(join(' ', map { $_->{name} } contacts()), 'Eve Eriksson Zoe', "$code, $mode: stays");
    }
}

# All rows of a batch.
restore();
raise('contacts', 'INSERT', '1 = 1', '53100');
my $batch = run_in('mixed', merge('contact', [map { {name => "all $_"} } 1 .. 30]));
is_result($batch, 'failed', {errors => 30}, 'all rows are such');
my $answer = synchronous(merge('contact', [{name => 'a'}]));
is_envelope($answer, 422, 'batch_failed', 'sync, all or nothing');
is_item_errors($answer->json->{errors}, [[0, undef, 'refused']], 'names the item');

# The records API.
my @ids = record_ids(8);
restore();
raise('records', 'DELETE', "OLD.id IN ('$ids[1]', '$ids[5]')", '40P01');
raise('records', 'UPDATE', "OLD.id IN ('$ids[1]', '$ids[5]')", '58030');
$batch = finished(create(update_ids({status => 'x'}, @ids)));
is_batch_counts($batch, ['success', 8, 6, 2], 'records API: an update');
$batch = finished(create(delete_ids(@ids)));
is_batch_counts($batch, ['success', 8, 6, 2], 'records API: a delete');
is_deeply([sort map {"$_->{id} $_->{code}"} @{request('GET', "/batch/$batch->{id}/errors.json")->json}],
    [sort "$ids[1] refused", "$ids[5] refused"], 'records API: they are listed');

# At the commit.
foreach my $mode (qw(mixed sync)) {
    restore();
    sql("CREATE FUNCTION test_late() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION 'too late' USING ERRCODE = '40001'; END \$\$",
        "CREATE CONSTRAINT TRIGGER test_late AFTER INSERT ON contacts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.phone = 'bad')"
            . ' EXECUTE FUNCTION test_late()');
    $batch = run_in($mode, merge('contact', [map { {name => "c$_", phone => $_ == 2 ? 'bad' : 'good'} } 1 .. 5]));
    sql('DROP FUNCTION test_late() CASCADE');
    is_result($batch, 'completed', {created => 4, errors => 1}, "$mode: at the commit");
    is_item_errors([stored_errors($batch)], [[1, undef, 'refused']], "$mode: the item is named");
}

# A few times only: believed. No other batch has told by then that such words are not to be trusted.
server_stop();
restore();
sql('CREATE SEQUENCE batchless_tries');
on_table('contacts', sub {
        trigger('test_raise_insert', 'BEFORE', 'INSERT',
            "IF nextval('batchless_tries') <= 3 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF");
});
ok(server_start(), 'the server starts');
$batch = run_in('mixed', merge('contact', [{name => 'patient'}]));
is_result($batch, 'completed', {created => 1}, 'a trigger that gives in is believed');
is(value('SELECT last_value FROM batchless_tries'), 4, 'that it was tried again');
drop_triggers();
sql('DROP SEQUENCE batchless_tries');

finish();
