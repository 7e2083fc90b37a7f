# The action overwrite: a merge, then every row of the resource and the organization goes that the
# batch did not name, and no other.
#
# Without the scope in the walk of the cleanup "of globex is untouched" fails; with the valid items
# alone as what was named, "a row that a wrong item names is kept".
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $eve = 'c0020000-71b9-4000-8000-0242ac120002';
my $frank = 'c0030000-71b9-4000-8000-0242ac120002';
my $grace = 'c0040000-71b9-4000-8000-0242ac120002';
my $hana = 'c0050000-71b9-4000-8000-0242ac120002';
my $inspectors = 'd0010000-71b9-4000-8000-0242ac120002';
my $downtown_location = 'd0020000-71b9-4000-8000-0242ac120002';
my $downtown_contact = 'd0030000-71b9-4000-8000-0242ac120002';

sub run_in
{
    my ($mode, $request, %option) = @_;
    return run_batch($request, %option) if $mode eq 'mixed';
    my $answer = synchronous({atomic => FALSE, %$request}, %option);
    die 'sync was answered ', $answer->status, ' ', substr($answer->body, 0, 800), "\n"
        if $answer->status !~ /^(?:201|422)$/ || !$answer->json->{data};
    return $answer->json->{data};
}

# The names of acme's contacts, or its groups.
sub names { return join ', ', map { $_->{name} } contacts() }

sub groups
{
    return join ', ',
        map {"$_->{name}/$_->{resource}"}
        rows("SELECT * FROM groups WHERE organization_id = 'acme' ORDER BY name, resource");
}

my $globex = table_hash('contacts', "organization_id = 'globex'");
my $globex_groups = table_hash('groups', "organization_id = 'globex'");
my $shipments = table_hash('shipments');
my $records = table_hash('records');

foreach my $mode (qw(mixed sync)) {
    restore();
    my ($before) = contacts("id = '$dana'");
    my $batch = run_in($mode,
        overwrite('contact', [{id => $dana, phone => '1'}, {name => 'Zoe'}, {id => $frank}]));
    is_result($batch, 'completed', {created => 1, updated => 2, overwritten => 2}, "$mode: an overwrite");
    is_phases($batch, {received => 3, cleanup => 2}, $mode);
    is(names(), "Dana D\x{ed}az, Frank O'Neill, Zoe", "$mode: what was not named is gone");
    my ($after) = contacts("id = '$dana'");
    is_deeply(
        {%$after, updated_at => 0},
        {%$before, phone => '1', updated_at => 0},
        "$mode: an absent member leaves its column in an overwrite, too"
    );
    is(table_hash('contacts', "organization_id = 'globex'"), $globex, "$mode: globex is untouched");

    # Nothing to remove.
    $batch = run_in($mode, overwrite('contact', [map { {id => $_->{id}} } contacts()]));
    is_result($batch, 'completed', {updated => 3}, "$mode: all are named");
    is_phases($batch, {received => 3}, "$mode, all named");

    # By match key.
    restore();
    $batch = run_in(
        $mode,
        overwrite(
            'group',
            [
                {name => 'Downtown', resource => 'location'},
                {name => 'Uptown', resource => 'contact'},
                {id => $inspectors, name => 'Checkers'}
            ]
        )
    );
    is_result($batch, 'completed', {created => 1, updated => 2, overwritten => 1}, "$mode: by match key");
    is(groups(), 'Checkers/contact, Downtown/location, Uptown/contact', "$mode: both parts of it count");
    is(table_hash('groups', "organization_id = 'globex'"), $globex_groups,
        "$mode: globex's groups are untouched");

    # A row is renamed to what another one was called that goes.
    restore();
    $batch = run_in($mode, overwrite('group', [{id => $inspectors, name => 'Renamed'}, {name => 'Inspectors', resource => 'contact'}]));
    is_result($batch, 'completed', {created => 1, updated => 1, overwritten => 2},
        "$mode: a name that has become free within the batch");
    is(groups(), 'Inspectors/contact, Renamed/contact', "$mode: has a row of its own");

    # ---- Rows that wrong items name --------------------------------------------------------------

    restore();
    $batch = run_in(
        $mode,
        overwrite(
            'contact',
            [
                {id => $dana, name => 5},
                {id => $eve, fax => 'x'},
                {name => 'Zoe'},
                {id => $frank, name => undef},
                {id => $hana, name => 'stolen'},
                {id => '00000000-0000-4000-8000-000000000000', name => 'unknown'}
            ]
        )
    );
    is_result($batch, 'completed', {created => 1, overwritten => 1, errors => 5},
        "$mode: an overwrite with wrong items");
    is_phases($batch, {received => 6, invalid => 5, cleanup => 1}, "$mode, wrong items");
    is(names(), "Dana D\x{ed}az, Eve Eriksson, Frank O'Neill, Zoe", "$mode: a row that a wrong item names is kept");
    is(table_hash('contacts', "organization_id = 'globex'"), $globex, "$mode: hers is untouched");

    restore();
    $batch = run_in(
        $mode,
        overwrite(
            'group',
            [
                {name => 'Inspectors', resource => 'contact', colour => 'red'},
                {id => $downtown_contact, resource => 'location'},
                {name => 'Uptown', resource => 'contact'}
            ]
        )
    );
    is_result($batch, 'completed', {created => 1, overwritten => 1, errors => 2},
        "$mode: wrong items with match keys");
    is(groups(), 'Downtown/contact, Inspectors/contact, Uptown/contact', "$mode: name their rows by them");

    # Duplicates name their rows, too, however they are handled.
    foreach my $handling (qw(use_first use_last ignore_all)) {
        restore();
        $batch = run_in(
            $mode,
            overwrite(
                'contact',
                [{id => $dana, phone => '1'}, {id => $dana, phone => '2'}, {id => $eve, phone => '3'}],
                duplicate_handling => $handling
            )
        );
        my $all = $handling eq 'ignore_all';
        is_result(
            $batch,
            'completed',
            {updated => $all ? 1 : 2, duplicates => $all ? 2 : 1, overwritten => 2},
            "$mode: $handling in an overwrite"
        );
        is(names(), "Dana D\x{ed}az, Eve Eriksson", "$mode: $handling keeps the row that they name");
    }

    # An item that the database refuses names its row, and a row that may not go stays.
    restore();
    on_table(
        'contacts',
        sub {
            refuse_trigger('UPDATE', "NEW.phone = 'bad'", 'no such number');
            refuse_trigger('DELETE', "OLD.id = '$grace'", 'Grace stays');
        }
    );
    $batch = run_in($mode, overwrite('contact', [{id => $dana, phone => 'bad'}, {id => $eve, phone => 'good'}]));
    is_result($batch, 'completed', {updated => 1, overwritten => 1, errors => 2},
        "$mode: the database refuses an update and a removal");
    is_phases($batch, {received => 2, refused => 1, cleanup => 2, kept => 1}, "$mode, refused");
    is(names(), "Dana D\x{ed}az, Eve Eriksson, Grace Gupta", "$mode: the row of the refused item is kept");
    drop_triggers();

    # ---- No valid item ---------------------------------------------------------------------------

    restore();
    my $before_all = table_hash('contacts');
    my @none = ({name => 5}, {fax => 1}, {id => $dana, name => undef});
    $batch = run_in($mode, overwrite('contact', \@none));
    is_result($batch, 'failed', {errors => 3}, "$mode: an overwrite without a valid item fails");
    like($batch->{reason}, qr/\w/, "$mode: and says why");
    is(table_hash('contacts'), $before_all, "$mode: and removes nothing");
    $batch = run_in($mode, overwrite('contact', \@none, allow_empty => FALSE));
    is($batch->{status}, 'failed', "$mode: also where it says so");
    $batch = run_in($mode, overwrite('contact', \@none, allow_empty => TRUE));
    is_result($batch, 'completed', {overwritten => 3, errors => 3}, "$mode: allow_empty");
    is(names(), "Dana D\x{ed}az", "$mode: removes what was not named");
    is(table_hash('contacts', "organization_id = 'globex'"), $globex, "$mode: of acme alone");
    restore();
    $batch = run_in($mode, overwrite('contact', [{id => $dana}, {id => $dana}], duplicate_handling => 'ignore_all'));
    is_result($batch, 'failed', {duplicates => 2}, "$mode: nor one of duplicates alone");
    is(table_hash('contacts'), $before_all, "$mode: which removes nothing");
}
# An item that was too large to be kept may have named any row: then nothing is changed at all.
restore();
my $all = table_hash('contacts');
foreach my $mode (qw(mixed sync)) {
    my $batch = run_in($mode, overwrite('contact', [{name => 'Zoe'}, {notes => 'n' x 1_100_000, id => $dana}]));
    is_result($batch, 'failed', {errors => 1}, "$mode: an overwrite with an item that cannot be read fails");
    like($batch->{reason}, qr/\w/, "$mode: and says why");
    is(table_hash('contacts'), $all, "$mode: and changes nothing");
}
is(table_hash('shipments'), $shipments, 'no other resource was touched');
is(table_hash('records'), $records, 'nor records');

# All items are refused by the database: what is valid is there, and so the cleanup is right.
restore();
is_refused(post_batches(overwrite('contact', [{name => 'x'}]), as => 'bob'), 403, 'forbidden', 'bob');
is_refused(synchronous(overwrite('contact', [{name => 'x'}]), as => 'bob'), 403, 'forbidden', 'bob, sync');
is(table_hash('contacts', "organization_id = 'globex'"), $globex, 'nothing was done');

# ---- Many rows, many chunks ----------------------------------------------------------------------

restore();
my $quoted = driver() eq 'pgsql' ? "lpad(i::text, 5, '0')" : "printf('%05d', i)";
my $series = driver() eq 'pgsql' ? 'SELECT generate_series(1, 6000) AS i'
    : 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) SELECT i FROM n';
# Rows of both organizations, one after the other in the order of the key.
sub many_rows
{
    sql('DELETE FROM contacts',
        "INSERT INTO contacts (id, organization_id, name, created_at, updated_at) SELECT 'k' || $quoted,"
            . " CASE i % 3 WHEN 0 THEN 'globex' ELSE 'acme' END, 'old', 'x', 'x' FROM ($series) AS s");
    return;
}
many_rows();
$globex = table_hash('contacts', "organization_id = 'globex'");
my $keep = sub { return map { {id => sprintf('k%05d', $_), name => 'kept'} } grep { $_ % 3 != 0 && $_ % 2 } 1 .. 6000 };
on_table('contacts', sub { count_trigger('DELETE'); count_trigger('UPDATE') });
my $batch = run_batch(overwrite('contact', [$keep->(), contact_items(500)]));
is_result($batch, 'completed', {created => 500, updated => 2000, overwritten => 2000}, '6000 rows, 2500 items');
is_phases($batch, {received => 2500, cleanup => 2000}, 'many');
is(value("SELECT count(*) FROM contacts WHERE organization_id = 'acme' AND name = 'kept'"), 2000, '2000 stay');
is(value("SELECT count(*) FROM contacts WHERE organization_id = 'acme'"), 2500, 'and 500 are new');
is(table_hash('contacts', "organization_id = 'globex'"), $globex, 'between them, globex is untouched');
is_deeply(applied(), {touched => 4000, ids => 4000, most => 1}, 'each row was touched once');
drop_triggers();

# ---- Two organizations at once -------------------------------------------------------------------

foreach my $round (1 .. 3) {
    many_rows();
    my @mine = $keep->();
    my @hers = map { {id => sprintf('k%05d', $_), name => 'hers'} } grep { $_ % 3 == 0 && $_ % 2 } 1 .. 6000;
    # Each names some of the other's rows, too: that neither changes nor keeps them.
    my @answers = parallel(
        [
            request_text('POST', '/batches', json => overwrite('contact', [@mine, contact_items(100, 'acme'), @hers[0 .. 9]])),
            request_text('POST', '/batches', as => 'carol',
                json => overwrite('contact', [@hers, contact_items(100, 'globex'), @mine[0 .. 9]])),
        ]
    );
    is(join(' ', map { $_->status } @answers), '202 202', "round $round: two organizations overwrite at once");
    is_result(resource_final($answers[0]->json->{data}), 'completed',
        {created => 100, updated => 2000, overwritten => 2000, errors => 10}, "round $round: acme");
    is_result(resource_final($answers[1]->json->{data}, as => 'carol'), 'completed',
        {created => 100, updated => 1000, overwritten => 1000, errors => 10}, "round $round: globex");
    is_deeply(
        {map { ("$_->{organization_id} $_->{name}" => $_->{n}) } rows(
            "SELECT organization_id, CASE WHEN name LIKE '% %' THEN 'new' ELSE name END AS name, count(*) AS n"
                . " FROM contacts GROUP BY 1, 2")},
        {'acme kept' => 2000, 'acme new' => 100, 'globex hers' => 1000, 'globex new' => 100},
        "round $round: each has its own rows"
    );
}

# Two of the same organization: the one that ends last may remove what the other made, and neither
# may fail, hang or tell wrong numbers.
many_rows();
my @answers = parallel(
    [map { request_text('POST', '/batches', json => overwrite('contact', [contact_items(300, "over $_")])) } 1 .. 2]);
is(join(' ', map { $_->status } @answers), '202 202', 'two overwrites of one organization');
my @ends = map { resource_final($_->json->{data}) } @answers;
is(join(' ', map {"$_->{status}/$_->{stats}{created}/$_->{stats}{errors}"} @ends), 'completed/300/0 completed/300/0',
    'both complete');
my $left = value("SELECT count(*) FROM contacts WHERE organization_id = 'acme'");
is($left, 4000 + 600 - $ends[0]{stats}{overwritten} - $ends[1]{stats}{overwritten}, 'with counts that are true');

finish();
