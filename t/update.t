# The update action: the rows named get the new values, and nothing else changes.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(30);

sub row { return (rows("SELECT * FROM records WHERE id = '$_[0]'"))[0] }

my %before = map { $_ => row($_) } @ids[0 .. 9];
my $named = "id NOT IN ('" . join("', '", @ids[0 .. 4]) . "')";
my $others = table_hash('records', $named);
my $batch = finished(create(update_ids({status => 'checked'}, @ids[0 .. 4])));
is_batch_counts($batch, ['success', 5, 5, 0], 'an update of five');
is(table_hash('records', $named), $others, 'changes no other row');
foreach my $id (@ids[0 .. 4]) {
    my $now = row($id);
    my %wanted = (
        %{$before{$id}},
        status => 'checked',
        updated_at => $now->{updated_at},
        updated_by_id => '6fcf631a-71b9-11ee-b962-0242ac120002'
    );
    is_deeply($now, \%wanted, 'sets the status and the stamps, and nothing else');
    like($now->{updated_at}, utc_time(), 'the stamp is a time in UTC');
    ok($now->{updated_at} gt $before{$id}{updated_at}, 'and later than it was');
}

$batch = finished(
    create(
        update_ids({status => 'a', project_id => 'p', assigned_to_id => 'b'}, @ids[5 .. 6]),
        as => 'bob'
    )
);
is_batch_counts($batch, ['success', 2, 2, 0], 'all three at once');
is_deeply(
    [@{row($ids[5])}{qw(status project_id assigned_to_id updated_by_id)}],
    ['a', 'p', 'b', '7a0c1d52-71b9-11ee-b962-0242ac120002'],
    'are set, and by whom'
);

$batch = finished(create(update_ids({project_id => undef, assigned_to_id => undef}, @ids[5 .. 6])));
is_deeply(
    [@{row($ids[5])}{qw(status project_id assigned_to_id)}],
    ['a', undef, undef],
    'null sets NULL, absent leaves alone'
);

foreach my $text (
    "it's \"x\"", '', '%s', "\x{e9}\x{20ac}\x{1f600}",
    "two\nlines", "'; DROP TABLE records; --", 'NULL', '~',
    '3:abc,', 'x' x 10000
    )
{
    finished(create(update_ids({status => $text}, $ids[7])));
    is(
        row($ids[7])->{status},
        $text,
        'text is text: ' . join ' ',
        map { sprintf '%02x', ord } split //,
        substr $text, 0, 12
    );
}

# Again, with the same value: a row that was there is one that was updated.
for (1 .. 2) {
    is_batch_counts(
        finished(create(update_ids({status => 'same'}, @ids[0 .. 4], unknown_ids(2)))),
        ['success', 7, 5, 2],
        'the same again'
    );
}
is_batch_counts(
    finished(create(update_ids({status => 'x'}, unknown_ids(3)))),
    ['failed', 3, 0, 3],
    'an update of nothing'
);

# The whole form.
my @all = record_ids(500);
is_batch_counts(
    finished(create(update_ids({project_id => 'all of them'}, @all))),
    ['success', 500, 500, 0],
    'an update of 500'
);
is(value("SELECT count(*) FROM records WHERE project_id = 'all of them'"), 500, 'sets 500');

# What is wrong with data.
my $before = table_hash('records');
my @wrong = (
    ['no data', undef, qr/^operations\[0\]\.data$/],
    ['empty data', {}, qr/^operations\[0\]\.data$/],
    ['data that are an array', [], qr/^operations\[0\]\.data$/],
    ['data that are a text', 'status', qr/^operations\[0\]\.data$/],
    ['a column that there is not', {colour => 'red'}, qr/^operations\[0\]\.data\.colour$/],
    ['a column that nobody may write', {version => 3}, qr/^operations\[0\]\.data\.version$/],
    ['another one', {form_values => {a => 1}}, qr/^operations\[0\]\.data\.form_values$/],
    ['the id', {id => 'x'}, qr/^operations\[0\]\.data\.id$/],
    [
        'the organization',
        {organization_id => 'globex'},
        qr/^operations\[0\]\.data\.organization_id$/
    ],
    ['the form', {form_id => HYDRANTS()}, qr/^operations\[0\]\.data\.form_id$/],
    ['a stamp', {updated_by_id => 'x'}, qr/^operations\[0\]\.data\.updated_by_id$/],
    ['a number for a text', {status => 42}, qr/^operations\[0\]\.data\.status$/],
    ['a boolean for a text', {status => JSON::PP::true}, qr/^operations\[0\]\.data\.status$/],
    ['an object for a text', {status => {}}, qr/^operations\[0\]\.data\.status$/],
    ['a NUL in a text', {status => "a\0b"}, qr/^operations\[0\]\.data\.status$/],
    ['a column name with SQL in it', {"status = 'x' --" => 'y'}, qr/^operations\[0\]\.data\./],
);
foreach my $case (@wrong) {
    my ($name, $data, $field) = @$case;
    my $answer = post_batch(operation(action => 'update', ids => [$ids[8]], data => $data));
    my @fields = $answer->status == 422 ? keys %{$answer->json->{batch}{errors}} : ();
    # A member that cannot be read leaves data without one, which may be told, too.
    @fields = grep { $_ ne 'operations[0].data' } @fields if @fields > 1;
    ok(@fields == 1 && $fields[0] =~ $field, "$name: 422")
        or diag($answer->status, ' ', $answer->body);
}
my $answer = post_batch(
    operation(
        action => 'update',
        ids => [$ids[8]],
        data => {colour => 'red', version => 1, status => 5}
    )
);
is_unprocessable(
    $answer,
    [map {"operations[0].data.$_"} qw(colour version status)],
    'one entry for each wrong member'
);
is(table_hash('records'), $before, 'none of these has changed a row');
is(
    request('GET', '/batch?per_page=1')->json->{total_count},
    value('SELECT count(*) FROM batch_jobs'),
    'nor made a batch'
);

finish();
