# Batches of one table and scope come one after the other, in the order in which they were accepted.
#
# Without the condition on those that stand before (BATCH_SQL_TEXT_BEFORE) two overwrites at once
# remove each other's rows. Without judging again, what an earlier batch has made is unknown to a
# later one.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $globex = table_hash('contacts', "organization_id = 'globex'");

END { eval { sql('DROP TABLE IF EXISTS batchless_clients') } }

sub made { return map { {name => sprintf('%s %05d', $_[0], $_), notes => $_[0]} } 1 .. $_[1] }

# Who made the rows that are there: {prefix => how many}.
sub makers
{
    my %count;
    $count{$_->{notes} // 'none'}++ for contacts();
    return \%count;
}

# The batches in the order in which they were accepted.
sub in_order
{
    my %batch = map { $_->{id} => $_ } @_;
    return map { $batch{$_->{id}} // () } rows('SELECT id FROM batch_jobs ORDER BY queued_at, seq');
}

sub send_at_once
{
    my (@requests) = @_;
    return parallel([map { request_text('POST', '/batches', json => $_) } @requests]);
}

# Nobody is left in line, and nothing of a request that has been answered.
sub is_quiet
{
    my ($name) = @_;
    is(value("SELECT count(*) FROM batch_jobs WHERE status = 'receiving' OR status IN ('queued', 'processing')"),
        0, "$name: nobody stands in line any more");
    return;
}

# ---- Two overwrites at once ----------------------------------------------------------------------

foreach my $round (1 .. 3) {
    restore();
    my @answers = send_at_once(map { overwrite('contact', [made("batch $_", 4000)]) } 1 .. 3);
    is(join(' ', map { $_->status } @answers), '202 202 202', "$round: three overwrites at once");
    my @batches = in_order(map { resource_final($_->json->{data}) } @answers);
    my $removed = 4;
    foreach my $batch (@batches) {
        is_result($batch, 'completed', {created => 4000, overwritten => $removed}, "$round: one after the other");
        $removed = 4000;
    }
    my ($last) = grep { $answers[$_ - 1]->json->{data}{id} eq $batches[2]{id} } 1 .. 3;
    is_deeply(makers(), {"batch $last" => 4000}, "$round: the rows are those of the last of them");
    is(table_hash('contacts', "organization_id = 'globex'"), $globex, "$round: globex is untouched");
}
is_quiet('overwrites');

# A merge beside an overwrite: what it made is there, or was removed and is counted.
restore();
my @answers = send_at_once(overwrite('contact', [made('overwrite', 3000)]), merge('contact', [made('merge', 3000)]));
my @batches = in_order(map { resource_final($_->json->{data}) } @answers);
is_deeply(
    makers(),
    $batches[1]{action} eq 'merge' ? {overwrite => 3000, merge => 3000} : {overwrite => 3000},
    'a merge beside an overwrite'
);
is($batches[1]{stats}{overwritten}, $batches[1]{action} eq 'merge' ? 0 : 3004, 'the second has removed what was there');

# ---- The same in the mode sync -------------------------------------------------------------------

restore();
@answers = send_at_once(map { {%{overwrite('contact', [made("sync $_", 600)])}, mode => 'sync'} } 1 .. 6);
is(join(' ', map { $_->status } @answers), '201 201 201 201 201 201', 'six sync overwrites at once');
is(scalar keys %{makers()}, 1, 'leave the rows of one of them');
is((values %{makers()})[0], 600, 'all of them');
my %removed;
$removed{$_->json->{data}{stats}{overwritten}}++ for @answers;
is_deeply(\%removed, {4 => 1, 600 => 5}, 'each has removed what the one before has made');
is_quiet('sync');

# ---- Who stands in line --------------------------------------------------------------------------

restore();
on_table('contacts', sub { slow_trigger('INSERT', 80) });
my $slow = accepted(overwrite('contact', [made('slow', 400)]));
wait_for('the overwrite to begin', sub { resource_batch($slow)->{status} eq 'processing' });
my $behind = accepted(merge('contact', [{name => 'Behind', notes => 'behind'}]));
my $other = run_batch(merge('shipment', [{tracking_number => 'turn 1'}]));
is($other->{status}, 'completed', 'a batch of another table goes on');
$other = run_batch(merge('contact', [{name => 'Hers', notes => 'globex'}]), as => 'carol');
is($other->{status}, 'completed', 'so does one of another organization');
is(resource_batch($behind)->{status}, 'queued', 'one of the same rows stays queued');
is(resource_batch($slow)->{status}, 'processing', 'while the first is under way');
my $before = table_hash('contacts', "notes = 'sync'");
my $answer = synchronous(merge('contact', [{name => 'Impatient', notes => 'sync'}]));
is($answer->status, 409, 'a sync batch does not wait for ever');
ok($answer->header('Retry-After'), 'and says when to come back');
like($answer->json->{message}, qr/earlier batch of the resource contact has not ended/, 'and why');
is(value("SELECT count(*) FROM contacts WHERE notes = 'sync'"), 0, 'it has changed nothing');
is(value("SELECT count(*) FROM batch_jobs WHERE status = 'receiving'"), 0, 'and has left the line');
is(cancel($slow)->status, 200, 'the first is cancelled');
is(resource_final($behind)->{status}, 'completed', 'then it is the turn of the next');
drop_triggers();
is(value("SELECT count(*) FROM contacts WHERE notes = 'behind'"), 1, 'which has made its row');
is_quiet('a cancelled overwrite');

# A sync batch that waits for a short one comes behind it.
restore();
on_table('contacts', sub { slow_trigger('INSERT', 100) });
$slow = accepted(overwrite('contact', [made('short', 5)]));
$answer = synchronous(merge('contact', [{name => 'Patient', notes => 'patient'}]));
is($answer->status, 201, 'a sync batch waits for its turn');
is(resource_batch($slow)->{status}, 'completed', 'which comes when the earlier one has ended');
drop_triggers();
is_deeply(makers(), {short => 5, patient => 1}, 'so its row is there');

# What rows are like is judged when its turn comes.
restore();
on_table('contacts', sub { slow_trigger('INSERT', 100) });
$slow = accepted(overwrite('contact', [made('short', 40)]));
wait_for('the overwrite to begin', sub { resource_batch($slow)->{status} eq 'processing' });
$behind = accepted(removal('contact', [{id => $dana}]));
let_go();
is(resource_final($behind)->{stats}{errors}, 1, 'what the earlier one has removed is unknown to the next');
drop_triggers();
is_item_errors([stored_errors($behind)], [[0, 'id', 'not_found']], 'as its errors say');

# Another sync batch that takes too long, which nobody sees but by its lock.
if (driver() eq 'pgsql') {
    restore();
    hold_statement("SELECT 'held' FROM pg_advisory_xact_lock(hashtextextended(current_schema() || chr(10) || 'contacts' || chr(10) || 'acme', 78856))");
    $answer = synchronous(merge('contact', [{name => 'Late', notes => 'late'}]));
    is($answer->status, 409, 'a sync batch does not wait for ever for another one');
    ok($answer->header('Retry-After'), 'and says when to come back');
    release_locks();
    is(value("SELECT count(*) FROM batch_jobs"), 0, 'nothing of it is stored');
    is(synchronous(merge('contact', [{name => 'Late', notes => 'late'}]))->status, 201, 'then it is its turn');
}

# ---- Judged again --------------------------------------------------------------------------------

sql('CREATE TABLE batchless_clients (id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT, notes TEXT,'
        . ' PRIMARY KEY (organization_id, id))');
configure('<BatchResource client>', 'BatchTable batchless_clients', 'BatchKey id client', 'BatchScope organization_id',
    'BatchColumn name text required', 'BatchColumn kind text immutable', 'BatchColumn notes text',
    'BatchActions merge overwrite delete', '</BatchResource>');
tolerate_log(qr/batchless_clients/);
server_stop();
ok(server_start(), 'a resource whose keys are the clients own') or BAIL_OUT('the server does not start');

sub clients
{
    return join ' ', map {"$_->{id}=$_->{name}," . ($_->{kind} // '') . ',' . ($_->{notes} // '')}
        rows("SELECT * FROM batchless_clients WHERE organization_id = 'acme' ORDER BY id");
}

# Batches that are accepted while another is at the same rows, and their ends.
sub behind_another
{
    my ($first, @later) = @_;
    on_table('batchless_clients', sub { slow_trigger('INSERT', 400) });
    my $slow = accepted(merge('client', [(map { {id => "slow $_", name => 'slow'} } 1 .. 10), @$first]));
    my (@batches, @early);
    foreach my $request (@later) {
        push @batches, accepted($request);
        push @early, resource_batch($batches[-1]);
    }
    let_go();
    my @ends = map { resource_final($_) } @batches;
    is(resource_batch($slow)->{status}, 'completed', 'the first has ended before');
    drop_triggers();
    sql("DELETE FROM batchless_clients WHERE id LIKE 'slow %'");
    return (\@early, \@ends);
}

my ($early, $ends) = behind_another(
    [{id => 'a', name => 'Anna', kind => 'x'}, {id => 'b', name => 'Bert'}, {id => 'c', name => 'Cleo'}],
    merge('client', [{id => 'a', notes => 'known by then'}, {id => 'nobody', notes => 'y'}]),
    removal('client', [{id => 'b'}, {id => 'nobody'}]),
    merge('client', [{id => 'b', notes => 'gone again'}, {id => 'c', kind => 'k'}, {id => 'a', kind => 'other'}])
);
is_result($ends->[0], 'completed', {updated => 1, errors => 1}, 'an id that an earlier batch has made');
is_phases($ends->[0], {received => 2, invalid => 1}, 'judged when its turn came');
is_result($ends->[1], 'completed', {deleted => 1, errors => 1}, 'is deleted by a later one');
is($ends->[2]{stats}{errors}, 3, 'what is gone lacks members, what is there keeps what never changes');
is($ends->[2]{status}, 'failed', 'and a batch of nothing else has failed');
is(clients(), 'a=Anna,x,known by then c=Cleo,,', 'the rows are those of all of them in turn');
is($early->[0]{stats}{errors}, 2, 'before its turn it was judged by what was there');
is_item_errors([stored_errors($ends->[0])], [[1, 'name', 'missing']], 'the error of an item that was applied is taken back');

# Of an overwrite, too: it would have been the end of the batch, and of all other rows.
sql('DELETE FROM batchless_clients');
($early, $ends) = behind_another([{id => 'a', name => 'Anna'}, {id => 'b', name => 'Bert'}],
    overwrite('client', [{id => 'a', notes => 'stays'}]));
is_result($ends->[0], 'completed', {updated => 1, overwritten => 11}, 'an overwrite whose only row came by an earlier batch');
is(clients(), 'a=Anna,,stays', 'keeps it, and removes the others');

# Nothing is removed where no item is valid in the end.
sql('DELETE FROM batchless_clients');
($early, $ends) = behind_another([{id => 'a', name => 'Anna'}], overwrite('client', [{id => 'b', notes => 'no name'}]));
is($ends->[0]{status}, 'failed', 'an overwrite without a valid item fails');
like($ends->[0]{reason}, qr/none of the 1 items is valid, nothing was removed/, 'and says so');
is(clients(), 'a=Anna,,', 'all rows are there');
is_quiet('judging again');

unconfigure();
server_stop();
ok(server_start(), 'the server as it was');

# ---- The records API -----------------------------------------------------------------------------

restore();
my @ids = record_ids(60);
sql("UPDATE records SET status = 'old' WHERE id IN ('" . join("', '", @ids) . "')");
my ($hydrants) = HYDRANTS();
my @held = map { $_->{id} } rows("SELECT id FROM records WHERE form_id = '$hydrants' ORDER BY id LIMIT 30");
on_table('records', sub { slow_trigger('UPDATE', 250) });
my $hold = create(operation(action => 'update', form_id => $hydrants, data => {status => 'held'}, ids => \@held));
my $first = create(update_ids({status => 'new'}, @ids[0 .. 19]));
my $by_query = create(operation(query => "_status = 'old'"));
my $by_id = create(delete_ids(@ids[0 .. 4]));
is(value("SELECT count(*) FROM batch_jobs WHERE status = 'queued'"), 3, 'three batches stand behind another');
let_go();
is($by_query->{objects_total}, 60, 'a query selects when the batch starts');
my $end = finished($by_query);
drop_triggers();
is(finished($first)->{status}, 'success', 'an update of some of its rows came before');
is_batch_counts($end, ['success', 60, 40, 20], 'what was changed by then has failed');
my $errors = request('GET', "/batch/$end->{id}/errors.json")->json;
is(scalar(grep { $_->{code} eq 'changed_since' } @$errors), 20, 'and is listed');
is_batch_counts(finished($by_id), ['success', 5, 5, 0], 'ids are those that were sent');
is(value("SELECT count(*) FROM records WHERE status = 'old'"), 0, 'the others are deleted');
is(value("SELECT count(*) FROM records WHERE status = 'new'"), 15, 'what was changed is there but for those');

finish();
