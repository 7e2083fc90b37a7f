# GET /batch/ID: ETag, Retry-After, HEAD, and progress that shows while the batch runs.
#
# needs: nothing
use strict;
use warnings;

use HTTP::Date ();

use BatchTest;

my @ids = record_ids(150);
my $batch = pending(delete_ids(@ids[0 .. 1]));
my $path = "/batch/$batch->{id}";

# ---- ETag ----------------------------------------------------------------------------------------

my $answer = request('GET', $path);
is($answer->status, 200, 'a batch');
is_deeply([keys %{$answer->json}], ['batch'], 'and nothing else');
is_deeply($answer->json->{batch}, $batch, 'is what its creation answered');
my $etag = $answer->header('ETag');
like($etag, qr{^(?:W/)?"[\x21\x23-\x7e]+"$}, 'has an ETag');
is($answer->header('Retry-After'), undef, 'a pending batch has no Retry-After');
is(request('GET', $path)->header('ETag'), $etag, 'the ETag stays as long as the batch');

$answer = request('GET', $path, headers => {'If-None-Match' => $etag});
is($answer->status, 304, 'If-None-Match with the ETag is answered 304');
is($answer->body, '', 'without a body');
is($answer->header('ETag'), $etag, 'with the ETag');
is(request('GET', $path, headers => {'If-None-Match' => "\"other\", $etag"})->status,
    304, 'one of several');
is(request('GET', $path, headers => {'If-None-Match' => '*'})->status, 304, 'any');
# A batch may change twice within a second: there is no date to compare with.
is(request('GET', $path, headers => {$_ => 'Sat, 01 Jan 2000 00:00:00 GMT'})->status,
    200, "$_ is ignored")
    for qw(If-Modified-Since If-Unmodified-Since);
is(request('GET', $path, headers => {'If-Modified-Since' => HTTP::Date::time2str(time)})->status,
    200, 'If-Modified-Since with this very second, too');
is(request('GET', $path, headers => {'If-None-Match' => '"other"'})->status,
    200, 'another one is answered 200');
is(request('GET', $path, headers => {'If-None-Match' => $etag}, as => 'bob')->status,
    304, "bob's too");
is(request('GET', $path, headers => {'If-None-Match' => $etag}, as => 'carol')->status,
    404, "not carol's");
is(request('GET', $path, headers => {'If-None-Match' => '*'}, as => 'carol')->status,
    404, 'not even for any');

my $head = request('HEAD', $path);
is($head->status, 200, 'HEAD');
is($head->body, '', 'has no body');
is($head->header('ETag'), $etag, 'but the ETag');
is($head->media_type, 'application/json', 'and the media type');
is(request('HEAD', $path, headers => {'If-None-Match' => $etag})->status, 304,
    'HEAD with the ETag');

request('POST', "$path/operations", json => {operations => [delete_ids(@ids[0 .. 2])]});
$answer = request('GET', $path, headers => {'If-None-Match' => $etag});
is($answer->status, 200, 'after a change the old ETag is answered 200');
isnt($answer->header('ETag'), $etag, 'with another one');
$etag = $answer->header('ETag');
start($batch);
finished($batch);
$answer = request('GET', $path, headers => {'If-None-Match' => $etag});
is($answer->status, 200, 'after its end, too');
is($answer->header('Retry-After'), undef, 'a final batch has no Retry-After');
$etag = $answer->header('ETag');
is(request('GET', $path, headers => {'If-None-Match' => $etag})->status,
    304, 'a final batch stays as it is');

# ---- While it runs -------------------------------------------------------------------------------

# Every row takes so long that the batch cannot end before we have looked, until it has been seen on
# its way twice: then its rows take no time any more.
restore();
slow_trigger('DELETE', 100);
$batch = pending(delete_ids(@ids, unknown_ids(5)));
is($batch->{status}, 'pending', 'first it is pending');
$path = "/batch/$batch->{id}";
start($batch);
my (@seen, %etags, @running, $quick);

sub on_its_way
{
    my @moving = grep { $_->{status} eq 'running' } @seen;
    return grep { $_->{objects_success} > 0 && $_->{objects_success} < 150 } @moving;
}

wait_for(
    'the end of a slow batch',
    sub {
        my $answer = request('GET', $path);
        my $now = $answer->json->{batch};
        push @seen, $now
            if !@seen
            || $seen[-1]{objects_success} != $now->{objects_success}
            || $seen[-1]{status} ne $now->{status};
        push @running, $answer if $now->{status} eq 'running';
        push @{$etags{$answer->header('ETag')}}, join '/',
            @$now{qw(status objects_success objects_failed)};
        let_go() if on_its_way() >= 2 && !$quick++;
        return $now->{status} ne 'running';
    }
);
is($seen[0]{status}, 'running', 'then it runs');
is_batch_counts($seen[-1], ['success', 155, 150, 5], 'then it has succeeded');
my @between = on_its_way();
ok(@between >= 2, 'objects_success moves while it runs')
    or diag(join ' ', map {"$_->{status}:$_->{objects_success}"} @seen);
my @success = map { $_->{objects_success} } @seen;
is("@success", join(' ', sort { $a <=> $b } @success), 'and never backwards');
ok(@running > 0 && !(grep { ($_->header('Retry-After') // '') !~ /^[1-9]\d*$/ } @running),
    'Retry-After, in seconds, while it runs');
ok(
    !(
        grep {
            my %states = map { $_ => 1 } @$_;
            keys %states > 1
        } values %etags
    ),
    'no two states have one ETag'
);
ok(!(grep { defined $_->{completed_at} } @between), 'completed_at is null while it runs');
ok(!(grep { !defined $_->{started_at} } @between), 'started_at is not');
ok(!(grep { $_->{objects_total} != 155 } @seen), 'objects_total does not move');

# ---- No such batch -------------------------------------------------------------------------------

is_error(request('GET', "/batch/$_"), 404, "GET /batch/$_")
    for '00000000-0000-4000-8000-000000000000', 'nonsense', '1', "$batch->{id}x", 'a' x 3000,
    '%27%20OR%201=1', '%F0%9F%98%80', '%ff%fe';

finish();
