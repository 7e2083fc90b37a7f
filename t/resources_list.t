# GET /batches: order, pages, filters, and whose batches.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';

sub list
{
    my ($query, %option) = @_;
    my $answer = request('GET', '/batches' . (length $query ? "?$query" : ''), %option);
    die 'list: ', $answer->status, ' ', $answer->body, "\n" if $answer->status != 200;
    return $answer->json;
}

sub ids { return join ' ', map { $_->{id} } @{$_[0]{data}} }

my $answer = request('GET', '/batches');
is_envelope($answer, 200, undef, 'no batches yet', 'GET /batches');
is_deeply($answer->json->{data}, [], 'an empty list');
is_deeply($answer->json->{pagination}, {limit => 25, page => 1, has_more => FALSE, total_count => 0}, 'its pagination');

# Thirty of several kinds, in a known order; other APIs' and other organizations' between them.
my @made;
foreach my $i (0 .. 29) {
    my $request = $i % 5 == 0 ? overwrite('contact', [{name => 'only'}, {id => $dana}])
        : $i % 5 == 1 ? merge('shipment', [{tracking_number => "L$i"}])
        : $i % 5 == 2 ? merge('contact', [{name => 5}])
        : merge('contact', [{name => "list $i"}]);
    my $mode = $i % 2 ? 'sync' : 'mixed';
    my $batch = resource_final(post_batches({%$request, mode => $mode})->json->{data});
    push @made, $batch;
    next if $i % 10;
    finished(create(delete_ids(unknown_ids(1))));
    resource_final(post_batches(merge('contact', [{name => 'hers'}]), as => 'carol')->json->{data}, as => 'carol');
}
my $page = list('');
is(ids($page), join(' ', map { $_->{id} } @made[0 .. 24]), '25 a page, the oldest first');
is_deeply($page->{pagination}, {limit => 25, page => 1, has_more => TRUE, total_count => 30}, 'of 30');
is_deeply($page->{data}, [@made[0 .. 24]], 'each as GET shows it');
$page = list('page=2');
is(ids($page), join(' ', map { $_->{id} } @made[25 .. 29]), 'the second page');
is_deeply($page->{pagination}, {limit => 25, page => 2, has_more => FALSE, total_count => 30}, 'is the last');
$page = list('page=3&limit=10');
is(ids($page), join(' ', map { $_->{id} } @made[20 .. 29]), 'ten a page');
is_deeply($page->{pagination}, {limit => 10, page => 3, has_more => FALSE, total_count => 30}, 'just full');
$page = list('page=4&limit=10');
is_deeply([$page->{data}, $page->{pagination}], [[], {limit => 10, page => 4, has_more => FALSE, total_count => 30}],
    'a page behind the last');
is_deeply(list('limit=30')->{pagination}, {limit => 30, page => 1, has_more => FALSE, total_count => 30}, 'all on one');
is(list('limit=29')->{pagination}{has_more}, TRUE, 'all but one');
is(list("limit=$_")->{pagination}{limit}, $_ > 1000 ? 1000 : $_, "limit=$_") for 1, 1000, 1001, '99999999999999999999';
is_envelope(request('GET', '/v1/batches.json?limit=2'), 200, undef, 'by the other path', 'GET /v1/batches.json');

# Filters, alone and together.
foreach my $case (
    [{resource => 'shipment'}, sub { $_->{resource} eq 'shipment' }],
    [{resource => 'contact'}, sub { $_->{resource} eq 'contact' }],
    [{mode => 'sync'}, sub { $_->{mode} eq 'sync' }],
    [{mode => 'mixed'}, sub { $_->{mode} eq 'mixed' }],
    [{action => 'overwrite'}, sub { $_->{action} eq 'overwrite' }],
    [{action => 'delete'}, sub {0}],
    [{status => 'completed'}, sub { $_->{status} eq 'completed' }],
    [{status => 'failed'}, sub { $_->{status} eq 'failed' }],
    [{status => 'queued'}, sub {0}],
    [{via => 'api'}, sub {1}],
    [{via => 'file'}, sub {0}],
    [{resource => 'contact', mode => 'sync', status => 'completed', action => 'merge'},
        sub { "@$_{qw(resource mode status action)}" eq 'contact sync completed merge' }],
    )
{
    my ($filter, $wanted) = @$case;
    my $query = join '&', map {"$_=$filter->{$_}"} sort keys %$filter;
    my @wanted = grep { $wanted->() } @made;
    $page = list("limit=100&$query");
    is(ids($page), join(' ', map { $_->{id} } @wanted), $query);
    is($page->{pagination}{total_count}, scalar @wanted, "$query: counted");
    next if @wanted < 3;
    $page = list("limit=2&page=2&$query");
    is(ids($page), join(' ', map { $_->{id} } grep {defined} @wanted[2, 3]), "$query: a page of it");
}
ok((grep { $_->{status} eq 'failed' } @made), 'some have failed');

# What is wrong.
foreach my $query (qw(page=0 page=-1 page=x page= limit=0 limit=-5 limit=x page=1.5 limit=%zz)) {
    is_refused(request('GET', "/batches?$query"), 422, 'invalid_request', $query);
}
foreach my $query ('mode=fast', 'status=done', 'action=explode', 'via=pigeon', "resource=x'%20OR%20'1'='1", 'status=%00',
    'resource=%ff', 'mode=', 'status=completed&status=failed')
{
    my $answer = request('GET', "/batches?$query");
    ok($answer->status == 422 || ($answer->status == 200 && (@{$answer->json->{data}} < 30)), "$query shows no more")
        or diag($answer->status, ' ', substr $answer->body, 0, 300);
}
is_wrong(request('GET', '/batches?colour=blue&start=5'), [qw(colour start)], 'unknown parameters', like => qr/takes page, limit, /);

# The other order.
is(ids(list("sort=created_at&sort_direction=$_")), ids(list('')), "$_: the oldest first") for qw(asc ASC);
is(ids(list($_)), ids(list('')), "$_: the oldest first") for qw(sort=created_at sort_direction=asc);
foreach my $query (qw(sort=created_at&sort_direction=desc sort_direction=DESC)) {
    is(ids(list($query)), join(' ', map { $_->{id} } reverse @made[5 .. 29]), "$query: the newest first");
    is(ids(list("$query&limit=10&page=3")), join(' ', map { $_->{id} } reverse @made[0 .. 9]), "$query: the last page");
    my @synchronous = grep { $_->{mode} eq 'sync' } @made;
    is(ids(list("$query&mode=sync&limit=4&page=2")), join(' ', map { $_->{id} } (reverse @synchronous)[4 .. 7]), "$query: with a filter");
}
is(request('GET', '/batches?sort_direction=desc')->json->{message}, 'the batches, newest first', 'the message says so');
is_wrong(request('GET', '/batches?sort=status'), ['sort'], 'another order', like => qr/must be created_at/);
is_wrong(request('GET', '/batches?sort='), ['sort'], 'an order of nothing');
is_wrong(request('GET', '/batches?sort_direction=sideways'), ['sort_direction'], 'another direction', like => qr/asc or desc/);

# With a slash behind it, in both APIs.
is(ids(request('GET', $_)->json), ids(list('')), $_) for qw(/batches/ /v1/batches/);
is(request('POST', '/batches/', json => merge('shipment', undef))->status, 201, 'POST /batches/');
is(request('GET', '/batch/')->json->{total_count}, 3, 'GET /batch/');
is_refused(request('GET', "/batches/$made[0]{id}/"), 404, 'not_found', 'a slash behind a batch');

# Whose.
is(list('', as => 'bob')->{pagination}{total_count}, 31, 'bob sees the same');
$page = list('', as => 'carol');
is($page->{pagination}{total_count}, 3, 'carol sees her own');
is(join(' ', map { $_->{organization_id} } @{$page->{data}}), 'globex globex globex', 'and no other');
is(list('resource=shipment', as => 'carol')->{pagination}{total_count}, 0, 'with a filter, too');

finish();
