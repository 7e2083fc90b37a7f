# What does not fit the database takes nothing else with it: a resource whose table or column is not
# there is out of service, alone, until it fits; its batches wait, and httpd and all else go on.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

my @ids = record_ids(20);
my $httpd = server_pid();

# At a start as well as while the server runs.
tolerate_log(
    qr/MB0205: out of service until it fits the database: \S+:\d+: <BatchResource (?:tracker|record)>:/,
    qr/MB0111: \S+:\d+: <BatchResource (?:tracker|record)> is out of service/
);

# 503 with Retry-After, and not a word of tables and columns.
sub is_out
{
    my ($answer, $name, $status) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($answer->status, 503, "$name: 503") or diag($answer->body);
    like($answer->header('Retry-After') // '', qr/^[1-9]\d*$/, "$name: with Retry-After");
    unlike($answer->body, qr/carrier|tracking_number|form_values|records|trackers/, "$name: names no column and no table");
    return;
}

# Every way in which a batch of trackers comes in.
sub trackers_are_out
{
    my ($name) = @_;
    my @items = ({tracking_number => 'T1', carrier => 'c'});
    is_out(synchronous(merge('tracker', \@items)), "$name: sync");
    is_out(synchronous(merge('tracker', \@items, atomic => FALSE)), "$name: sync, not atomic");
    is_out(post_batches(merge('tracker', \@items)), "$name: mixed");
    my $files = '/batches?resource=tracker&action=merge';
    is_out(request('POST', "$files&mode=sync", type => 'text/csv', body => "tracking_number\nT1\n"), "$name: CSV");
    is_out(request('POST', $files, type => 'application/x-ndjson', body => qq({"tracking_number":"T1"}\n)), "$name: NDJSON");
    is_out(request('POST', $files, type => 'application/json', body => '[{"tracking_number":"T1"}]'), "$name: an array");
    is_out(
        request(
            'POST', $files,
            type => 'multipart/form-data; boundary=x',
            body => qq(--x\r\nContent-Disposition: form-data; name="file"; filename="t.csv"\r\n\r\ntracking_number\nT1\n\r\n--x--\r\n)
        ),
        "$name: multipart"
    );
    is_out(post_batches(merge('tracker', undef)), "$name: one that would wait for its upload");
    return;
}

sub contacts_work
{
    my ($name) = @_;
    is(request('GET', '/index.html', as => undef)->status, 200, "$name: httpd serves");
    is_result(run_batch(merge('contact', [{name => $name}])), 'completed', {created => 1}, "$name: another resource works");
    is_batch_counts(finished(create(update_ids({status => $name}, $ids[0]))), ['success', 1, 1, 0], "$name: so does the other API");
    return;
}

sub trackers_work
{
    my ($name) = @_;
    wait_for("trackers to be in service ($name)", sub { synchronous(merge('tracker', [{tracking_number => $name}]))->status == 201 });
    is_result(run_batch(merge('tracker', [{tracking_number => "$name, mixed"}])), 'completed', {created => 1}, "$name: trackers work again");
    return;
}

# ---- At a graceful restart, and at a start -------------------------------------------------------

my $waits = requested(merge('tracker', undef));
sql('ALTER TABLE trackers RENAME COLUMN carrier TO haulier');
server_graceful();
is(server_pid(), $httpd, 'a graceful restart after a column was renamed: httpd is still there');
expect_log(qr/:crit\].*MB0205: out of service until it fits the database: \S+batch-resources\.conf:\d+: <BatchResource tracker>: BatchColumn: table "trackers" has no column "carrier"/);
trackers_are_out('renamed column');
is_out(upload($waits, type => 'text/csv', body => "tracking_number\nT1\n"), 'renamed column: an upload');
is(resource_batch($waits)->{status}, 'requested', 'its batch goes on waiting for it');
is(request('GET', '/batches')->status, 200, 'lists are served');
contacts_work('renamed column');
is(value("SELECT count(*) FROM trackers WHERE tracking_number LIKE 'T%'"), 0, 'nothing was stored of what was refused');
server_stop();
ok(server_start(), 'httpd starts with it, too');
trackers_are_out('after a start');
contacts_work('after a start');
sql('ALTER TABLE trackers RENAME COLUMN haulier TO carrier');
trackers_work('column is back');
expect_log(qr/:notice\].*MB0112: <BatchResource tracker> fits the database again/);
is(upload($waits, type => 'text/csv', body => "tracking_number\nT1\n")->status, 202, 'the upload is taken now');
is_result(resource_final($waits), 'completed', {created => 1}, 'and its batch runs');

# ---- While the server runs -----------------------------------------------------------------------

sql('ALTER TABLE trackers RENAME TO trackers_gone');
trackers_are_out('renamed table');
contacts_work('renamed table');
sql('ALTER TABLE trackers_gone RENAME TO trackers');
trackers_work('table is back');

# The records API: by ids, by query, each request that needs the table.
my $by_query = pending(operation(query => "_status = 'good'"));
my $by_ids = pending(delete_ids($ids[1]));
sql('ALTER TABLE records RENAME COLUMN form_values TO answers');
is_out(post_batch(operation(query => 'color IS NOT NULL')), 'records: a query');
is_out(post_batch(operation(query => "_status = 'x'")), 'records: another, out of service by now');
is_out(post_batch(delete_ids($ids[1])), 'records: ids');
is_out(post_batch(update_ids({status => 'x'}, $ids[1])), 'records: an update');
is_out(start($by_query), 'records: the start of a query');
is_out(start($by_ids), 'records: the start of ids');
is(request('GET', "/batch/$by_ids->{id}")->status, 200, 'records: a look');
is(batch($by_ids)->{status}, 'pending', 'records: what was not started is pending');
is_result(run_batch(merge('contact', [{name => 'beside records'}])), 'completed', {created => 1}, 'contacts work meanwhile');
is(request('DELETE', '/batch/' . $by_query->{id})->status, 200, 'records: a removal needs no table of records');
sql('ALTER TABLE records RENAME COLUMN answers TO form_values');
wait_for('records to be in service', sub { start($by_ids)->status == 202 });
is_batch_counts(finished($by_ids), ['success', 1, 1, 0], 'records: it runs when the column is back');

# ---- Batches wait --------------------------------------------------------------------------------

# One runs, and the others stand behind it, when the table goes.
restore();
on_table('trackers', sub { slow_trigger('INSERT', 100); count_trigger('INSERT') });
my @running = map {
    my $number = $_;
    accepted(merge('tracker', [map { {tracking_number => "W$number $_", carrier => "c"} } 1 .. 40]))
} 1 .. 3;
wait_for('a chunk', sub { value("SELECT count(*) FROM trackers WHERE tracking_number LIKE 'W%'") > 0 });
on_table('trackers', sub { sql_at_once('ALTER TABLE trackers RENAME COLUMN carrier TO haulier') });
expect_log(qr/:crit\].*MB0111: \S+:\d+: <BatchResource tracker> is out of service \(merge\)/);
wait_for('it to be noticed', sub { log_text(0) =~ /MB0111: \S+ <BatchResource tracker> is out of service \(merge\)[^\n]*"carrier"/ });
contacts_work('while trackers wait');
my @now = map { resource_batch($_) } @running;
# The first may have ended before.
ok(!(grep { $_->{status} !~ /^(?:queued|processing)$/ } @now[1, 2]), 'its batches wait: ' . join ' ', map { $_->{status} } @now);
is((grep { $_->{stats}{errors} } @now), 0, 'no item is blamed for it');
on_table('trackers', sub { sql_at_once('ALTER TABLE trackers RENAME COLUMN haulier TO carrier') });
let_go();
is_result(resource_final($_), 'completed', {created => 40}, 'and goes on by itself when it fits again') for @running;
is_deeply(applied(), {touched => 120, ids => 120, most => 1}, 'each item once');
drop_triggers();

finish();
