# While httpd runs: the disk is full, the database is damaged, its tables are of a newer version.
# Requests get 503 with Retry-After, the log says why and does not repeat it with every request, no
# batch that was accepted is lost, and all goes on without a restart.
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
    like($answer->header('Retry-After') // '', qr/^[1-9]\d*$/, "$name: with Retry-After");
    return;
}

# A batch under way, and one that waits.
sub begin
{
    restore();
    slow_trigger('UPDATE');
    count_trigger('UPDATE');
    my $pending = pending(delete_ids(unknown_ids(3)));
    my $batch = create(update_ids({status => 'waited'}, @ids));
    wait_for('progress', sub { batch($batch)->{objects_success} > 0 });
    return ($pending, $batch);
}

# Both go on to their end, by themselves.
sub is_mended
{
    my ($pending, $batch, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    let_go();
    wait_for("$name: a start", sub { start($pending)->status == 202 });
    my $end = wait_for(
        "$name: the batch to end",
        sub {
            my $answer = request('GET', "/batch/$batch->{id}");
            my $now = $answer->status == 200 && $answer->json->{batch};
            return $now && $now->{status} ne 'running' ? $now : undef;
        }
    );
    is_batch_counts($end, ['success', 200, 200, 0], "$name: the batch goes on to its end");
    is_deeply(applied(), {touched => 200, ids => 200, most => 1}, "$name: each item once");
    is_batch_counts(finished($pending), ['failed', 3, 0, 3], "$name: the other one, too");
    is(value('SELECT count(*) FROM batch_jobs'), 2, "$name: what was answered 503 has not happened");
    return;
}

# Lines that an administrator gets to see, since then.
sub lines
{
    my ($begin, $pattern) = @_;
    return grep { /:(?:error|warn)\]/ && $_ =~ $pattern } split /\n/, log_text($begin);
}

tolerate_log(qr/MB01\d\d: /);

# ---- A newer version -------------------------------------------------------------------------------

my ($pending, $batch) = begin();
my $log = log_size();
sql_at_once('UPDATE batch_schema SET version = 99');
is_unavailable(post_batch(delete_ids($ids[0])), 'newer tables: a create') for 1 .. 20;
is_unavailable(start($pending), 'newer tables: a start');
is_unavailable(request('GET', '/batch'), 'newer tables: the list');
is_unavailable(request('DELETE', "/batch/$pending->{id}"), 'newer tables: a removal');
my @lines = wait_for('the log', sub { lines($log, qr/MB0102: .*newer version/) });
ok(@lines <= 4, 'the log says so, and does not repeat it') or diag(join "\n", @lines);
sql_at_once('UPDATE batch_schema SET version = 3');
is_mended($pending, $batch, 'the version is ours again');

# ---- A full disk ---------------------------------------------------------------------------------

# No process of httpd can make a file longer; not its error log either.
sub limit_files
{
    my ($limit) = @_;
    my $parent = server_pid();
    foreach my $pid ($parent, server_children($parent), server_children($parent)) {
        # A child may have ended meanwhile.
        system('prlimit', "--fsize=$limit:unlimited", '--pid', $pid) == 0
            or die "prlimit failed\n"
            if -d "/proc/$pid";
    }
    return;
}

if (driver() ne 'pgsql') {
    ($pending, $batch) = begin();
    limit_files(1);
    my $answer = post_batch(delete_ids($ids[0]));
    is_unavailable($answer, 'no room: a create') for 1 .. 3;
    is_unavailable(start($pending), 'no room: a start');
    # Who reads needs no room, unless all connections were closed: the next one makes the shared memory anew.
    my %seen;
    foreach (1 .. 10) {
        my $reply = request('GET', "/batch/$batch->{id}");
        if ($reply->status != 200) {
            is_unavailable($reply, 'no room: nor to read');
            next;
        }
        is($reply->json->{batch}{status}, 'running', 'no room: the batch waits');
        $seen{$reply->json->{batch}{objects_success}} = 1;
    }
    ok(keys %seen <= 1, 'it stands still') or diag(join ' ', sort keys %seen);
    limit_files('unlimited');
    is_mended($pending, $batch, 'there is room again');
}

# ---- Damaged ---------------------------------------------------------------------------------------

sub move
{
    my ($from, $to) = @_;
    foreach my $suffix ('-wal', '-shm', '') {
        next unless -e "$from$suffix";
        rename "$from$suffix", "$to$suffix" or die "$to$suffix: $!\n";
    }
    return;
}

# Writes over a part of a file, as it stands.
sub put_bytes
{
    my ($file, $offset, $bytes) = @_;
    open my $handle, '+<:raw', $file or die "$file: $!\n";
    seek $handle, $offset, 0;
    print {$handle} $bytes;
    close $handle or die "$file: $!\n";
    return;
}

if (driver() ne 'pgsql') {
    my $file = database_file();
    ($pending, $batch) = begin();
    # Not beneath a running httpd: whoever opens a database of which a part was moved damages it.
    server_stop();
    $log = log_size();
    move($file, "$file.good");
    open my $handle, '>', $file or die "$file: $!\n";
    print {$handle} 'this is no database at all. ' x 1000;
    close $handle;
    ok(server_start(), 'httpd starts with a file that is no database');
    is_unavailable(request('GET', '/batch'), 'no database: the list');
    is_unavailable(post_batch(delete_ids($ids[0])), 'no database: a create') for 1 .. 20;
    @lines = wait_for('the log', sub { lines($log, qr/MB0101: .*not a database/) });
    ok(@lines <= 4, 'the log says so, and does not repeat it') or diag(join "\n", @lines);
    unlink $file;
    move("$file.good", $file);
    is_mended($pending, $batch, 'the database is back');

    # The same file, of which a part is overwritten, and then mended.
    restore();
    $pending = pending(delete_ids(@ids[0 .. 1]));
    server_stop();
    run_sql('PRAGMA wal_checkpoint(TRUNCATE);');
    open $handle, '<:raw', $file or die "$file: $!\n";
    my $good = do { local $/; <$handle> };
    close $handle;
    put_bytes($file, 1024, 'x' x (length($good) - 1024));
    $log = log_size();
    ok(server_start(), 'httpd starts with a damaged database');
    is_unavailable(request('GET', '/batch'), 'damaged: the list');
    is_unavailable(post_batch(delete_ids($ids[0])), 'damaged: a create');
    is_unavailable(start($pending), 'damaged: a start');
    ok(wait_for('the log', sub { lines($log, qr/MB010[15]: .*malformed/) }), 'the log says so');
    put_bytes($file, 0, $good);
    wait_for('a start', sub { start($pending)->status == 202 });
    is_batch_counts(finished($pending), ['success', 2, 2, 0], 'mended, it is served');
}

tolerate_log(qr/MB02\d\d: /);
finish();
