# The action merge: what it does to each column of each row, in both modes.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $eve = 'c0020000-71b9-4000-8000-0242ac120002';
my $frank = 'c0030000-71b9-4000-8000-0242ac120002';
my $ups = 'e0010000-71b9-4000-8000-0242ac120002';

# The row with that id.
sub row
{
    my ($table, $id) = @_;
    my ($row) = rows("SELECT * FROM $table WHERE id = '$id'");
    return $row;
}

# Runs the request in a mode, and returns the final batch.
sub run_in
{
    my ($mode, $request, %option) = @_;
    return run_batch($request, %option) if $mode eq 'mixed';
    my $answer = synchronous($request, %option);
    die 'sync was answered ', $answer->status, ' ', substr($answer->body, 0, 800), "\n"
        if $answer->status !~ /^(?:201|422)$/ || !$answer->json->{data};
    return $answer->json->{data};
}

foreach my $mode (qw(mixed sync)) {

    # ---- By id -----------------------------------------------------------------------------------

    restore();
    my $others = table_hash('contacts', "id NOT IN ('$dana', '$eve')");
    my ($old_dana, $old_eve) = (row('contacts', $dana), row('contacts', $eve));
    my $batch = run_in(
        $mode,
        merge(
            'contact',
            [
                {id => $dana, phone => '+1 555 9999'},
                {name => 'New One', email => 'new@example.com'},
                {id => $eve, email => undef, name => 'Eve E.'},
                {name => 'New Two', notes => undef}
            ]
        )
    );
    is_result($batch, 'completed', {created => 2, updated => 2}, "$mode: a merge by id");
    is_phases($batch, {received => 4}, $mode);
    my ($new_dana, $new_eve) = (row('contacts', $dana), row('contacts', $eve));
    is_deeply(
        {%$new_dana, updated_at => 0},
        {%$old_dana, phone => '+1 555 9999', updated_at => 0},
        "$mode: an absent member leaves its column"
    );
    is_deeply(
        {%$new_eve, updated_at => 0},
        {%$old_eve, email => undef, name => 'Eve E.', updated_at => 0},
        "$mode: null sets NULL"
    );
    ok($new_dana->{updated_at} gt $old_dana->{updated_at}, "$mode: updated_at is stamped");
    like($new_dana->{updated_at}, utc_time(), "$mode: with a time in UTC");
    my @new = contacts("name LIKE 'New %'");
    is(scalar @new, 2, "$mode: two rows are new");
    my %new = map { $_->{name} => $_ } @new;
    is_deeply(
        [map { [@{$new{$_}}{qw(organization_id email phone notes)}] } 'New One', 'New Two'],
        [['acme', 'new@example.com', undef, undef], ['acme', undef, undef, undef]],
        "$mode: with what was sent, and no more"
    );
    foreach my $row (@new) {
        like($row->{id}, uuid_pattern(), "$mode: the server made its id");
        like($row->{$_}, utc_time(), "$mode: and $_") for qw(created_at updated_at);
    }
    isnt($new[0]{id}, $new[1]{id}, "$mode: the ids differ");
    is(table_hash('contacts', "id NOT IN ('$dana', '$eve') AND name NOT LIKE 'New %'"),
        $others, "$mode: no other row was touched");

    # Twice the same: contacts have no match key, so what has no id is new each time.
    $batch = run_in($mode, merge('contact', [{name => 'New One', email => 'new@example.com'}]));
    is_result($batch, 'completed', {created => 1}, "$mode: an item without an id is new");
    is(scalar(contacts("name = 'New One'")), 2, "$mode: and so is its row");

    # An id and nothing else, and an id with all that is there already.
    $old_dana = row('contacts', $dana);
    my %same = map { $_ => $old_dana->{$_} } qw(id name email phone notes);
    $batch = run_in($mode, merge('contact', [{id => $eve}, \%same]));
    is_result($batch, 'completed', {updated => 2}, "$mode: an item that changes nothing is updated");
    is_deeply(
        {%{row('contacts', $dana)}, updated_at => 0},
        {%$old_dana, updated_at => 0},
        "$mode: and its row is as it was"
    );
    is(row('contacts', $eve)->{name}, 'Eve E.', "$mode: the one of the id, too");

    # ---- By match key ----------------------------------------------------------------------------

    restore();
    my $globex = table_hash('shipments', "organization_id = 'globex'");
    my $old = row('shipments', $ups);
    $batch = run_in(
        $mode,
        merge(
            'shipment',
            [
                {tracking_number => '1Z999AA10123456784', status => 'delivered', eta => undef},
                {tracking_number => 'NEW-1', carrier => 'dhl', eta => '2023-11-02T16:00:00Z'},
                {tracking_number => '9400111899223197428490'},
            ]
        )
    );
    is_result($batch, 'completed', {created => 1, updated => 2}, "$mode: a merge by match key");
    is_deeply(
        {%{row('shipments', $ups)}, updated_at => 0},
        {%$old, status => 'delivered', eta => undef, updated_at => 0},
        "$mode: it finds the row of the caller's organization"
    );
    is(table_hash('shipments', "organization_id = 'globex'"),
        $globex, "$mode: and not that of another with the same number");
    my ($made) = rows("SELECT * FROM shipments WHERE tracking_number = 'NEW-1'");
    is_deeply(
        [@$made{qw(organization_id carrier status recipient)}],
        ['acme', 'dhl', undef, undef],
        "$mode: the new one is as sent"
    );
    like($made->{eta}, qr/^2023-11-02T16:00:00(?:\.0+)?Z$/, "$mode: with its time");
    like($made->{id}, uuid_pattern(), "$mode: with an id");
    $batch = run_in($mode, merge('shipment', [{tracking_number => 'NEW-1', recipient => 'x'}]));
    is_result($batch, 'completed', {updated => 1}, "$mode: and is found the next time");
    is(value("SELECT count(*) FROM shipments WHERE tracking_number = 'NEW-1' AND recipient = 'x'"
                . " AND carrier = 'dhl' AND id = '$made->{id}'"), 1, "$mode: as the same row");

    # Two match columns: each pair is a row of its own.
    $batch = run_in(
        $mode,
        merge(
            'asset',
            [
                {item_id => 'pump-40', location_id => 'depot-1', quantity => 7},
                {item_id => 'pump-40', location_id => 'depot-3', quantity => 0},
                {item_id => 'cone', location_id => 'depot-1'},
                {item_id => 'cone', location_id => 'truck-7', quantity => undef, name => 'Cone'}
            ]
        )
    );
    is_result($batch, 'completed', {created => 2, updated => 2}, "$mode: two match columns");
    is(
        join(', ',
            map { join '/', map { $_ // '-' } @$_{qw(item_id location_id name quantity)} }
                rows("SELECT * FROM assets WHERE organization_id = 'acme' ORDER BY item_id, location_id")),
        'cone/depot-1/-/-, cone/truck-7/Cone/-, hose-20m/depot-1/Hose, 20 m/125, '
            . 'pump-40/depot-1/Pump, 40 l/s/7, pump-40/depot-2/Pump, 40 l/s/0, pump-40/depot-3/-/0',
        "$mode: every row is right"
    );
    is(value("SELECT quantity FROM assets WHERE organization_id = 'globex' AND item_id = 'pump-40'"),
        2, "$mode: globex's pump is as it was");

    # An id wins over the match key, which is then a column like any other.
    restore();
    $batch = run_in($mode, merge('shipment', [{id => $ups, tracking_number => 'RENAMED'}]));
    is_result($batch, 'completed', {updated => 1}, "$mode: an id wins over a match key");
    is(row('shipments', $ups)->{tracking_number}, 'RENAMED', "$mode: which is changed");
    is(value("SELECT count(*) FROM shipments WHERE organization_id = 'acme'"), 4, "$mode: no row is new");

    # ---- Columns that never change ---------------------------------------------------------------

    restore();
    my $inspectors = 'd0010000-71b9-4000-8000-0242ac120002';
    $batch = run_in($mode,
        merge('group', [{id => $inspectors, resource => 'contact', name => 'Checkers'}]));
    is_result($batch, 'completed', {updated => 1}, "$mode: an immutable column may be sent as it is");
    is(row('groups', $inspectors)->{name}, 'Checkers', "$mode: and the rest is changed");

    # ---- Properties ------------------------------------------------------------------------------

    restore();
    $batch = run_in(
        $mode,
        merge(
            'shipment',
            [
                {tracking_number => 'P-1'},
                {tracking_number => 'P-2', carrier => 'own'},
                {tracking_number => 'P-3', carrier => undef},
                {id => $ups}
            ],
            properties => {carrier => 'default', status => 'pending', recipient => undef}
        )
    );
    is_result($batch, 'completed', {created => 3, updated => 1}, "$mode: properties");
    is(
        join(', ',
            map { join '/', map { $_ // '-' } @$_{qw(tracking_number carrier status recipient)} }
                rows("SELECT * FROM shipments WHERE tracking_number LIKE 'P-%' OR id = '$ups'"
                    . ' ORDER BY tracking_number')),
        '1Z999AA10123456784/default/pending/-, P-1/default/pending/-, P-2/own/pending/-, P-3/-/pending/-',
        "$mode: are what an item lacks, null being a value"
    );
    # Parts of a match key, and required members.
    $batch = run_in($mode,
        merge('group', [{name => 'A'}, {name => 'Downtown'}], properties => {resource => 'location'}));
    is_result($batch, 'completed', {created => 1, updated => 1}, "$mode: a part of the match key");
    is(value("SELECT count(*) FROM groups WHERE name = 'A' AND resource = 'location'"), 1, "$mode: made");
    $batch = run_in($mode, merge('contact', [{email => 'x'}], properties => {name => 'Default'}));
    is_result($batch, 'completed', {created => 1}, "$mode: a required member");

    # ---- Values ----------------------------------------------------------------------------------

    restore();
    my @texts = (
        "it's", '"', '\\', '%s%d', "tab\tfeed\nreturn\r", '', ' ', "\x{e9}\x{20ac}\x{1f600}", '1:a,~',
        "'); DROP TABLE contacts; --", '~', '{}', 'NULL', '\\N', '\\.', "\x{1}\x{7f}", "\x{fffd}",
        'x' x 9000, '$1', '?1', ':name', "\x{2028}", '\\x00', 'E\'a\'', "a,b;c|d"
    );
    $batch = run_in($mode,
        merge('contact', [map { {name => "text $_", notes => $texts[$_]} } 0 .. $#texts]));
    is_result($batch, 'completed', {created => scalar @texts}, "$mode: texts of every kind");
    my %notes = map { $_->{name} => $_->{notes} } contacts("name LIKE 'text %'");
    is_deeply(\%notes, {map { ("text $_" => $texts[$_]) } 0 .. $#texts}, "$mode: are kept as they are");
    # As match keys, twice.
    foreach my $time (1 .. 2) {
        my @short = grep { length && length() <= 64 } @texts;
        $batch = run_in($mode,
            merge('shipment', [map { {tracking_number => $_, recipient => "$time$_"} } @short]));
        is_result($batch, 'completed', {($time == 1 ? 'created' : 'updated') => scalar @short},
            "$mode: and as match keys, time $time");
        is_deeply(
            {map { $_->{tracking_number} => $_->{recipient} } rows(
                "SELECT * FROM shipments WHERE created_at > '2024' AND organization_id = 'acme'")},
            {map { $_ => "$time$_" } @short}, "$mode: each its own");
    }

    # Match keys are compared as they are: neither case nor blanks nor numbers are alike.
    restore();
    my @alike = ('a', 'A', 'a ', ' a', '1', '01', '1.0', "\x{e9}", "e\x{301}", '1e0', "a\x{200b}");
    $batch = run_in($mode, merge('tracker', [map { {tracking_number => $_} } @alike]));
    is_result($batch, 'completed', {created => scalar @alike}, "$mode: keys that look alike");
    is(value("SELECT count(*) FROM trackers WHERE created_at > '2024'"), scalar @alike,
        "$mode: are not the same");
}

# ---- Many ----------------------------------------------------------------------------------------

restore();
my @first = map { {tracking_number => sprintf('M%05d', $_), carrier => 'one', recipient => "r$_"} } 1 .. 2000;
is_result(run_batch(merge('shipment', \@first)), 'completed', {created => 2000}, '2000 are created');
my @then = map { {tracking_number => sprintf('M%05d', $_), carrier => 'two', eta => '2024-01-01T00:00:00Z'} }
    1001 .. 3000;
my $batch = run_batch(merge('shipment', [reverse @then]));
is_result($batch, 'completed', {created => 1000, updated => 1000}, 'half of 2000 exist');
is_phases($batch, {received => 2000}, 'many');
is(value("SELECT count(*) FROM shipments WHERE tracking_number LIKE 'M%'"), 3000, '3000 rows in all');
is(
    value("SELECT count(*) FROM shipments WHERE (carrier = 'one' AND eta IS NULL AND tracking_number <= 'M01000')"
            . " OR (carrier = 'two' AND eta IS NOT NULL AND recipient IS NOT NULL"
            . " AND tracking_number > 'M01000' AND tracking_number <= 'M02000')"
            . " OR (carrier = 'two' AND recipient IS NULL AND tracking_number > 'M02000'"
            . " AND tracking_number LIKE 'M%')"),
    3000, 'each with what it was sent'
);
is(value("SELECT count(DISTINCT id) FROM shipments"), 3006, 'with an id of its own');

# ---- Keys that the client makes ------------------------------------------------------------------

sql('CREATE TABLE batchless_keyed (id VARCHAR(80) NOT NULL, organization_id TEXT NOT NULL, label TEXT,'
        . ' size INTEGER, weight DOUBLE PRECISION, ok ' . (driver() eq 'pgsql' ? 'BOOLEAN' : 'INTEGER')
        . ', bought ' . (driver() eq 'pgsql' ? 'DATE' : 'TEXT') . ', PRIMARY KEY (organization_id, id))');
END { eval { sql('DROP TABLE IF EXISTS batchless_keyed') } }
configure(
    '<BatchResource keyed>', 'BatchTable batchless_keyed', 'BatchKey id client',
    'BatchScope organization_id', 'BatchColumn label text', 'BatchColumn size integer',
    'BatchColumn weight number', 'BatchColumn ok boolean', 'BatchColumn bought date',
    'BatchActions merge overwrite delete', '</BatchResource>'
);
server_stop();
ok(server_start(), 'a resource with keys of the client');
foreach my $mode (qw(mixed sync)) {
    sql('DELETE FROM batchless_keyed', "INSERT INTO batchless_keyed (id, organization_id, label) VALUES"
            . " ('there', 'acme', 'old'), ('theirs', 'globex', 'globex')");
    # The table's own type is what PostgreSQL can hold.
    my $least = driver() eq 'pgsql' ? -2147483648 : -9007199254740993;
    my $batch = run_in(
        $mode,
        merge(
            'keyed',
            [
                {id => 'there', size => 5},
                {id => 'new', label => 'n', size => $least, weight => 1.25, ok => TRUE,
                    bought => '2024-02-29'},
                {id => "strange 'id\" \x{e9}", ok => FALSE, weight => -1e-7},
            ]
        )
    );
    is_result($batch, 'completed', {created => 2, updated => 1}, "$mode: an unknown id creates");
    my %row = map { $_->{id} => $_ } rows("SELECT * FROM batchless_keyed WHERE organization_id = 'acme'");
    is_deeply([sort keys %row], [sort 'there', 'new', "strange 'id\" \x{e9}"], "$mode: with it");
    is_deeply(
        [@{$row{new}}{qw(organization_id label size weight)}],
        ['acme', 'n', $least, 1.25],
        "$mode: numbers are exact"
    );
    is($row{new}{ok} ? 1 : 0, 1, "$mode: true");
    is($row{"strange 'id\" \x{e9}"}{ok} ? 1 : 0, 0, "$mode: false");
    is($row{"strange 'id\" \x{e9}"}{weight} + 0, -1e-7, "$mode: a small number");
    is($row{new}{bought}, '2024-02-29', "$mode: a date");
    is($row{there}{label}, 'old', "$mode: what is there is updated");
    # Another organization's id is free for us: nobody hears that it has it.
    $batch = run_in($mode, merge('keyed', [{id => 'theirs', label => 'mine'}, {id => 'own', label => 'o'}],
            atomic => FALSE));
    is_result($batch, 'completed', {created => 2}, "$mode: an id that another organization has, too");
    is(join(' ', map {"$_->{organization_id}=$_->{label}"} rows("SELECT organization_id, label FROM batchless_keyed WHERE id = 'theirs' ORDER BY 1")),
        'acme=mine globex=globex', "$mode: its row is as it was");
    # Without an id there is nothing to call the row.
    $batch = run_in($mode, merge('keyed', [{label => 'nameless'}, {id => 'own', size => 1}], atomic => FALSE));
    is_result($batch, 'completed', {updated => 1, errors => 1}, "$mode: an item without an id is wrong");
    is(value("SELECT count(*) FROM batchless_keyed WHERE label = 'nameless'"), 0, "$mode: and makes no row");
}
unconfigure();
server_stop();
sql('DROP TABLE batchless_keyed');
ok(server_start(), 'as before');

finish();
