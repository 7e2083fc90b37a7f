# A connection to PostgreSQL that is lost, or whose server process is terminated, at every single
# statement of a batch, from the request that makes it to its last COMMIT: it is made once or not at
# all, and each item is applied exactly once.
#
# The worker's part fails when a COMMIT whose reply is lost counts as a chunk that was not done, or
# that was.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;
use BatchTest::Proxy;

plan skip_all => 'SQLite has no connections to lose' if driver() ne 'pgsql';

tolerate_log(qr/MB\d{4}: /);

my @ids = record_ids(20);
my ($server) = $ENV{BATCH_TEST_PARAMS} =~ /host=(\S+)/;
my $folder = work_folder() . '/proxy';
my $proxy = BatchTest::Proxy->new($folder, $server);
(my $params = $ENV{BATCH_TEST_PARAMS}) =~ s/host=\S+/host=$folder/;

# Two chunks: the first set of rows has sixteen.
configure("BatchDBDParams \"$params\"", 'BatchChunkTime 1ms');
server_stop();
ok(server_start(), 'httpd starts with its database behind a proxy');
count_trigger('UPDATE');
is_batch_counts(
    finished(create(update_ids({status => 'x'}, @ids))),
    ['success', 20, 20, 0],
    'and works with it'
);

# How many batches have ended: asked without the proxy.
sub ended { return value("SELECT count(*) FROM batch_jobs WHERE status IN ('completed', 'failed')") }

# A batch whose number-th statement does not go well. Returns whether there was such a statement,
# and what is wrong with the outcome.
sub wrong_after
{
    my ($mode, $number) = @_;
    my @wrong;
    sql('DELETE FROM test_applied', 'DELETE FROM batch_jobs', 'DELETE FROM batch_errors');
    $proxy->arm($mode, $number);
    my $answer = post_batch(update_ids({status => "$mode $number"}, @ids, unknown_ids(2)));
    if ($answer->status != 202) {
        push @wrong, 'status ' . $answer->status
            if $answer->status != 503 || !$answer->header('Retry-After');
        push @wrong, '503, but it is there' if value('SELECT count(*) FROM batch_jobs');
        $answer = post_batch(update_ids({status => "$mode $number"}, @ids, unknown_ids(2)));
    }
    return (1, @wrong, 'then ' . $answer->status) if $answer->status != 202;
    wait_for("the batch to end ($mode $number)", \&ended);
    my $fired = $proxy->disarm;
    my $batch = batch($answer->json->{batch}{id});
    my $found = join ' ', @$batch{qw(status objects_total objects_success objects_failed)};
    push @wrong, "it ended as $found" if $found ne 'success 22 20 2';
    my ($rows) = rows(
        'SELECT (SELECT count(*) FROM batch_jobs) || \' \' || (SELECT count(*) FROM batch_errors)'
            . ' || \' \' || (SELECT count(*) FROM batch_items) || \' \' || count(*) || \' \' ||'
            . " count(DISTINCT id) AS them FROM test_applied");
    push @wrong, "jobs, errors, items, rows touched, different ones: $rows->{them}"
        if $rows->{them} ne '1 2 0 20 20';
    return ($fired, @wrong);
}

my %words = (
    cut => 'the connection ends before the server hears of a statement',
    terminate => 'the server process is terminated behind a statement',
    mute => 'the reply to a statement is lost'
);
foreach my $mode (sort keys %words) {
    my ($number, @wrong) = (0);
    while (1) {
        my ($fired, @found) = wrong_after($mode, ++$number);
        push @wrong, map {"statement $number: $_"} @found;
        last if !$fired;
    }
    # Making a batch takes at least five statements, a claim and two chunks have four each.
    ok($number > 15, "$words{$mode}, at one after the other") or diag("$number were enough");
    ok(!@wrong, 'each time the batch was made once, and each item was applied once')
        or diag(join "\n", @wrong);
    note("$mode: $number statements");
}

# ---- Reads ---------------------------------------------------------------------------------------

my $id = (rows('SELECT id FROM batch_jobs'))[0]{id};
foreach my $path ("/batch/$id", '/batch', "/batch/$id/errors.json") {
    my ($number, $fired, @wrong) = (0, 1);
    while ($fired && $number < 50) {
        $proxy->arm('terminate', ++$number);
        my $answer = request('GET', $path);
        $fired = $proxy->disarm;
        push @wrong, "$number: " . $answer->status
            if $answer->status != 200 && !($answer->status == 503 && $answer->header('Retry-After'));
        push @wrong, "$number: the answer is cut off" if !eval { $answer->json };
    }
    ok(!@wrong, "GET $path while server processes are terminated") or diag(join "\n", @wrong);
}

unconfigure();
server_stop();
ok(server_start(), 'back to what it was');
finish();
