# What an administrator limits: how long a batch may take, how long it is kept, and how many run at
# once, whatever the number of processes.
#
# needs: processes; takes: long
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(100);

sub with_directives
{
    configure(@_);
    server_stop();
    ok(server_start(), "httpd starts with @_");
    return;
}

# ---- BatchWorkers --------------------------------------------------------------------------------

# Under prefork each child has threads that could work, and there are six children at least.
with_directives('BatchWorkers 2');
slow_trigger('UPDATE', 60);
count_trigger('UPDATE');
# Of two organizations: batches of the same rows come one after the other.
my ($form) = map { $_->{id} } rows("SELECT id FROM forms WHERE organization_id = 'globex'");
my @hers = map { $_->{id} } rows("SELECT id FROM records WHERE form_id = '$form' ORDER BY id LIMIT 40");
my @batches = map {
    my @part = (10 * $_ .. 10 * $_ + 9);
    [create(update_ids({status => "batch $_"}, @ids[@part])), 'alice'],
        [create({%{update_ids({status => "batch $_"}, @hers[@part])}, form_id => $form}, as => 'carol'), 'carol']
} 0 .. 3;
my %at_once;
my %children = map { $_ => 1 } server_children();
wait_for(
    'all batches to end',
    sub {
        my ($row)
            = rows("SELECT count(CASE WHEN owner_host IS NOT NULL THEN 1 END) AS working,"
                . " count(CASE WHEN status = 'completed' THEN 1 END) AS ended FROM batch_jobs");
        $at_once{$row->{working}} = 1;
        return $row->{ended} == @batches;
    }
);
my ($most) = sort { $b <=> $a } keys %at_once;
is($most, 2, scalar(keys %children) . ' processes with BatchWorkers 2: two batches run at once, never more');
is_batch_counts(batch($_->[0], as => $_->[1]), ['success', 10, 10, 0], 'each of them ends') for @batches;
is_deeply(applied(), {touched => 80, ids => 80, most => 1}, 'and each item is applied once');

# ---- BatchTimeout --------------------------------------------------------------------------------

restore();
# Long enough for the first rows on a busy machine, and too short for all on a quick one.
with_directives('BatchTimeout 2s');
slow_trigger('UPDATE', 100);
count_trigger('UPDATE');
my $batch = finished(create(update_ids({status => 'late'}, @ids)));
my $done = $batch->{objects_success};
is($batch->{status}, 'failed', 'BatchTimeout 2s: a batch that takes longer fails');
like($batch->{reason}, qr/took longer than 2 s: $done of 100 objects/, 'and says why');
ok($done > 0 && $done < 100, "what was committed until then is counted: $done");
is($batch->{objects_failed}, 0, 'what was not reached has not failed');
is_deeply(applied(), {touched => $done, ids => $done, most => 1}, 'and stays, each item once');
is(value("SELECT count(*) FROM records WHERE status = 'late'"), $done, 'in its rows');
is(value("SELECT status FROM batch_jobs"), 'timed_out', 'it has timed out');
is(value('SELECT count(*) FROM batch_items'), 0, 'and its items are not kept');

# The same in the words of the resources API. An overwrite that has not come to its cleanup removes nothing.
foreach my $make (\&merge, \&overwrite) {
    restore();
    my $others = table_hash('contacts');
    on_table('contacts', sub { slow_trigger('INSERT', 100); count_trigger('INSERT') });
    my $late = run_batch($make->('contact', [contact_items(100)]));
    my $action = $late->{action};
    $done = $late->{stats}{created};
    is_result($late, 'timed_out', {created => $done}, "$action: a batch that takes longer has timed out");
    like($late->{reason}, qr/took longer than 2 s: $done of 100/, "$action: and says why");
    ok($done > 0 && $done < 100, "$action: what was committed until then is counted: $done");
    is_deeply(applied(), {touched => $done, ids => $done, most => 1}, "$action: and stays, each item once");
    is(scalar(contacts("notes = 'made'")), $done, "$action: in its rows");
    is(table_hash('contacts', "notes IS NULL OR notes <> 'made'"), $others, "$action: no other row was touched");
    my ($phase) = grep { $_->{name} eq 'processing' } @{$late->{phases}};
    is_deeply([@$phase{qw(status total processed success error)}], ['failed', 100, $done, $done, 0], "$action: its phase says how far it came");
    ok($late->{completed_at} - $late->{started_at} >= 2, "$action: it has ended");
    is_refused(cancel($late), 409, 'conflict', "$action: it is final");
    is_deeply([map { $_->{id} } @{request('GET', '/batches?status=timed_out')->json->{data}}], [$late->{id}], "$action: a list has it");
    drop_triggers();
}

# ---- BatchRetention ------------------------------------------------------------------------------

restore();
with_directives('BatchRetention 30d');
my $old = finished(create(delete_ids(unknown_ids(3))));
my $young = finished(create(delete_ids(unknown_ids(2))));
my $waiting = pending(delete_ids(unknown_ids(1)));
sql("UPDATE batch_jobs SET completed_at = completed_at - 31 * 86400000000 WHERE id = '$old->{id}'",
    "UPDATE batch_jobs SET created_at = created_at - 31 * 86400000000 WHERE id = '$waiting->{id}'");
# A node looks when it starts, and every minute from then on.
server_stop();
ok(server_start(), 'httpd starts 31 days later');
wait_for('the old batch to be removed', sub { request('GET', "/batch/$old->{id}")->status == 404 });
is(request('GET', "/batch/$old->{id}/errors.json")->status, 404, 'its errors are gone with it');
is(batch($young)->{objects_failed}, 2, 'a younger one is there');
is(scalar @{request('GET', "/batch/$young->{id}/errors.json")->json}, 2, 'with its errors');
is(batch($waiting)->{status}, 'pending', 'so is one that has never been started, whatever its age');
is(value('SELECT count(*) FROM batch_errors'), 2, 'nothing else of the old one is kept');

unconfigure();
server_stop();
ok(server_start(), 'back to what it was');
finish();
