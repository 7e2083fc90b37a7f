# What every .t file of this suite uses: clients of both APIs, a look into the database, a
# hold on the server, and a watch over the error log.
#
# A file begins with `use BatchTest;` (which brings the sample's data back to what it was) and ends
# with `finish();` (which fails if the server logged anything that the file did not announce).
# Nothing here judges by time: wait_for looks until something is true, and its deadline is a
# failure.
package BatchTest;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use BatchTest::Config;
use BatchTest::Http;
use BatchTest::Database;
use BatchTest::Log;
use BatchTest::Resources;
use BatchTest::Server;

our @EXPORT = (
    @Test::More::EXPORT,
    @BatchTest::Config::EXPORT,
    @BatchTest::Http::EXPORT,
    @BatchTest::Database::EXPORT,
    @BatchTest::Log::EXPORT,
    @BatchTest::Resources::EXPORT,
    @BatchTest::Server::EXPORT,
    qw(TESTING_APP HYDRANTS DEADLINE
        wait_for operation delete_ids update_ids post_batch create pending start batch finished
        record_ids unknown_ids is_error is_unprocessable is_batch_counts utc_time
        expect_log tolerate_log announce_crash finish)
);

use constant TESTING_APP => '81413088-71b9-11ee-b962-0242ac120002';
use constant DEADLINE => $ENV{BATCH_TEST_DEADLINE} || ($ENV{SANITIZE} ? 300 : 180);

my $uuid = qr/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;
my $finished;

# Looks until the code returns something true, and returns that. Dies at the deadline: whatever was
# waited for has not happened, which fails the file.
sub wait_for
{
    my ($what, $code, $deadline) = @_;
    my $end = time + ($deadline || DEADLINE);
    my $pause = 0.002;
    while (1) {
        my $result = $code->();
        return $result if $result;
        die "waited in vain for: $what\n" if time > $end;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.1;
    }
}

# ---- The records API -----------------------------------------------------------------------------

# An operation of the sample's record resource; members given override, undef removes.
sub operation
{
    my %operation = (action => 'delete', resource => 'record', form_id => TESTING_APP, @_);
    delete $operation{$_} for grep { !defined $operation{$_} } keys %operation;
    return \%operation;
}

sub delete_ids { return operation(ids => [@_]) }

sub update_ids
{
    my ($data, @ids) = @_;
    return operation(action => 'update', data => $data, ids => [@ids]);
}

# POST /batch with the operations; options as of request(), and batch => {} for more members.
sub post_batch
{
    my ($operations, %option) = @_;
    my $more = delete $option{batch} || {};
    $operations = [$operations] if ref $operations eq 'HASH';
    return request('POST', '/batch', json => {batch => {operations => $operations, %$more}},
        %option);
}

# A batch that is started at once: returns its object. Dies if it was not accepted.
sub create
{
    my ($operations, %option) = @_;
    my $answer = post_batch($operations, %option);
    die 'create was answered ', $answer->status, ' ', $answer->body, "\n" if $answer->status != 202;
    return $answer->json->{batch};
}

# A batch that waits for its start: returns its object.
sub pending
{
    my ($operations, %option) = @_;
    my $answer = post_batch($operations, batch => {start => JSON::PP::false}, %option);
    die 'create was answered ', $answer->status, ' ', $answer->body, "\n" if $answer->status != 201;
    return $answer->json->{batch};
}

# POST /batch/ID/start; returns the answer.
sub start
{
    my ($batch, %option) = @_;
    my $id = ref $batch ? $batch->{id} : $batch;
    return request('POST', "/batch/$id/start", %option);
}

# The batch as it is now.
sub batch
{
    my ($batch, %option) = @_;
    my $id = ref $batch ? $batch->{id} : $batch;
    my $answer = request('GET', "/batch/$id", %option);
    die "batch $id: ", $answer->status, ' ', $answer->body, "\n" if $answer->status != 200;
    return $answer->json->{batch};
}

# The batch once it is final.
sub finished
{
    my ($batch, %option) = @_;
    my $id = ref $batch ? $batch->{id} : $batch;
    return wait_for(
        "batch $id to end",
        sub {
            my $now = batch($id, %option);
            return $now->{status} =~ /^(?:success|failed)$/ ? $now : undef;
        }
    );
}

# The ids of the first count records of "Testing App", in order of id.
sub record_ids
{
    my ($count, $offset) = @_;
    return
        map { $_->{id} }
        rows("SELECT id FROM records WHERE form_id = '" .
            TESTING_APP . "' AND organization_id = 'acme' ORDER BY id LIMIT $count OFFSET " .
            ($offset || 0));
}

# The id of acme's other form.
sub HYDRANTS
{
    my ($form) = rows("SELECT id FROM forms WHERE name = 'Hydrants' AND organization_id = 'acme'");
    return $form->{id};
}

# Ids that no record has.
sub unknown_ids
{
    my ($count) = @_;
    return map { sprintf '00000000-0000-4000-8000-%012x', $_ } 1 .. $count;
}

# An answer in the shape that docs/api gives to errors.
sub is_error
{
    my ($answer, $status, $name, $message) = @_;
    my %reason = (
        400 => 'Bad Request',
        401 => 'Unauthorized',
        403 => 'Forbidden',
        404 => 'Not Found',
        405 => 'Method Not Allowed',
        409 => 'Conflict',
        413 => qr/^(?:Request Entity|Content|Payload) Too Large$/,
        415 => 'Unsupported Media Type',
        503 => 'Service Unavailable'
    );
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $json = eval { $answer->json };
    my $good
        = $answer->status == $status
        && ref $json eq 'HASH'
        && $answer->media_type eq 'application/json'
        && defined $json->{error}
        && !ref $json->{error}
        && (
        ref $reason{$status}
        ? $json->{error} =~ $reason{$status}
        : $json->{error} eq $reason{$status})
        && defined $json->{status}
        && $json->{status} eq $status
        && $answer->body =~ /"status":\s*\d/
        && (!$message || ($json->{message} // '') =~ $message);
    return ok($good, "$name: $status")
        || diag('answered ', $answer->status, ' ', $answer->media_type, ' ',
        substr($answer->body, 0, 600));
}

# 422 with an entry for each of the fields, and for no other; or, if more is true, for others too,
# that follow from them.
sub is_unprocessable
{
    my ($answer, $fields, $name, $more) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $json = eval { $answer->json };
    my $errors
        = ref $json eq 'HASH' && ref $json->{batch} eq 'HASH' ? $json->{batch}{errors} : undef;
    my $good
        = $answer->status == 422
        && $answer->media_type eq 'application/json'
        && ref $errors eq 'HASH'
        && ($more
        ? !(grep { !$errors->{$_} } @$fields)
        : join(' ', sort keys %$errors) eq join(' ', sort @$fields))
        && !grep {
        ref $_ ne 'ARRAY' || !@$_ || grep { ref $_ || !length $_ } @$_
        } values %$errors;
    return ok($good, "$name: 422 for @$fields")
        || diag('answered ', $answer->status, ' ', $answer->media_type, ' ',
        substr($answer->body, 0, 600));
}

# status, objects_total, objects_success and objects_failed of a batch.
sub is_batch_counts
{
    my ($batch, $wanted, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = {map { $_ => $batch->{$_} } qw(status objects_total objects_success objects_failed)};
    return is_deeply(
        $got,
        {
            status => $wanted->[0],
            objects_total => $wanted->[1],
            objects_success => $wanted->[2],
            objects_failed => $wanted->[3]
        },
        $name
    ) || diag('reason: ', $batch->{reason} // 'null');
}

sub utc_time { return qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/ }

# ---- The error log -------------------------------------------------------------------------------

my (@expected, %crashing);

my @tolerated = (
    # slow_trigger ends connections of PostgreSQL that are idle, or were when it looked.
    qr/ terminating connection due to administrator command/,
    qr/MB0101: .*cannot open the database: .*server closed the connection unexpectedly/,
    # At a stop the main thread of event's child closes the socket of a connection that is about to linger.
    qr/AH03092: process_lingering_close: apr_pollset_add failure/
);
my $log_begin = log_watched();

# The server will log this, at any level: fails if it does not.
sub expect_log { push @expected, @_; return }

# The server may log this at level warn or above.
sub tolerate_log { push @tolerated, @_; return }

# This process of httpd is about to be ended by SIGSEGV, by the test itself.
sub announce_crash { $crashing{$_} = 1 for @_; return }

sub _was_announced
{
    my ($line) = @_;
    my ($pid) = $line =~ /child pid (\d+) exit signal Segmentation fault/;
    return $pid && $crashing{$pid};
}

# Whatever stands in the log at level warn or above, or in no format of httpd's at all (a sanitizer,
# an assertion, the C library), and is not announced.
sub unexpected_log
{
    my @bad = grep { line_is_bad($_) } split /\n/, log_text($log_begin);
    # Beside slow transactions a worker's own steps (a claim, the removal of what is past its
    # retention) may have waited for longer than they are patient: they are done again.
    tolerate_log(qr/MB0103: cannot [^:]+: the database is locked/)
        if BatchTest::Database::holds_writers();
    return grep {
        my $line = $_;
        !_was_announced($line)
            && (line_is_crash($line) || !grep { $line =~ $_ } @expected, @tolerated);
    } @bad;
}

# The last test of a file, and the end of its plan.
sub finish
{
    $finished = 1;
    release_locks();
    restore();
    my $text = log_text($log_begin);
    foreach my $pattern (@expected) {
        ok(scalar(grep { $_ =~ $pattern } split /\n/, $text), "the error log has $pattern");
    }
    my @bad = unexpected_log();
    ok(!@bad, 'the error log has nothing that was not announced')
        or diag(join "\n", @bad > 30 ? (@bad[0 .. 29], '…') : @bad);
    log_watched($log_begin + length $text);
    done_testing();
    return;
}

# A file that died: its log lines are still shown, and its locks let go.
END {
    if (!$finished && !$BatchTest::skipped) {
        my $code = $?;
        eval { release_locks(); };
        eval { server_recover(); restore(); };
        my @bad = unexpected_log();
        diag('the error log has:', map {"\n$_"} @bad > 30 ? @bad[0 .. 29] : @bad) if @bad;
        log_watched($log_begin + length log_text($log_begin));
        $? = $code;
    }
}

restore();

1;
