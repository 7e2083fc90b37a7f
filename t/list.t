# GET /batch: pages, orders, counts, and whose batches.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

sub list
{
    my ($query, %option) = @_;
    my $answer = request('GET', '/batch' . (length $query ? "?$query" : ''), %option);
    die "list: ", $answer->status, ' ', $answer->body, "\n" if $answer->status != 200;
    return $answer->json;
}

sub ids
{
    return join ' ', map { $_->{id} } @{$_[0]{batches}};
}

my $list = list('');
is_deeply(
    [sort keys %$list],
    [qw(batches current_page per_page total_count total_pages)],
    'the members of a list'
);
is_deeply($list->{batches}, [], 'no batches yet');
is($list->{total_count}, 0, 'none in all');
is($list->{current_page}, 1, 'the first page');
is($list->{per_page}, 1000, '1000 a page, unless said otherwise');

# Seven batches, made within the same second or two: newest first needs more than the time.
my @made = map { pending(delete_ids(unknown_ids($_)))->{id} } 1 .. 7;
my $globex = pending(operation(form_id => '836352ac-71b9-11ee-b962-0242ac120002', ids => ['x']),
    as => 'carol')->{id};

$list = list('');
is(ids($list), join(' ', reverse @made), 'newest first');
is($list->{total_count}, 7, 'seven in all: those of the organization');
is($list->{total_pages}, 1, 'on one page');
is_deeply($list->{batches}[0], batch($made[6]), 'an element is what GET shows');
is(ids(list('', as => 'bob')), join(' ', reverse @made), 'bob sees the same');
is(ids(list('', as => 'carol')), $globex, 'carol sees her own');

my $answer
    = request('GET', '/api/v2/batch.json?page=2&per_page=3&sort=created_at&sort_direction=ASC');
$list = $answer->json;
is(ids($list), join(' ', @made[3 .. 5]), 'the second page of three, oldest first');
is_deeply(
    [@$list{qw(current_page per_page total_count total_pages)}],
    [2, 3, 7, 3],
    'with its numbers'
);
is(ids(list('page=3&per_page=3')), $made[0], 'the last page has what is left');
$list = list('page=4&per_page=3');
is_deeply(
    [$list->{batches}, @$list{qw(current_page total_count total_pages)}],
    [[], 4, 7, 3],
    'a page behind the last is empty'
);
is(list('per_page=7')->{total_pages}, 1, 'a page that is just full is one page');
is(list('per_page=1')->{total_pages}, 7, 'one a page makes seven');
is(list('per_page=20000')->{per_page}, 20000, '20000 a page');
is(list('per_page=20001')->{per_page}, 20000, 'more is clamped');
is(list('per_page=99999999999999999999')->{per_page}, 20000, 'much more, too');
is(ids(list('sort_direction=ASC')), join(' ', @made), 'ascending');
is(ids(list('sort_direction=asc')), join(' ', @made), 'in lower case');
is(ids(list('sort_direction=DESC')), join(' ', reverse @made), 'descending');
is(ids(list('sort=created_at')), join(' ', reverse @made), 'by created_at, newest first');
is(
    ids(list('sort=created%5Fat&sort_direction=%41SC')),
    join(' ', @made),
    'with escapes in the query'
);

# Other orders: the third one ends, and then the fifth.
foreach my $id (@made[2, 4]) {
    start($id);
    finished($id);
}
my $in_order = sub {
    my ($sort, $direction) = @_;
    my @values
        = map { $_->{$sort} // '' } @{list("sort=$sort&sort_direction=$direction")->{batches}};
    my @ordered = $sort eq 'objects_total' ? (sort { $a <=> $b } @values) : (sort @values);
    @ordered = reverse @ordered if $direction eq 'DESC';
    return "@values" eq "@ordered";
};
ok($in_order->('objects_total', $_), "by objects_total $_") for qw(ASC DESC);
foreach my $sort (qw(status started_at completed_at updated_at)) {
    my ($up, $down) = map { list("sort=$sort&sort_direction=$_") } qw(ASC DESC);
    is(
        ids($down),
        join(' ', reverse split / /, ids($up)),
        "by $sort, one direction is the other reversed"
    );
    is(scalar @{$up->{batches}}, 7, 'and has all of them');
}
is(ids(list('sort=updated_at&per_page=2')), join(' ', @made[4, 2]), 'the ones that changed last');

is(
    value(
        "SELECT count(*) FROM batch_jobs WHERE status_rank <> CASE status WHEN 'failed' THEN 1"
            . " WHEN 'pending' THEN 2 WHEN 'completed' THEN 4 ELSE 3 END"
    ),
    0,
    'the order by status goes by the status as it is'
);

# Pages of an order are disjoint and whole.
my @paged = map { split / /, ids(list("page=$_&per_page=2&sort=status")) } 1 .. 4;
is(join(' ', sort @paged), join(' ', sort @made), 'pages neither repeat nor lose a batch');

# Nonsense changes nothing and is no 500: it is refused, or read as the default.
foreach my $query (
    'page=0', 'page=-1',
    'page=x', 'page=',
    'page=99999999999999999999', 'page=9223372036854775807&per_page=20000',
    'per_page=0', 'per_page=-5',
    'per_page=1e3', 'sort=id;DROP TABLE batch_jobs',
    'sort=organization', 'sort_direction=sideways',
    'page=%00', 'page=%zz',
    '&&&==&', 'page=1&page=2',
    'x=' . 'y' x 4000
    )
{
    my $answer = request('GET', '/batch?' . ($query =~ s/ /%20/gr));
    my $status = $answer->status;
    ok($status == 200 || $status == 400 || $status == 422, 'no 500 for ' . substr($query, 0, 60))
        or diag("$status ", $answer->body);
    my $json = eval { $answer->json } || {};
    ok(
        $status != 200
            || (ref $json->{batches} eq 'ARRAY'
            && $json->{current_page} >= 1
            && $json->{per_page} >= 1
            && $json->{per_page} <= 20000),
        'and a list is a list'
    ) or diag($answer->body);
}
is(list('')->{total_count}, 7, 'all are still there');

# HEAD, and the other names.
$answer = request('HEAD', '/batch');
is($answer->status, 200, 'HEAD');
is($answer->body, '', 'without a body');
is(ids(request('GET', $_)->json), join(' ', reverse @made), $_)
    for qw(/batch.json /api/v2/batch /api/v2/batch.json);

finish();
