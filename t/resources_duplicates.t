# Parsing: items that are the same by id, by match key or by content, and which of them is kept.
#
# Without the set of digests the rows are right here and there, and the counts never.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';

# A case: resource, items, {handling => [indexes that are dropped]}, a SELECT of one value a row that
# tells what was kept, {handling => [those values]}.
my @cases = (
    [
        'by id', 'contact',
        [
            {id => $dana, phone => 'first'}, {name => 'between'}, {phone => 'second', id => $dana, notes => 'n'},
            {id => $dana, phone => 'third'}
        ],
        {use_first => [2, 3], use_last => [0, 2], ignore_all => [0, 2, 3]},
        "SELECT phone AS v FROM contacts WHERE id = '$dana'",
        {use_first => ['first'], use_last => ['third'], ignore_all => ['+1 555 0100']}
    ],
    [
        'by match key', 'shipment',
        [
            {tracking_number => 'T1', carrier => 'first'}, {tracking_number => 'T2', carrier => 'only'},
            {carrier => 'last', tracking_number => 'T1'}
        ],
        {use_first => [2], use_last => [0], ignore_all => [0, 2]},
        "SELECT carrier AS v FROM shipments WHERE tracking_number LIKE 'T_' ORDER BY tracking_number",
        {use_first => ['first', 'only'], use_last => ['last', 'only'], ignore_all => ['only']}
    ],
    [
        'by a match key of two columns', 'asset',
        [
            {item_id => 'a', location_id => 'bc', name => 'one'}, {item_id => 'ab', location_id => 'c', name => 'two'},
            {location_id => 'bc', item_id => 'a', name => 'three'}, {item_id => 'bc', location_id => 'a', name => 'four'}
        ],
        {use_first => [2], use_last => [0], ignore_all => [0, 2]},
        "SELECT name AS v FROM assets WHERE created_at > '2024' ORDER BY name",
        {use_first => [qw(four one two)], use_last => [qw(four three two)], ignore_all => [qw(four two)]}
    ],
    [
        'by content', 'contact',
        [
            {name => 'same', email => 'e'}, {name => 'same'}, {email => 'e', name => 'same'},
            {name => 'same', email => undef}, {name => 'same', email => 'e'}
        ],
        {use_first => [2, 4], use_last => [0, 2], ignore_all => [0, 2, 4]},
        "SELECT coalesce(email, '-') AS v FROM contacts WHERE name = 'same' ORDER BY 1",
        {use_first => [qw(- - e)], use_last => [qw(- - e)], ignore_all => [qw(- -)]}
    ],
    [
        'by a match key that properties complete', 'group',
        [{name => 'G'}, {name => 'G', resource => 'contact'}, {name => 'G', resource => 'location'}],
        {use_first => [1], use_last => [0], ignore_all => [0, 1]},
        "SELECT resource AS v FROM groups WHERE name = 'G' ORDER BY 1",
        {use_first => [qw(contact location)], use_last => [qw(contact location)], ignore_all => ['location']},
        {resource => 'contact'}
    ],
    [
        'that are no objects, or wrong', 'contact',
        [{name => 'good'}, {name => 5}, {id => 'x', name => 'a'}, {id => 'x', name => 'b'}],
        {use_first => [3], use_last => [2], ignore_all => [2, 3]},
        "SELECT name AS v FROM contacts WHERE created_at > '2024'",
        {use_first => ['good'], use_last => ['good'], ignore_all => ['good']},
    ],
);

foreach my $mode (qw(mixed sync)) {
    foreach my $case (@cases) {
        my ($name, $resource, $items, $dropped, $select, $kept, $properties) = @$case;
        foreach my $handling (undef, qw(use_first use_last ignore_all)) {
            restore();
            my $title = "$mode, $name, " . ($handling || 'unsaid');
            my $answer = post_batches(
                merge($resource, $items, mode => $mode, duplicate_handling => $handling,
                    properties => $properties, atomic => FALSE)
            );
            my $wanted = $handling || 'use_first';
            my $batch = $answer->json->{data};
            if (!$batch) {
                fail("$title: " . $answer->body);
                next;
            }
            $batch = resource_final($batch);
            is($batch->{duplicate_handling}, $wanted, "$title: it says how");
            is($batch->{stats}{duplicates}, scalar @{$dropped->{$wanted}}, "$title: they are counted");
            is($batch->{stats}{created} + $batch->{stats}{updated} + $batch->{stats}{errors},
                @$items - @{$dropped->{$wanted}}, "$title: what is left is done, or wrong");
            my @errors = grep { $_->{code} eq 'duplicate' } stored_errors($batch);
            is(join(' ', map { $_->{index} } @errors), join(' ', @{$dropped->{$wanted}}), "$title: they are listed");
            @errors = grep { $_->{code} eq 'duplicate' } @{$answer->json->{errors}};
            is(join(' ', map { $_->{index} } @errors), join(' ', @{$dropped->{$wanted}}),
                "$title: in the answer, too")
                if $mode eq 'sync';
            is_deeply([map { $_->{v} } rows($select)], $kept->{$wanted}, "$title: the right one is kept");
            is_phases(
                $batch,
                {received => scalar @$items, duplicates => scalar @{$dropped->{$wanted}}, invalid => $batch->{stats}{errors}},
                $title
            );
        }
    }
}

# A duplicate is no bad item: it does not undo a sync batch.
restore();
my $answer = synchronous(merge('contact', [{name => 'once'}, {name => 'once'}]));
is_envelope($answer, 201, undef, 'sync, all or nothing, with a duplicate');
is_result($answer->json->{data}, 'completed', {created => 1, duplicates => 1}, 'is applied');
is(scalar(contacts("name = 'once'")), 1, 'once');

# Nothing but duplicates is left.
$answer = synchronous(merge('contact', [({name => 'none'}) x 3], duplicate_handling => 'ignore_all'));
is($answer->json->{data}{stats}{duplicates}, 3, 'sync: all are dropped');
is($answer->json->{data}{stats}{created}, 0, 'none is made');
my $batch = run_batch(merge('contact', [({name => 'none'}) x 3], duplicate_handling => 'ignore_all'));
is($batch->{stats}{duplicates}, 3, 'mixed: all are dropped');
is(scalar(contacts("name = 'none'")), 0, 'no row is made');

# Many, far apart, of every kind.
restore();
my @items = map { {tracking_number => sprintf('D%04d', $_ % 1500), recipient => "r$_"} } 0 .. 4499;
foreach my $handling (qw(use_first use_last ignore_all)) {
    sql("DELETE FROM shipments WHERE tracking_number LIKE 'D%'");
    $batch = run_batch(merge('shipment', [@items, {tracking_number => 'Dx'}], duplicate_handling => $handling));
    my $all = $handling eq 'ignore_all';
    is_result(
        $batch,
        'completed',
        {created => $all ? 1 : 1501, duplicates => $all ? 4500 : 3000},
        "$handling: 1500 keys, three times each"
    );
    my $row = $handling eq 'use_first' ? 'r7' : $handling eq 'use_last' ? 'r3007' : undef;
    is(value("SELECT recipient FROM shipments WHERE tracking_number = 'D0007'"), $row, "$handling: the right ones");
    my @errors = stored_errors($batch);
    my @wanted = $all ? (0 .. 4499) : $handling eq 'use_first' ? (1500 .. 4499) : (0 .. 2999);
    is(join(' ', map { $_->{index} } @errors), "@wanted", "$handling: all are listed, in order");
}

finish();
