# A database whose tables are of an earlier version, with batches of both APIs under way in it: it is
# brought to this one, and each of them goes on to its right end.
#
# t/earlier has what httpd with version 2 of the tables had left when it was killed. In the order of
# their numbers: 1 and 2 are complete; 3 waits for its start; 4 is being processed, in the middle of
# its rows; 5 is an overwrite in the middle of its cleanup; 6 and 7 are queued behind these; 8, 9 and
# 10 wait for their uploads, of which that of 9 was under way; 11 is a request that stood in line, 12
# one whose items were being stored.
#
# needs: processes
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

# Somebody else makes the tables of the module old while it serves.
tolerate_log(qr/MB010[1568]: /);

my @their_tables = qw(earlier_records earlier_forms earlier_contacts earlier_tags);
my @tables = qw(batch_jobs batch_items batch_errors batch_kept batch_leftovers batch_secrets batch_schema);
push @tables, qw(batch_counts batch_last) if driver() eq 'sqlite3';

END {
    eval { sql(map {"DROP TABLE IF EXISTS $_"} @their_tables) };
    eval { sql('DROP FUNCTION IF EXISTS earlier_note() CASCADE') if driver() eq 'pgsql' };
}

my $text = do {
    my $path = var('serverroot') . '/earlier/version-2-' . driver() . '.sql';
    open my $file, '<', $path or die "$path: $!\n";
    local $/;
    <$file>;
};

# Puts the tables of version 2 in place of those that are there, in one transaction. They are as old as
# if httpd had been killed a minute ago, on a machine that nobody knows; all leases have run out, what
# was being received is a day older, and the time of batch 10 is over.
sub go_back
{
    my @times = qw(created_at updated_at queued_at started_at completed_at parsed_at validated_at
        processed_at lease_until expires_at upload_began_at);
    # Of whole seconds, as the times of URLs are.
    my $shift = (time - 60) . '000000 - (SELECT max(updated_at) / 1000000 * 1000000 FROM batch_jobs)';
    run_sql(
        join "\n", 'BEGIN;', (map {"DROP TABLE IF EXISTS $_;"} @tables, @their_tables), $text,
        'UPDATE batch_jobs SET ' . join(', ', map {"$_ = CASE WHEN $_ = 0 THEN 0 ELSE $_ + ($shift) END"} @times) . ';',
        "UPDATE batch_jobs SET owner_host = 'another' WHERE owner_host IS NOT NULL;",
        'UPDATE batch_jobs SET lease_until = lease_until - 3600000000 WHERE lease_until > 0;',
        "UPDATE batch_jobs SET created_at = created_at - 90000000000 WHERE api = 'none';",
        'UPDATE batch_jobs SET expires_at = expires_at - 86400000000 WHERE seq = 10;', 'COMMIT;'
    );
    return;
}

sub columns_of
{
    my ($table) = @_;
    return map { $_->{name} } rows(
        driver() eq 'pgsql'
        ? "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '$table'"
        : "SELECT name FROM pragma_table_info('$table')"
    );
}

sub indexes
{
    return map { $_->{name} } rows(
        driver() eq 'pgsql'
        ? "SELECT indexname AS name FROM pg_indexes WHERE tablename = 'batch_jobs' AND schemaname = current_schema()"
        : "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'batch_jobs'"
    );
}

my %total = (batch => 4, batches => 6);

# What a list says of its length. The names differ.
sub totals
{
    my $records = request('GET', '/batch')->json;
    my $resources = request('GET', '/batches')->json;
    return {batch => $records->{total_count}, batches => $resources->{pagination}{total_count}};
}

configure(
    '<BatchResource earlier_record>', 'BatchTable earlier_records', 'BatchKey id client', 'BatchScope organization_id',
    'BatchForm form_id earlier_forms scope=organization_id', 'BatchColumn status text max=100', 'BatchActions delete update',
    '</BatchResource>',
    '<BatchResource earlier_contact>', 'BatchTable earlier_contacts', 'BatchKey id generated', 'BatchScope organization_id',
    'BatchMatch name', 'BatchColumn name text required', 'BatchColumn notes text', 'BatchActions merge overwrite delete',
    '</BatchResource>',
    '<BatchResource earlier_tag>', 'BatchTable earlier_tags', 'BatchKey id generated', 'BatchScope organization_id',
    'BatchColumn name text required', 'BatchActions merge overwrite delete', '</BatchResource>'
);

# ---- While nobody serves -------------------------------------------------------------------------

server_stop();
go_back();
my %before = map { $_->{seq} => $_ } rows('SELECT * FROM batch_jobs ORDER BY seq');
is_deeply(
    [map {"$before{$_}{api} $before{$_}{status}"} sort { $a <=> $b } keys %before],
    [
        'records completed', 'resources completed', 'records pending', 'records processing', 'resources processing',
        'records queued', 'resources queued', ('resources requested') x 3, ('none queued') x 2
    ],
    'a database of version 2'
);
ok($before{4}{cursor} > 0 && $before{4}{cursor} < $before{4}{total}, 'a batch in the middle of its rows')
    or diag("$before{4}{cursor} of $before{4}{total}");
ok($before{5}{cleanup_done} > 0 && $before{5}{cleanup_done} < $before{5}{cleanup_total}, 'one in the middle of its cleanup');
ok(value('SELECT count(*) FROM batch_items WHERE job = 12'), 'one of which some items are stored');
# Whether each item is applied once.
on_table('earlier_records', sub { count_trigger('UPDATE') });
# What a deferred trigger still has to look at would keep the table from being altered.
sql('CREATE OR REPLACE FUNCTION earlier_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
    'CREATE CONSTRAINT TRIGGER earlier_deferred AFTER UPDATE ON batch_jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION earlier_note()')
    if driver() eq 'pgsql';
ok(server_start(), 'this version starts');
is_deeply(totals(), \%total, 'the lists have what they had');
is(value('SELECT max(version) FROM batch_schema'), 3, 'the tables are of version 3');
is(scalar(grep {/^(?:cursor|keys)$/} map { columns_of($_) } qw(batch_jobs batch_kept)), 0, 'no column has a reserved name');
is(scalar(grep {/^(?:position|row_keys)$/} map { columns_of($_) } qw(batch_jobs batch_kept)), 2, 'they have others');
is(join(' ', grep {/_(?:receiving|turn|by_created_at)$/} indexes()), '', 'indexes that nobody uses are gone');

# ---- The records API -----------------------------------------------------------------------------

my %id = map { $_ => $before{$_}{id} } keys %before;
is_batch_counts(batch($id{1}), ['success', 61, 60, 1], 'what was complete');
is(scalar(@{request('GET', "/batch/$id{1}/errors.json")->json}), 1, 'has its error');
is_batch_counts(finished($id{4}), ['success', 62, 60, 2], 'what was being processed goes on to its end');
is_batch_counts(finished($id{6}), ['success', 10, 10, 0], 'and what was queued behind it');
my $touched = applied();
is($touched->{touched}, 60 - $before{4}{cursor} + 10, 'each row was changed once by each of them');
is_deeply(
    [map {"$_->{status} $_->{n}"} rows('SELECT status, count(*) AS n FROM earlier_records GROUP BY status ORDER BY status')],
    ['queued 10', 'running 50'],
    'and is what the last of them made of it'
);
is(batch($id{3})->{status}, 'pending', 'what waited for its start waits');
is(start($id{3})->status, 202, 'it can be started');
is_batch_counts(finished($id{3}), ['success', 3, 3, 0], 'and ends');
is(value('SELECT count(*) FROM earlier_records'), 57, 'its rows are gone');

# ---- The resources API ---------------------------------------------------------------------------

is_result(resource_batch($id{2}), 'completed', {created => 1, duplicates => 1, errors => 1}, 'what was complete');
is(scalar(@{file_of($id{2}, 'upload_json')->json}), 3, 'has its items');
is(scalar(@{file_of($id{2}, 'errors_json')->json}), 2, 'and its errors');
is_result(resource_final($id{5}), 'completed', {created => 20, updated => 10, overwritten => 49, errors => 1},
    'an overwrite goes on with its cleanup');
is_result(resource_final($id{7}), 'completed', {created => 5}, 'and what was queued behind it');
is_deeply(
    {map { $_->{what} => $_->{n} } rows("SELECT organization_id || ' ' || notes AS what, count(*) AS n FROM earlier_contacts GROUP BY 1")},
    {'acme kept' => 10, 'acme new' => 20, 'acme merged' => 5, 'acme old' => 1, 'globex old' => 5},
    'the rows are those of one after the other'
);
is(value("SELECT name FROM earlier_contacts WHERE organization_id = 'acme' AND notes = 'old'"), 'contact 11',
    'with the one that an invalid item names');
is(resource_final($id{10})->{status}, 'expired', 'of an upload that has not come in time');
foreach my $seq (8, 9) {
    my $batch = wait_for('the batch to be free', sub { !stored_of($id{$seq})->{owner_host} && resource_batch($id{$seq}) });
    is($batch->{status}, 'requested', 'one that waits for its upload');
    is(request('PUT', "/batches/$id{$seq}/upload", json => [{name => "uploaded $seq"}])->status, 202, 'gets it');
    is_result(resource_final($id{$seq}), 'completed', {created => 1}, 'and ends');
}
wait_for('what was being received to be removed', sub { value('SELECT count(*) FROM batch_jobs WHERE seq IN (11, 12)') == 0 });
wait_for('and its items', sub { value('SELECT count(*) FROM batch_items WHERE job IN (11, 12)') == 0 });
is(value('SELECT count(*) FROM batch_errors WHERE job IN (11, 12)'), 0, 'what was being received is gone, with its errors');
is(request('GET', "/batches/$id{$_}")->status, 404, 'no API shows it') foreach 11, 12;
is_deeply([map { $_->{name} } rows('SELECT name FROM earlier_tags ORDER BY name')], ['one', 'uploaded 8', 'uploaded 9'],
    'and it has made no row');
is_deeply(totals(), \%total, 'the lists have what they had');

# ---- While many serve ----------------------------------------------------------------------------

drop_triggers();
go_back();
my @answers = parallel([map { request_text('GET', $_ % 2 ? '/batch' : '/batches') } 1 .. 12]);
is_deeply([map { $_->status } @answers], [(200) x 12], 'many find an older version at once');
is_deeply(totals(), \%total, 'and bring it to this one');
is(value('SELECT count(*) FROM batch_schema'), 1, 'once');
is_batch_counts(finished($id{6}), ['success', 10, 10, 0], 'batches go on');
is_result(resource_final($id{7}), 'completed', {created => 5}, 'of either API');
wait_for('nothing of them to be left',
    sub { value("SELECT count(*) FROM batch_jobs WHERE status IN ('processing', 'queued', 'receiving')") == 0 });

# Nothing is left of them.
server_stop();
unconfigure();
restore();
sql(map {"DROP TABLE $_"} @their_tables);
ok(server_start(), 'as before');

finish();
