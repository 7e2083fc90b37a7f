# The mode sync: done when the answer comes, all or nothing.
#
# needs: processes, drivers
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $none = '00000000-0000-4000-8000-000000000000';
my $before = table_hash('contacts');

# ---- All or nothing ------------------------------------------------------------------------------

my @good = ({name => 'one'}, {id => $dana, phone => '1'});
foreach my $case (
    ['an unknown id', {id => $none}, 'id', 'not_found'],
    ['a wrong type', {name => 5}, 'name', 'wrong_type'],
    ['something missing', {email => 'x'}, 'name', 'missing'],
    ['something unknown', {name => 'x', fax => 1}, 'fax', 'unknown_member'],
    )
{
    my ($name, $item, $field, $code) = @$case;
    foreach my $place (0 .. 2) {
        my @items = @good;
        splice @items, $place, 0, $item;
        my $answer = synchronous(merge('contact', \@items));
        is_envelope($answer, 422, 'batch_failed', "$name at $place");
        my $batch = $answer->json->{data};
        is_result($batch, 'failed', {errors => 1}, "$name at $place: nothing is counted as done");
        like($batch->{reason} // '', qr/\w/, "$name at $place: and says why");
        is_item_errors($answer->json->{errors}, [[$place, $field, $code]], "$name at $place: with its error");
        is_result(resource_batch($batch), 'failed', {errors => 1}, "$name at $place: the batch is kept");
        is_deeply(resource_batch($batch)->{phases}, $batch->{phases}, "$name at $place: with its phases");
    }
}
is(table_hash('contacts'), $before, 'no row has changed');
my $answer = synchronous(merge('contact', [{name => 5}, {fax => 1, name => 'x'}, @good, {email => 'y'}]));
is_item_errors($answer->json->{errors}, [[0, 'name', 'wrong_type'], [1, 'fax', 'unknown_member'], [4, 'name', 'missing']],
    'every error is in errors');
is($answer->json->{data}{stats}{errors}, 3, 'and is counted');
is_deeply([phases_of($answer->json->{data})], ['parsing completed 5 5 5 0', 'validation completed 5 5 2 3', 'processing failed 2 0 0 0'],
    'and in the phases, of which the last one was not carried out');
$answer = synchronous(merge('contact', [{name => 'd'}, {name => 'd'}, {name => 5}]));
is_deeply([phases_of($answer->json->{data})], ['parsing completed 3 3 2 1', 'validation completed 2 2 1 1', 'processing failed 1 0 0 0'],
    'what one calls success is the total of the next');
is(table_hash('contacts'), $before, 'still no row has changed');

# Not atomic.
$answer = synchronous(merge('contact', [{name => 5}, @good, {email => 'y'}], atomic => FALSE));
is_envelope($answer, 201, undef, 'not atomic');
is_result($answer->json->{data}, 'completed', {created => 1, updated => 1, errors => 2}, 'not atomic: the good are done');
is_phases($answer->json->{data}, {received => 4, invalid => 2}, 'not atomic');
is_item_errors($answer->json->{errors}, [[0, 'name', 'wrong_type'], [3, 'name', 'missing']], 'not atomic: the others listed');
is(value("SELECT count(*) FROM contacts WHERE name = 'one' OR phone = '1'"), 2, 'not atomic: their rows');
$answer = synchronous(merge('contact', [{name => 'atomic'}], atomic => TRUE));
is_envelope($answer, 201, undef, 'atomic, and good');

# ---- A batch like any other ----------------------------------------------------------------------

my $batch = $answer->json->{data};
is_refused(cancel($batch), 409, 'conflict', 'cancel of one that is done');
is(resource_batch($batch)->{status}, 'completed', 'leaves it');
is(value("SELECT count(*) FROM batch_jobs WHERE id = '$batch->{id}' AND api = 'resources'"), 1, 'it is kept');

# ---- Many at once --------------------------------------------------------------------------------

restore();
my @answers = parallel(
    [
        map {
            request_text('POST', '/batches',
                json => merge('contact', [map { {name => "many $_"} } $_ * 10 .. $_ * 10 + 9], mode => 'sync'))
        } 1 .. 16
    ]
);
is(join(' ', map { $_->status } @answers), join(' ', (201) x 16), '16 at once');
is(scalar(contacts("name LIKE 'many %'")), 160, 'all their rows');
is(value("SELECT count(DISTINCT name) FROM contacts WHERE name LIKE 'many %'"), 160, 'each once');

# All want the same row: one makes it, the others find it.
foreach my $round (1 .. 5) {
    @answers = parallel(
        [
            map {
                request_text('POST', '/batches',
                    json => merge('shipment', [{tracking_number => "race $round", carrier => "c$_"},
                            {tracking_number => "race $round b", carrier => "c$_"}], mode => 'sync'))
            } 1 .. 8
        ]
    );
    is(join(' ', map { $_->status } @answers), join(' ', (201) x 8), "round $round: eight make the same row");
    my %sum;
    foreach my $one (grep { $_->status == 201 } @answers) {
        $sum{$_} += $one->json->{data}{stats}{$_} for qw(created updated errors);
    }
    is_deeply(\%sum, {created => 2, updated => 14, errors => 0}, "round $round: one creates, seven update");
    my @rows = rows("SELECT carrier FROM shipments WHERE tracking_number LIKE 'race $round%'");
    is(scalar @rows, 2, "round $round: there is one of each");
    is($rows[0]{carrier}, $rows[1]{carrier}, "round $round: both of the same batch");
}

# Two that take the same rows in opposite orders.
foreach my $round (1 .. 5) {
    my @items = map { {tracking_number => sprintf('o%03d', $_), recipient => "r$round"} } 1 .. 100;
    @answers = parallel(
        [
            map {
                request_text('POST', '/batches', json => merge('shipment', $_, mode => 'sync'))
            } \@items, [reverse @items], \@items, [reverse @items]
        ]
    );
    is(join(' ', map { $_->status } @answers), '201 201 201 201', "round $round: opposite orders");
}
is(value("SELECT count(*) FROM shipments WHERE tracking_number LIKE 'o%' AND recipient = 'r5'"), 100, 'rows of the last');

# While a large batch runs, small ones do not wait for its end.
restore();
on_table('contacts', sub { slow_trigger('INSERT', 20) });
my $large = accepted(merge('contact', [contact_items(500, "slow")]));
my $overtook = 0;
while (resource_batch($large)->{status} ne 'completed') {
    $answer = synchronous(merge('shipment', [{tracking_number => 'beside', carrier => "c$overtook"}]));
    last if $answer->status != 201;
    $overtook++;
    let_go() if $overtook == 10;
}
is($answer->status, 201, 'sync batches beside a large one') or diag($answer->body);
cmp_ok($overtook, '>', 1, "overtake it ($overtook)");
is_result(resource_final($large), 'completed', {created => 500}, 'which completes');

finish();
