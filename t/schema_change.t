# Prepared statements survive a table, column, index or trigger that the administrator adds while
# the server runs.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(400);
my $next = 0;

# All that has a statement of its own, on several connections of every process.
sub works
{
    my ($name) = @_;
    my @some = @ids[$next .. $next + 15];
    $next += 16;
    my @answers = parallel(
        [
            map {
                request_text(
                    'POST', '/batch',
                    json => {
                        batch => {
                            operations => [
                                $_ % 2
                                ? delete_ids(@some[2 * $_, 2 * $_ + 1])
                                : update_ids({status => "s$next"}, @some[2 * $_, 2 * $_ + 1])
                            ]
                        }
                    }
                )
            } 0 .. 7
        ]
    );
    is(join(' ', map { $_->status } @answers), '202 202 202 202 202 202 202 202', "$name: creates");
    my @ends = map { $_->status == 202 ? finished($_->json->{batch}) : () } @answers;
    is(
        join(' ', map {"$_->{status}/$_->{objects_success}/$_->{objects_failed}"} @ends),
        join(' ', ('success/2/0') x 8),
        "$name: runs"
    );
    @answers = parallel(
        [
            map { request_text('GET', $_) }
                ('/batch', "/batch/$ends[0]{id}", "/batch/$ends[0]{id}/errors.json") x 4
        ]
    );
    ok(!(grep { $_->status != 200 } @answers), "$name: reads");
    my $batch = pending([]);
    is(
        request(
            'POST', "/batch/$batch->{id}/operations", json => {operations => [delete_ids('x')]}
        )->status,
        200,
        "$name: operations"
    );
    is(request('DELETE', "/batch/$batch->{id}")->status, 200, "$name: removal");
    resources_work($name);
    return;
}

# The same of the resources API: each statement that finds, makes, changes and removes rows.
sub resources_work
{
    my ($name) = @_;
    my @request;
    foreach my $number (0 .. 7) {
        my @items = ({tracking_number => "R$number", carrier => $name}, {tracking_number => "$name $number", carrier => $name});
        push @request, {%{merge('tracker', \@items)}, mode => $number % 2 ? 'sync' : 'mixed'};
    }
    my @answers = parallel([map { request_text('POST', '/batches', json => $_) } @request]);
    is(join(' ', map { $_->status } @answers), join(' ', ('202 201') x 4), "$name: batches of the resources API");
    my @ends = map { $_->json->{data} ? resource_final($_->json->{data}) : () } @answers;
    is(
        join(' ', map { "$_->{status}/" . ($_->{stats}{created} + $_->{stats}{updated}) } @ends),
        join(' ', ('completed/2') x 8),
        "$name: they run"
    );
    is(value("SELECT count(*) FROM trackers WHERE carrier = '$name'"), 16, "$name: all their rows are there");
    my ($row) = rows("SELECT id FROM trackers WHERE tracking_number = '$name 0'");
    is_result(synchronous(removal('contact', [{id => $row->{id}}]))->json->{data}, 'failed', {errors => 1}, "$name: an id of another table");
    my $made = synchronous(merge('group', [{name => $name, resource => 'contact'}]))->json->{data};
    is_result($made, 'completed', {created => 1}, "$name: a group");
    ($row) = rows("SELECT id FROM groups WHERE name = '$name'");
    is_result(run_batch(removal('group', [{id => $row->{id}}])), 'completed', {deleted => 1}, "$name: which is removed");
    my $all = value("SELECT count(*) FROM groups WHERE organization_id = 'acme'");
    my $end = run_batch(overwrite('group', [{name => $name, resource => 'location'}]));
    is_result($end, 'completed', {created => 1, overwritten => $all}, "$name: an overwrite");
    is(value("SELECT count(*) FROM groups WHERE organization_id = 'acme'"), 1, "$name: and its cleanup");
    return;
}

works('before');
sql('CREATE TABLE test_new (a TEXT)');
works('a table was added');
sql('ALTER TABLE records ADD COLUMN altitude REAL');
works('a column was added to records');
sql('CREATE INDEX test_index ON records (status)');
works('an index was added');
sql('CREATE VIEW test_view AS SELECT id FROM records');
works('a view was added');
count_trigger('DELETE');
works('a trigger was added');
is(applied()->{touched}, 8, 'the trigger runs');
sql('DROP VIEW test_view', 'DROP INDEX test_index', 'DROP TABLE test_new');
works('they are taken away');
sql('ALTER TABLE trackers ADD COLUMN weight REAL', "ALTER TABLE groups ADD COLUMN rank INTEGER DEFAULT 5");
works('columns were added to trackers and groups');
sql('CREATE UNIQUE INDEX test_unique ON trackers (organization_id, tracking_number, carrier)', 'CREATE INDEX test_named ON groups (name)');
works('indexes were added to them');
on_table('trackers', sub { count_trigger($_) for qw(INSERT UPDATE) });
works('triggers were added to them');
is(value("SELECT count(*) FROM test_applied WHERE event <> 'DELETE'"), 16, 'which run');
drop_triggers();
sql('DROP INDEX test_unique', 'DROP INDEX test_named', 'ALTER TABLE trackers DROP COLUMN weight', 'ALTER TABLE groups DROP COLUMN rank');
works('all that is taken away');
sql('ALTER TABLE records DROP COLUMN altitude');
works('the column is, too');

if (driver() ne 'pgsql') {
    sql('VACUUM');
    works('VACUUM');
    sql('ANALYZE');
    works('ANALYZE');
    sql('DROP TABLE sqlite_stat1');
}

# While a batch runs.
restore();
slow_trigger('UPDATE');
count_trigger('UPDATE');
my $batch = create(update_ids({status => 'while'}, @ids[0 .. 199]));
foreach my $number (1 .. 8) {
    my $now = wait_for(
        'progress',
        sub {
            my $now = batch($batch);
            $now->{status} ne 'running' || $now->{objects_success} > $number ? $now : undef;
        }
    );
    last if $now->{status} ne 'running';
    sql("CREATE TABLE test_while_$number (a TEXT)");
    pass("a table was added while it ran, at $now->{objects_success}");
}
let_go();
is_batch_counts(finished($batch), ['success', 200, 200, 0], 'the batch runs to its end');
is_deeply(applied(), {touched => 200, ids => 200, most => 1}, 'and applies each item once');
drop_triggers();

finish();
