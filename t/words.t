# Words that are nearly right, and known words that stand in the wrong place, in both APIs: 422 with
# "did you mean", nothing made and no row changed. A safety net that was misspelt is not passed over.
# Words that nobody can have meant as one of ours are ignored, but in lists.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(3);
my $rows = join ' ', map { table_hash($_) } qw(records contacts);

sub jobs { return value('SELECT count(*) FROM batch_jobs') }

# 422 of the records API with an entry for the field that says so; nothing was made or changed.
sub is_misspelt
{
    my ($answer, $field, $like, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($answer->status, 422, "$name: 422") or diag($answer->body);
    my $errors = eval { $answer->json->{batch}{errors} } || {};
    like(join(' ', @{$errors->{$field} || []}), $like, "$name: says why at $field") or diag($answer->body);
    is(jobs(), 0, "$name: no batch");
    return;
}

# The same of the resources API.
sub is_misspelt_resource
{
    my ($answer, $field, $like, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($answer->status, 422, "$name: 422") or diag($answer->body);
    my $errors = eval { $answer->json->{errors} } || [];
    like(join(' ', map { $_->{message} } grep { ($_->{field} // '') eq $field } @$errors),
        $like, "$name: says why at $field")
        or diag($answer->body);
    is(jobs(), 0, "$name: no batch");
    return;
}

# ---- The records API -----------------------------------------------------------------------------

sub create_with { my ($members) = @_; return post_batch(delete_ids(@ids), batch => $members) }

foreach my $case (
    [dryRun => 'dry_run'], ['dry-run' => 'dry_run'], [DRY_RUN => 'dry_run'], [dryrun => 'dry_run'],
    [dry_rum => 'dry_run'], [dry => 'dry_run'], [maxRemoved => 'max_removed'], [max_remove => 'max_removed'],
    [max_error => 'max_errors'], [saveResults => 'save_result'], [callbackUrl => 'callback_url'],
    [idempotencyKey => 'idempotency_key'], [Start => 'start'], [strat => 'start'], [operation => 'operations'],
    )
{
    my ($word, $meant) = @$case;
    is_misspelt(create_with({$word => JSON::PP::false}), $word, qr/did you mean "$meant"/, "$word in batch");
}

foreach my $case (
    [formId => 'form_id'], [Ids => 'ids'], [id => 'ids'], [querry => 'query'], [resorce => 'resource'],
    [acton => 'action'], [date => 'data'],
    )
{
    my ($word, $meant) = @$case;
    is_misspelt(post_batch({%{delete_ids(@ids)}, $word => 'x'}),
        "operations[0].$word", qr/did you mean "$meant"/, "$word in an operation");
}

# A known word in the wrong place.
my %members = (operations => [delete_ids(@ids)]);
foreach my $word (qw(dry_run max_removed max_errors save_result callback_url start)) {
    is_misspelt(request('POST', '/batch', json => {batch => \%members, $word => JSON::PP::false}),
        $word, qr/belongs into batch/, "$word beside batch");
    is_misspelt(post_batch({%{delete_ids(@ids)}, $word => JSON::PP::false}),
        "operations[0].$word", qr/belongs into batch/, "$word inside an operation");
}
is_misspelt(request('POST', '/batch', json => {batch => \%members, dryRun => JSON::PP::true}),
    'dryRun', qr/did you mean "dry_run"\? If so, it belongs into batch/, 'misspelt beside batch');
is_misspelt(request('POST', '/batch', json => {Batch => \%members}), 'Batch', qr/did you mean "batch"/, 'Batch');
is_misspelt(post_batch([delete_ids(@ids), {note => 1, dry_run => JSON::PP::true}]),
    'operations[1].dry_run', qr/belongs into batch/, 'inside an operation that is not run');
is_misspelt(request('POST', '/batch', body => '{"batch":{"\u0064ryR\u0075n":true,"operations":[]}}'),
    'dryRun', qr/did you mean "dry_run"/, 'with escapes');

# What is right and not available.
is_misspelt(create_with({dry_run => JSON::PP::true}), 'dry_run', qr/not available/, 'dry_run');
is_misspelt(create_with({save_result => JSON::PP::true}), 'save_result', qr/not available/, 'save_result');
is_misspelt(create_with({$_ => 0}), $_, qr/not available/, $_) for qw(max_removed max_errors callback_url idempotency_key);

# In the query string, of every request that changes something.
is_misspelt(request('POST', "/batch?$_", json => {batch => \%members}), /^(\w+)/ ? $1 : '', qr/it belongs into batch, in the body/, "?$_")
    for qw(dry_run=true dry_run=false dryrun=true Dry_Run=1 max_removed=0 maxRemoved=0 start=false Start=false);
my $answer = request('POST', '/batch?dryrun=true', json => {batch => {operations => [operation(action => 'explode', ids => ['x'])]}});
is_deeply([sort keys %{$answer->json->{batch}{errors}}], ['dryrun', 'operations[0].action'], 'all that is wrong at once');
my $batch = pending(delete_ids(@ids));
foreach my $request (['POST', '/start'], ['POST', '/operations', json => {operations => [delete_ids(@ids)]}], ['DELETE', '']) {
    my ($method, $leaf, @body) = @$request;
    foreach my $word (qw(dry_run dryrun)) {
        $answer = request($method, "/batch/$batch->{id}$leaf?$word=true", @body);
        is($answer->status, 422, "$method of a batch$leaf with $word");
        like($answer->json->{batch}{errors}{$word}[0], qr/belongs into the request that makes the batch/, 'says where it belongs');
    }
}
foreach my $members ({dry_run => JSON::PP::true}, {dryRun => JSON::PP::true}) {
    my ($word) = keys %$members;
    is_unprocessable(
        request('POST', "/batch/$batch->{id}/operations", json => {operations => [delete_ids(@ids)], %$members}),
        [$word], "$word beside operations");
}
foreach my $members ({dry_run => JSON::PP::true}, {maxRemoved => 0}) {
    my ($word) = keys %$members;
    is_unprocessable(start($batch, json => $members), [$word], "$word in the body of a start");
    is_unprocessable(start($batch, body => JSON::PP->new->encode($members), type => 'text/plain'), [$word], "$word in a body of any type");
}
is_deeply(batch($batch), $batch, 'the batch is as it was');
is(request('DELETE', "/batch/$batch->{id}?note=x")->status, 200, 'a parameter that is none of ours is ignored');

# What nobody can have meant as one of ours, and null.
foreach my $members (
    {note => 'x', state => 1, stats => {}, status => 'failed', priority => 5, color => 'blue', name => 'x', type => 'y'},
    {dryRun => undef, maxRemoved => undef, dry_run => undef, max_removed => undef},
    {dry_run => JSON::PP::false, save_result => JSON::PP::false},
    # A batch as it was answered, sent back.
    {%$batch, status => 'pending'},
    )
{
    $batch = post_batch(delete_ids(unknown_ids(1)), batch => {%$members, start => JSON::PP::false})->json->{batch};
    ok($batch && request('DELETE', "/batch/$batch->{id}")->status == 200, join(' ', sort keys %$members) . ': ignored');
}
is(request('POST', '/batch?token=x&note=dry_run', json => {batch => {start => JSON::PP::false}, z => 1, wish => {dry_run => 1}})->status,
    201, 'and beside it, and in the query string');
# What a start's body says beside that is nobody's business.
foreach my $body ('{"note":1,"start":true}', '{"dryRun":null}', '["dry_run"]', '"dry_run"', '{"dry_run":', 'dry_run=true', '{"a":"' . 'x' x 100_000 . '","dry_run":true}') {
    $batch = pending(delete_ids(unknown_ids(1)));
    is(start($batch, body => $body, type => 'application/json')->status, 202, 'a start with ' . substr $body, 0, 30);
    finished($batch);
}
restore();

# ---- The resources API ---------------------------------------------------------------------------

my @contacts = ({name => 'only'});
my @words = (
    [modus => 'mode'], [Mode => 'mode'], [atomc => 'atomic'], [Atomic => 'atomic'], [dryRun => 'dry_run'],
    [dryrun => 'dry_run'], [maxRemoved => 'max_removed'], ['max-errors' => 'max_errors'], [allowEmpty => 'allow_empty'],
    [saveUpload => 'save_upload'], [duplicateHandling => 'duplicate_handling'], [propertys => 'properties'],
    [save_results => 'save_result'], [delimeter => 'delimiter'], [timeZone => 'timezone'], [resorce => 'resource'],
);
my %file = (
    'text/csv' => "name\nonly\n",
    'application/x-ndjson' => '{"name":"only"}' . "\n",
    'application/json' => '[{"name":"only"}]',
    'multipart/form-data; boundary=b' => "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c.csv\"\r\n\r\nname\nonly\n\r\n--b--\r\n",
);
foreach my $case (@words) {
    my ($word, $meant) = @$case;
    my $like = qr/did you mean "$meant"/;
    foreach my $mode (qw(mixed sync)) {
        is_misspelt_resource(post_batches(overwrite('contact', \@contacts, mode => $mode, $word => 'sync')),
            $word, $like, "$word in a request, $mode");
    }
    is_misspelt_resource(post_batches(overwrite('contact', undef, $word => TRUE)), $word, $like, "$word in a request for an upload");
    foreach my $type (sort keys %file) {
        foreach my $mode (qw(mixed sync)) {
            is_misspelt_resource(
                request('POST', "/batches?resource=contact&action=overwrite&mode=$mode&$word=true", body => $file{$type}, type => $type),
                $word, $like, "$word in the query string, $type, $mode");
        }
    }
    is_misspelt_resource(post_batches(overwrite('contact', \@contacts), path => "/batches?$word=true"),
        $word, $like, "$word in the query string of a request in JSON");
    $answer = request(
        'POST', '/batches?resource=contact&action=overwrite', type => 'multipart/form-data; boundary=b',
        body => "--b\r\nContent-Disposition: form-data; name=\"$word\"\r\n\r\ntrue\r\n" . $file{'multipart/form-data; boundary=b'}
    );
    is($answer->status, 422, "$word as a field of a form");
    like($answer->body, qr/\Q$word\E.*did you mean \\"$meant\\"/, 'says why');
    is(jobs(), 0, 'no batch');
}
foreach my $word (qw(dry_run max_removed max_errors save_result callback_url idempotency_key delimiter charset columns
    unknown_columns date_format timezone decimal null sheet))
{
    is_misspelt_resource(post_batches(overwrite('contact', \@contacts, $word => $word =~ /^(?:dry_run|save_result)$/ ? TRUE : '1')),
        $word, qr/not available/, "$word in a request");
    is_misspelt_resource(
        request('POST', "/batches?resource=contact&action=overwrite&$word=1", body => $file{'text/csv'}, type => 'text/csv'),
        $word, qr/not available/, "$word in the query string");
}
$answer = post_batches(merge('contact', \@contacts, Mode => 'sync', resorce => 'x', dryRun => TRUE, mode => 'fast'));
is_wrong($answer, [qw(Mode dryRun mode resorce)], 'all that is wrong at once');

# Uploads, and what else there is.
$batch = post_batches(overwrite('contact', undef))->json->{data};
my ($url) = $batch->{_upload_url} =~ m{^https?://[^/]+(/.*)};
foreach my $word (qw(dry_run dryRun mode Mode max_removed duplicate_handling)) {
    foreach my $as (undef, 'alice') {
        my $path = $as ? $url =~ s/\?.*/?$word=1/r : "$url&$word=1";
        $answer = request('PUT', $path, body => $file{'text/csv'}, type => 'text/csv', as => $as);
        is_wrong($answer, [$word], "an upload with $word", like => qr/belongs into the request that makes the batch/);
    }
}
is(resource_batch($batch)->{status}, 'requested', 'the batch waits for its upload still');
is_wrong(request('POST', "/batches/$batch->{id}/cancel?dryRun=1"), ['dryRun'], 'cancel');
is_wrong(request('POST', "/batches/$batch->{id}/cancel", json => {dryRun => TRUE}), ['dryRun'], 'in the body of cancel');
is_wrong(request('GET', "/batches/$batch->{id}?include_error_csv=true&includeUploadJson=true"),
    [qw(include_error_csv includeUploadJson)], 'GET', like => qr/did you mean "include_errors_csv"/);
is(request('GET', "/batches/$batch->{id}?color=blue")->status, 200, 'GET with a parameter that is none of ours');
is(resource_batch($batch)->{status}, 'requested', 'nothing has become of it');
$answer = request('PUT', $url, body => '{"dryRun":true,"data":[{"name":"only"}]}', as => undef);
is($answer->status, 422, 'a misspelt word in an upload');
like($answer->json->{data}{reason}, qr/dryRun.*did you mean "dry_run"/, 'is the reason why the batch is failed');

is(join(' ', map { table_hash($_) } qw(records contacts)), $rows, 'no row was changed by any of these');

# ---- Lists ---------------------------------------------------------------------------------------

foreach my $path ('/batch', '/batches') {
    foreach my $word (qw(colour token start _), 'dry_run', 'x' x 3000, '%ff%fe', 'a%00b', '%zz', 'a%22%3Cb%3E') {
        my $answer = request('GET', "$path?$word=1");
        is($answer->status, 422, "$path with " . substr $word, 0, 20);
        like($answer->body, qr/is not a parameter of this list, which takes page, /, 'says what it takes');
        ok(length $answer->body < 1000, 'in few words');
    }
    like(request('GET', "$path?Page=2")->body, qr/did you mean \\"page\\"/, "$path: Page");
    like(request('GET', "$path?sortDirection=asc")->body, qr/did you mean \\"sort_direction\\"/, "$path: sortDirection");
    is(request('GET', "$path?&&page=1&=&")->status, 200, "$path: a parameter without a name is none");
    $answer = request('GET', "$path?" . join('&', map {"x$_=1"} 1 .. 400));
    is($answer->status, 422, "$path: many");
    like($answer->body, qr/300 more problems that are not listed/, 'are counted');
}

finish();
