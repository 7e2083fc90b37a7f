# The database cannot serve: 503 with Retry-After, nothing half done, and all is well when it is
# back.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(200);

sub is_unavailable
{
    my ($answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_error($answer, 503, $name);
    like($answer->header('Retry-After') // '', qr/^[1-9]\d*$/,
        "$name: with Retry-After in seconds");
    return;
}

tolerate_log(qr/MB\d{4}: /);

# ---- Locked by another process -------------------------------------------------------------------

my $pending = pending(delete_ids(@ids[0 .. 1]));
my $final = finished(create(delete_ids(unknown_ids(1))));
my $count = value('SELECT count(*) FROM batch_jobs');
my $records = table_hash('records');
if (driver() ne 'pgsql') {
    hold_lock();
    my @answers = parallel(
        [
            request_text(
                'POST', '/batch', json => {batch => {operations => [delete_ids($ids[2])]}}
            ),
            request_text('POST', '/batch', json => {batch => {start => JSON::PP::false}}),
            request_text('POST', "/batch/$pending->{id}/start"),
            request_text(
                'POST', "/batch/$pending->{id}/operations",
                json => {operations => [delete_ids('x')]}
            ),
            request_text('DELETE', "/batch/$final->{id}"),
            request_text('GET', "/batch/$final->{id}"),
            request_text('GET', '/batch'),
        ]
    );
    my @names = ('a create', 'a create that waits', 'a start', 'operations', 'a removal');
    is_unavailable($answers[$_], "locked: $names[$_]") for 0 .. 4;
    is($answers[$_]->status, 200, 'locked: reading goes on') for 5, 6;
    release_locks();
    is(value('SELECT count(*) FROM batch_jobs'), $count, 'what was answered 503 has not happened');
    is_batch_counts(batch($pending), ['pending', 2, 0, 0], 'nor started');
    is(table_hash('records'), $records, 'nor deleted');
    is(start($pending)->status, 202, 'when the lock is gone, all is well');
    is_batch_counts(finished($pending), ['success', 2, 2, 0], 'at once');
}

# A batch that runs meets a lock: it waits, and goes on when the lock is gone.
restore();
slow_trigger('UPDATE', 80);
count_trigger('UPDATE');
my $batch = create(update_ids({status => 'waited'}, @ids));
wait_for('progress', sub { batch($batch)->{objects_success} > 0 });
hold_lock();
my $at = batch($batch);
is($at->{status}, 'running', 'a running batch meets a lock') or diag('it has ended before');
is(batch($batch)->{objects_success}, $at->{objects_success}, 'it stands still') for 1 .. 10;
release_locks();
let_go();
is_batch_counts(
    finished($batch),
    ['success', 200, 200, 0],
    'and goes on to its end when the lock is gone'
);
is_deeply(applied(), {touched => 200, ids => 200, most => 1}, 'each item once');

# ---- Not to be opened ----------------------------------------------------------------------------

if (driver() ne 'pgsql') {
    restore();
    $batch = pending(delete_ids(@ids[0 .. 1]));
    my $file = database_file();
    server_stop();
    chmod 0000, $file or die "chmod: $!\n";
    ok(server_start(), 'httpd starts with a database that it cannot open');
    expect_log(qr/MB0101: .*: unable to open database file.* \(file \Q$file\E, which this user may not read and write; user \w+\)/);
    is_unavailable(request('GET', '/batch'), 'unreadable: the list');
    is_unavailable(request('GET', "/batch/$batch->{id}"), 'unreadable: a batch');
    is_unavailable(request('GET', "/batch/$batch->{id}/errors.csv"), 'unreadable: its errors');
    is_unavailable(post_batch(delete_ids($ids[0])), 'unreadable: a create');
    is_unavailable(start($batch), 'unreadable: a start');
    is_unavailable(request('DELETE', "/batch/$batch->{id}"), 'unreadable: a removal');
    is_error(request('GET', '/batch', as => undef), 401, 'unreadable: who is asking comes first');
    is_error(request('POST', '/batch', body => '{'),
        400, 'unreadable: what is wrong anyway is wrong');
    is(request('GET', '/index.html', as => undef)->status, 200,
        'unreadable: other URLs are served');
    chmod 0644, $file or die "chmod: $!\n";
    wait_for('the database to be served again', sub { request('GET', '/batch')->status == 200 });
    pass('when it can be opened, it is served without a restart');
    is(start($batch)->status, 202, 'and its batches start');
    is_batch_counts(finished($batch), ['success', 2, 2, 0], 'and run');

    # Readable, but not writable.
    restore();
    $batch = pending(delete_ids(@ids[0 .. 1]));
    server_stop();
    run_sql('PRAGMA wal_checkpoint(TRUNCATE);');
    chmod 0444, $file or die "chmod: $!\n";
    ok(server_start(), 'httpd starts with a database that it cannot write');
    expect_log(qr/MB010[15]: .*readonly database \(file \Q$file\E, which this user may not read and write; user \w+\)/);
    is_unavailable(post_batch(delete_ids($ids[0])), 'read-only: a create');
    is_unavailable(start($batch), 'read-only: a start');
    # SQLite makes its log with the mode of the database.
    chmod 0644, $file, "$file-wal", "$file-shm";
    wait_for('the database to be written again', sub { start($batch)->status == 202 });
    is_batch_counts(
        finished($batch),
        ['success', 2, 2, 0],
        'when it can be written, its batches run'
    );
}

finish();
