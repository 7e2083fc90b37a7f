# Prepared statements survive a table, column, index or trigger that the administrator adds while
# the server runs.
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
is_batch_counts(finished($batch), ['success', 200, 200, 0], 'the batch runs to its end');
is_deeply(applied(), {touched => 200, ids => 200, most => 1}, 'and applies each item once');
drop_triggers();

finish();
