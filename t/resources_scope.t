# Nothing of one organization is read, changed, counted or named for another; who may do what; and
# each API shows its own batches only.
#
# Without the scope in the statements of rows "by id" and "by match key" fail; without it in those of
# batches "GET of" fails.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $hana = 'c0050000-71b9-4000-8000-0242ac120002';
my $none = '00000000-0000-4000-8000-000000000000';
my @tables = qw(contacts groups shipments trackers assets records);
my %acme = map { $_ => table_hash($_, "organization_id = 'acme'") } @tables;

# ---- Batches -------------------------------------------------------------------------------------

my $mixed = run_batch(merge('shipment', [{tracking_number => '1Z999AA10123456784'}]));
my $sync = synchronous(merge('shipment', [{tracking_number => '1Z999AA10123456784', carrier => undef}]))->json->{data};
foreach my $batch ($mixed, $sync) {
    my $other = request('GET', "/batches/$batch->{id}", as => 'carol');
    is_refused($other, 404, 'not_found', 'carol: GET of ' . $batch->{mode});
    my $nobody = request('GET', "/batches/$none", as => 'carol');
    is($other->body =~ s/\Q$batch->{id}\E//gr, $nobody->body =~ s/\Q$none\E//gr, 'as one that does not exist');
    is_refused(cancel($batch, as => 'carol'), 404, 'not_found', "carol: cancel of $batch->{mode}");
    is(resource_batch($batch, as => 'bob')->{id}, $batch->{id}, 'bob: GET of it');
}
is_deeply(request('GET', '/batches', as => 'carol')->json->{data}, [], "carol's list is empty");

# ---- Rows, by id and by match key ----------------------------------------------------------------

foreach my $mode (qw(mixed sync)) {
    restore();
    my $run = sub {
        my ($request) = @_;
        return resource_final(post_batches({%$request, mode => $mode, atomic => FALSE}, as => 'carol')->json->{data},
            as => 'carol');
    };
    my $batch = $run->(merge('contact', [{id => $dana, name => 'stolen'}, {id => $hana, name => 'mine'}]));
    is_result($batch, 'completed', {updated => 1, errors => 1}, "$mode: a merge by id");
    my @errors = stored_errors($batch);
    my $unknown = $run->(merge('contact', [{id => $none, name => 'stolen'}]));
    my @none = stored_errors($unknown);
    is($errors[0]{message} =~ s/\Q$dana\E//gr, $none[0]{message} =~ s/\Q$none\E//gr,
        "$mode: in the words of one that does not exist");
    $batch = $run->(removal('contact', [{id => $dana}]));
    is($batch->{stats}{deleted}, 0, "$mode: a delete by id");
    $batch = $run->(merge('shipment', [{tracking_number => '9400111899223197428490', carrier => 'hers'},
                {id => 'e0010000-71b9-4000-8000-0242ac120002', tracking_number => 'stolen'}]));
    is_result($batch, 'completed', {created => 1, errors => 1},
        "$mode: a number that acme has is free for globex");
    $batch = $run->(merge('asset', [{item_id => 'hose-20m', location_id => 'depot-1', quantity => 1}]));
    is_result($batch, 'completed', {created => 1}, "$mode: a match key of two");
    $batch = $run->(merge('group', [{name => 'Inspectors', resource => 'contact'}]));
    is_result($batch, 'completed', {created => 1}, "$mode: a group of that name");
    # Said in other words.
    foreach my $item (
        {id => $dana, organization_id => 'acme', name => 'x'}, {id => $dana, organization_id => 'globex', name => 'x'},
        {name => 'x', organization_id => 'acme'}, {id => uc $dana, name => 'x'}, {id => "$dana ", name => 'x'}
        )
    {
        $batch = $run->(merge('contact', [$item]));
        is($batch->{stats}{updated} + $batch->{stats}{created}, 0, "$mode: another organization in the item");
    }
    is($run->(overwrite('contact', [{name => "hers $mode"}]))->{status}, 'completed', "$mode: an overwrite");
    my $all = $run->(overwrite('group', [], allow_empty => TRUE));
    is($all->{status}, 'completed', "$mode: one that removes all of hers");
}
is(table_hash($_, "organization_id = 'acme'"), $acme{$_}, "$_ of acme are as they were") for @tables;
is(join(' ', map { $_->{name} } contacts("organization_id = 'globex'")), 'hers sync', 'hers are as she said');
is(value("SELECT count(*) FROM groups WHERE organization_id = 'globex'"), 0, 'and gone where she said');
my $answer = post_batches(merge('contact', [{name => 'x'}], organization_id => 'acme', created_by_id => 'x'), as => 'carol');
is($answer->json->{data}{organization_id}, 'globex', 'a request cannot say whose it is');
resource_final($answer->json->{data}, as => 'carol');
is(table_hash('contacts', "organization_id = 'acme'"), $acme{contacts}, 'nor reach over');
foreach my $header ('X-Organization', 'X-Organization-Id', 'BATCH_ORGANIZATION', 'REMOTE_USER', 'X-Forwarded-User') {
    $answer = request('GET', '/batches', as => 'carol', headers => {$header => 'acme'});
    is(scalar(grep { $_->{organization_id} ne 'globex' } @{$answer->json->{data}}), 0, "nor does a header $header");
}

# ---- Who may do what -----------------------------------------------------------------------------

restore();
my $before = table_hash('contacts');
foreach my $mode (qw(mixed sync)) {
    foreach my $action (qw(overwrite delete)) {
        $answer = post_batches(merge('contact', [{id => $dana}], action => $action, mode => $mode), as => 'bob');
        is_refused($answer, 403, 'forbidden', "bob: $action, $mode");
        # Whatever else is wrong, that comes first; and it says no more.
        $answer = post_batches(merge('contact', [{id => 5}], action => $action, mode => 'x'), as => 'bob');
        is_refused($answer, 403, 'forbidden', "bob: a wrong $action");
    }
}
foreach my $text (
    '{"action":"merge","action":"delete","resource":"contact","data":[{"id":"%s"}]}',
    '{"action":"delete","data":[{"id":"%s"}],"action":"merge","resource":"contact"}',
    '{"data":[{"id":"%s"}],"resource":"contact","action":"merge","\u0061ction":"delete"}'
    )
{
    $answer = post_batches(undef, as => 'bob', body => sprintf $text, $dana);
    isnt($answer->status, 500, 'an action said twice');
    resource_final($answer->json->{data}) if $answer->status == 202;
}
is(value('SELECT count(*) FROM contacts'), 6, 'removes nothing');
is(value("SELECT count(*) FROM batch_jobs WHERE action <> 'merge'"), 0, 'no batch of what he may not do was made');
is_result(run_batch(merge('contact', [{id => $dana, phone => 'bob'}]), as => 'bob'), 'completed', {updated => 1},
    'bob may merge');
is(synchronous(merge('contact', [{name => 'by bob'}]), as => 'bob')->status, 201, 'in sync, too');
my $alices = run_batch(overwrite('contact', [{id => $dana}]));
is(request('GET', "/batches/$alices->{id}", as => 'bob')->status =~ /^(?:200|403)$/ ? 1 : 0, 1, "bob: alice's overwrite");

# ---- The two APIs --------------------------------------------------------------------------------

restore();
my $records = finished(create(delete_ids(record_ids(1))));
my $pending = pending(delete_ids(record_ids(1)));
my $resources = run_batch(removal('record', [{id => record_ids(1)}]));
foreach my $batch ($records, $pending) {
    is_refused(request('GET', "/batches/$batch->{id}"), 404, 'not_found', "$batch->{status}: not in the resources API");
    is_refused(cancel($batch), 404, 'not_found', "$batch->{status}: nor its cancel");
}
is(batch($pending)->{status}, 'pending', 'which does nothing');
my $path = "/batch/$resources->{id}";
is_error(request('GET', $path), 404, 'of the resources API: GET');
is_error(request('DELETE', $path), 404, 'of the resources API: DELETE');
is_error(request('POST', "$path/start"), 404, 'of the resources API: start');
is_error(request('GET', "$path/errors.json"), 404, 'of the resources API: errors');
is_error(request('POST', "$path/operations", json => {operations => [delete_ids(record_ids(1))]}), 404,
    'of the resources API: operations');
is(request('GET', '/batch')->json->{total_count}, 2, 'the list of the records API has its own');
is(request('GET', '/batches')->json->{pagination}{total_count}, 1, 'the list of the resources API, too');
is(resource_batch($resources)->{stats}{deleted}, 1, 'the batch is there');

finish();
