# Nothing of one organization is ever read, changed, counted or named for another.
#
# What these tests protect, and which fails without it:
#   store, batch_tx_job_get: the condition on the organization    "carol: …"
#   store, batch_tx_job_list: the condition on the organization   "carol's list"
#   store, batch_tx_form_check: the condition on the organization "a form of another organization"
#   store, batch_tx_rows_*: the condition on the organization     "a record of globex in …"
#   store, batch_tx_rows_*: the condition on the form             "a record of another form"
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

use constant GLOBEX_APP => '836352ac-71b9-11ee-b962-0242ac120002';

my @ids = record_ids(20);
my @globex = map { $_->{id} }
    rows("SELECT id FROM records WHERE organization_id = 'globex' ORDER BY id LIMIT 5");
my @hydrants = map { $_->{id} }
    rows("SELECT id FROM records WHERE form_id = '" . HYDRANTS() . "' ORDER BY id LIMIT 5");
my $globex = table_hash('records', "organization_id = 'globex'");
my $hydrants = table_hash('records', "form_id = '" . HYDRANTS() . "'");

# ---- Batches -------------------------------------------------------------------------------------

my $pending = pending(delete_ids(@ids[0 .. 1]));
my $final = finished(create(delete_ids($ids[2], unknown_ids(1))));
my $records = table_hash('records');

foreach
    my $how ([as => 'carol'], [as => undef, headers => {Authorization => basic('carol', 'carol')}])
{
    foreach my $batch ($pending, $final) {
        my $path = "/batch/$batch->{id}";
        is_error(request('GET', $path, @$how), 404, "carol: GET of a $batch->{status} batch");
        is(request('HEAD', $path, @$how)->status, 404, "carol: HEAD of a $batch->{status} batch");
        is_error(request('GET', "$path/errors.json", @$how),
            404, "carol: errors.json of a $batch->{status} batch");
        is_error(request('GET', "$path/errors.csv", @$how),
            404, "carol: errors.csv of a $batch->{status} batch");
        is_error(request('POST', "$path/start", @$how),
            404, "carol: start of a $batch->{status} batch");
        is_error(
            request('POST', "$path/operations", @$how, json => {operations => [delete_ids('x')]}),
            404, "carol: operations of a $batch->{status} batch");
        is_error(request('DELETE', $path, @$how), 404, "carol: DELETE of a $batch->{status} batch");
        # Even wrong requests learn nothing.
        is_error(request('POST', "$path/operations", @$how, json => {operations => []}),
            404, "carol: wrong operations of a $batch->{status} batch");
    }
}
# The very bytes are those of a batch that does not exist.
my $other = request('GET', "/batch/$final->{id}", as => 'carol');
my $none = request('GET', '/batch/00000000-0000-4000-8000-000000000000', as => 'carol');
is(
    $other->body =~ s/\Q$final->{id}\E//gr,
    $none->body =~ s/00000000-0000-4000-8000-000000000000//gr,
    'a batch of another organization is answered as one that does not exist'
);
is(batch($pending)->{status}, 'pending', 'the pending batch is as it was');
is(table_hash('records'), $records, 'and nothing is deleted');

my $carols = pending(operation(form_id => GLOBEX_APP, ids => [$globex[0]]), as => 'carol');
my $list = request('GET', '/batch', as => 'carol')->json;
is_deeply([map { $_->{id} } @{$list->{batches}}],
    [$carols->{id}], "carol's list has her batch alone");
is_deeply([@$list{qw(total_count total_pages)}], [1, 1], "carol's list counts hers alone");
is(request('GET', '/batch')->json->{total_count}, 2, "alice's list counts acme's alone");
is_error(request('GET', "/batch/$carols->{id}"), 404, "alice: GET of carol's");
is_error(start($carols, as => 'bob'), 404, "bob: start of carol's");

# ---- Forms ---------------------------------------------------------------------------------------

# Both have a form called "Testing App": a form is an id, and that is bound to the organization.
my $foreign = post_batch(operation(form_id => GLOBEX_APP, ids => [$globex[0]]));
is_unprocessable($foreign, ['operations[0].form_id'], 'a form of another organization');
my $unknown
    = post_batch(operation(form_id => '00000000-0000-4000-8000-000000000000', ids => [$globex[0]]));
is_unprocessable($unknown, ['operations[0].form_id'], 'a form of nobody');
is(
    $foreign->body =~ s/\Q${\GLOBEX_APP()}\E//gr,
    $unknown->body =~ s/00000000-0000-4000-8000-000000000000//gr,
    'get the same answer'
);
is_unprocessable(
    post_batch(
        operation(form_id => GLOBEX_APP, ids => [$globex[0]]),
        batch => {start => JSON::PP::false}
    ),
    ['operations[0].form_id'],
    'a form of another organization in a pending batch'
);
is_unprocessable(
    request(
        'POST',
        "/batch/$pending->{id}/operations",
        json => {operations => [operation(form_id => GLOBEX_APP, ids => [$globex[0]])]}
    ),
    ['operations[0].form_id'],
    'a form of another organization in operations'
);
is_unprocessable(post_batch(operation(form_id => 'Testing App', ids => [$ids[0]])),
    ['operations[0].form_id'], 'a name is no id');
is_unprocessable(post_batch(operation(form_id => TESTING_APP, ids => [$ids[0]]), as => 'carol'),
    ['operations[0].form_id'], "acme's form for carol");

# ---- Rows ----------------------------------------------------------------------------------------

my $batch = finished(create(delete_ids($ids[3], @globex, @hydrants)));
is_batch_counts(
    $batch,
    ['success', 11, 1, 10],
    'ids of another organization and of another form fail'
);
is(table_hash('records', "organization_id = 'globex'"),
    $globex, 'rows of another organization are untouched');
is(table_hash('records', "form_id = '" . HYDRANTS() . "'"),
    $hydrants, 'a record of another form is untouched');
my $errors = request('GET', "/batch/$batch->{id}/errors.json")->json;
is_deeply([map { $_->{id} } @$errors], [@globex, @hydrants], 'they are listed');
my %message = map { ($_->{message} =~ s/\Q$_->{id}\E//gr) => 1 } @$errors;
is(scalar keys %message, 1, 'in the words of one that does not exist');
is(
    join(
        ' ',
        do {
            my %seen;
            grep { !$seen{$_}++ } map { $_->{code} } @$errors;
        }
    ),
    'not_found',
    'and with its code'
);

$batch = finished(create(update_ids({status => 'taken'}, $ids[4], @globex, @hydrants)));
is_batch_counts($batch, ['success', 11, 1, 10], 'an update of them fails, too');
is(table_hash('records', "organization_id = 'globex'"),
    $globex, 'rows of another organization are not updated');
is(table_hash('records', "form_id = '" . HYDRANTS() . "'"),
    $hydrants, 'a record of another form is not updated');

# The form alone does not do: here is a record of globex in acme's form, and one of acme in globex's
# form.
sql("INSERT INTO records (id, organization_id, form_id, status, created_at, updated_at) VALUES " .
        "('stray-globex', 'globex', '" . TESTING_APP .
        "', 'kept', 'x', 'x'), ('stray-acme', 'acme', '" . GLOBEX_APP . "', 'kept', 'x', 'x')");
is_batch_counts(
    finished(create(delete_ids('stray-globex', 'stray-acme'))),
    ['failed', 2, 0, 2],
    "a record of globex in acme's form"
);
is_batch_counts(
    finished(create(update_ids({status => 'lost'}, 'stray-globex', 'stray-acme'))),
    ['failed', 2, 0, 2],
    'an update of it'
);
$batch = finished(
    create(operation(form_id => GLOBEX_APP, ids => ['stray-globex', 'stray-acme']), as => 'carol'),
    as => 'carol'
);
is_batch_counts($batch, ['failed', 2, 0, 2], 'both for carol, too');
is(value("SELECT count(*) FROM records WHERE id LIKE 'stray-%' AND status = 'kept'"),
    2, 'both are as they were');

# Rows that change hands between selection and run.
$batch = pending(delete_ids(@ids[5 .. 7]));
sql(
    "UPDATE records SET organization_id = 'globex' WHERE id = '$ids[5]'",
    "UPDATE records SET form_id = '" . HYDRANTS() . "' WHERE id = '$ids[6]'"
);
start($batch);
is_batch_counts(finished($batch), ['success', 3, 1, 2], 'rows that changed hands meanwhile fail');
is(value("SELECT count(*) FROM records WHERE id IN ('$ids[5]', '$ids[6]')"),
    2, 'and are still there');

# The same id in both: each has its own.
restore();
is_batch_counts(
    finished(
        create(
            operation(form_id => GLOBEX_APP, ids => [@globex[0 .. 1], @ids[0 .. 1]]),
            as => 'carol'
        ),
        as => 'carol'
    ),
    ['success', 4, 2, 2],
    "carol deletes hers, and not alice's"
);
is(value("SELECT count(*) FROM records WHERE organization_id = 'acme'"),
    540, 'acme has lost nothing');
is(value("SELECT count(*) FROM records WHERE organization_id = 'globex'"),
    58, 'globex has lost two');

# Two organizations at once: each batch counts its own.
restore();
my @answers = parallel(
    [
        map {
            (
                request_text(
                    'POST',
                    '/batch',
                    json => {
                        batch => {operations => [delete_ids(@ids[$_ * 2, $_ * 2 + 1], @globex)]}
                    }
                ),
                request_text(
                    'POST', '/batch',
                    as => 'carol',
                    json => {
                        batch => {
                            operations => [
                                operation(form_id => GLOBEX_APP, ids => [$globex[$_], @ids])
                            ]
                        }
                    }
                )
            )
        } 0 .. 4
    ]
);
foreach my $number (0 .. $#answers) {
    my ($as, @counts) = $number % 2 ? ('carol', 21, 1, 20) : ('alice', 7, 2, 5);
    is($answers[$number]->status, 202, "$as, at once with others") or next;
    is_batch_counts(
        finished($answers[$number]->json->{batch}, as => $as),
        ['success', @counts],
        "$as has what is hers"
    );
}

finish();
