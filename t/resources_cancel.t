# POST /batches/ID/cancel: a batch ends at the next edge of a chunk; what was committed stays and is
# counted, what was not is not applied, then or later.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $none = '00000000-0000-4000-8000-000000000000';

# How far a batch has come: items that are behind it.
sub processed
{
    my ($batch) = @_;
    my ($phase) = grep { $_->{name} eq 'processing' } @{$batch->{phases}};
    return $phase->{processed};
}

# ---- Running -------------------------------------------------------------------------------------

foreach my $by (['alice', 'Alice Archer'], ['bob', 'Bob Baker']) {
    my ($as, $name) = @$by;
    my $log = log_size();
    restore();
    on_table('contacts', sub { slow_trigger('INSERT'); count_trigger('INSERT') });
    my $batch = accepted(merge('contact', [contact_items(600)]));
    my $now = wait_for('some progress', sub { my $b = resource_batch($batch); processed($b) ? $b : undef });
    my $answer = cancel($batch, as => $as);
    is_envelope($answer, 200, undef, "$as: cancel", "POST /batches/$batch->{id}/cancel");
    my $end = resource_final($batch);
    is($end->{status}, 'failed', "$as: it is failed");
    is($end->{reason}, "cancelled by $name", "$as: and says by whom");
    is($end->{updated_by}, $name, "$as: as updated_by does");
    like($end->{completed_at}, qr/^\d{10}$/, "$as: it is complete");
    my $done = $end->{stats}{created};
    cmp_ok($done, '>=', processed($now), "$as: what was committed is counted ($done)");
    cmp_ok($done, '<', 600, "$as: and it is not all");
    # The one that worked on it finds out, and others can go on. Nobody has taken it over.
    wait_for("the log to say so", sub { log_text($log) =~ /MB0422: \[batch $batch->{id} failed\] the batch was ended while it ran: cancelled by $name/ });
    unlike(log_text($log), qr/MB0407/, "$as: it is not taken over by another worker");
    drop_triggers() if driver() eq 'pgsql';
    is_result(run_batch(merge('shipment', [{tracking_number => 'next'}])), 'completed', {created => 1},
        "$as: the next batch runs");
    is(value("SELECT count(*) FROM contacts WHERE notes = 'made'"), $done, "$as: the rows are those that are counted");
    is_deeply(resource_batch($batch), $end, "$as: nothing changes it any more");
    my ($processing) = grep { $_->{name} eq 'processing' } @{$end->{phases}};
    is_deeply([@$processing{qw(status total processed success)}], ['failed', 600, $done, $done], "$as: its phase says so");
    is_refused(cancel($batch), 409, 'conflict', "$as: once more");
    is_deeply(resource_batch($batch), $end, "$as: changes nothing");
}

# ---- An overwrite: its cleanup must not run ------------------------------------------------------

restore();
my $before = table_hash('contacts', "notes IS NULL OR notes <> 'made'");
on_table('contacts', sub { slow_trigger('INSERT') });
my $batch = accepted(overwrite('contact', [contact_items(600)]));
wait_for('some progress', sub { processed(resource_batch($batch)) });
is_refused(cancel($batch, as => 'bob'), 403, 'forbidden', 'bob may not overwrite, nor cancel one');
is_refused(cancel($batch, as => 'carol'), 404, 'not_found', 'carol does not see it');
unlike(resource_batch($batch)->{status}, qr/failed/, 'it goes on');
is(cancel($batch)->status, 200, 'alice may');
my $end = resource_final($batch);
is($end->{stats}{overwritten}, 0, 'the cleanup has not run');
run_batch(merge('shipment', [{tracking_number => 'behind'}]));
is(table_hash('contacts', "notes IS NULL OR notes <> 'made'"), $before, 'what the batch did not name is there');
is(value("SELECT count(*) FROM contacts WHERE notes = 'made'"), $end->{stats}{created}, 'counts are exact');

# In the midst of its cleanup.
restore();
is_result(run_batch(merge('contact', [contact_items(500)])), 'completed', {created => 500}, 'rows to be removed');
on_table('contacts', sub { slow_trigger('DELETE') });
$batch = accepted(overwrite('contact', [{id => $dana, phone => 'named'}]));
wait_for('some of the cleanup', sub { resource_batch($batch)->{stats}{overwritten} });
is(cancel($batch)->status, 200, 'cancel within the cleanup');
$end = resource_final($batch);
is($end->{status}, 'failed', 'it is failed');
my $removed = $end->{stats}{overwritten};
cmp_ok($removed, '<', 503, "not all were removed ($removed)");
run_batch(merge('shipment', [{tracking_number => 'cleaned'}]));
is(value("SELECT count(*) FROM contacts WHERE organization_id = 'acme'"), 504 - $removed, 'the count is exact');
is(value("SELECT count(*) FROM contacts WHERE id = '$dana' AND phone = 'named'"), 1, 'what it named is there');
drop_triggers();

# ---- Waiting -------------------------------------------------------------------------------------

restore();
$before = table_hash('contacts');
configure('BatchWorkers 0');
server_stop();
ok(server_start(), 'a server without workers');
$batch = accepted(overwrite('contact', [{name => 'never'}]));
my $kept = accepted(merge('contact', [{name => 'kept'}]));
is(resource_batch($batch)->{status}, 'queued', 'a batch waits');
my $answer = cancel($batch);
is_envelope($answer, 200, undef, 'cancel of one that waits');
is_deeply([@{$answer->json->{data}}{qw(status reason)}], ['failed', 'cancelled by Alice Archer'], 'ends it at once');
is_refused(cancel($batch), 409, 'conflict', 'once more');
unconfigure();
server_stop();
ok(server_start(), 'a server with workers');
is_result(resource_final($kept), 'completed', {created => 1}, 'the other one runs');
is(resource_batch($batch)->{status}, 'failed', 'the cancelled one does not');
is(table_hash('contacts', "name <> 'kept'"), $before, 'and has changed nothing');

# ---- Final ones, and none ------------------------------------------------------------------------

is_refused(cancel($kept), 409, 'conflict', 'cancel of a completed one');
is(resource_batch($kept)->{status}, 'completed', 'leaves it so');
my $failed = synchronous(merge('contact', [{name => 5}]))->json->{data};
is_refused(cancel($failed), 409, 'conflict', 'cancel of a failed one');
isnt(resource_batch($failed)->{reason}, 'cancelled by Alice Archer', 'leaves its reason');
is_refused(cancel($none), 404, 'not_found', 'cancel of none');
is_refused(cancel($kept, as => 'carol'), 404, 'not_found', "cancel of another organization's");
is_refused(cancel($kept, as => undef), 401, 'unauthorized', 'cancel by nobody');
foreach my $option ([body => '{}'], [body => '', type => 'text/plain'], [body => 'x' x 100, type => 'text/csv']) {
    is_refused(cancel($kept, @$option), 409, 'conflict', 'whatever its body is');
}

# Many at once: one of them ends it.
restore();
on_table('contacts', sub { slow_trigger('INSERT') });
$batch = accepted(merge('contact', [contact_items(400)]));
my @answers = parallel([map { request_text('POST', "/batches/$batch->{id}/cancel") } 1 .. 6]);
is(join(' ', sort map { $_->status } @answers), '200 409 409 409 409 409', 'six cancel at once');
$end = resource_final($batch);
run_batch(merge('shipment', [{tracking_number => 'after six'}]));
is(value("SELECT count(*) FROM contacts WHERE notes = 'made'"), $end->{stats}{created}, 'counts are exact');

# A cancel at any moment: the counts are exact, whoever wins.
foreach my $round (1 .. 12) {
    restore();
    $batch = accepted(merge('contact', [contact_items(30 * $round)]));
    resource_batch($batch) for 1 .. $round % 4;
    my $status = cancel($batch)->status;
    $end = resource_final($batch);
    run_batch(merge('shipment', [{tracking_number => "round $round"}]));
    my $rows = value("SELECT count(*) FROM contacts WHERE notes = 'made'");
    is("$status $end->{status} $end->{stats}{created}",
        $status == 200 ? "200 failed $rows" : '409 completed ' . 30 * $round, "round $round: at some moment");
}

finish();
