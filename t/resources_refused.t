# Rows that the database refuses (a constraint, a trigger) fail alone, with its own words: their
# chunk-mates are applied, and the counts are exact.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';
my $eve = 'c0020000-71b9-4000-8000-0242ac120002';
my $frank = 'c0030000-71b9-4000-8000-0242ac120002';

# ---- Triggers ------------------------------------------------------------------------------------

# Where they stand in the chunk matters: first, last, side by side, most, all.
my @patterns = (
    ['the first', 300, sub { $_ == 1 }],
    ['the last', 300, sub { $_ == 300 }],
    ['two side by side', 300, sub { $_ == 150 || $_ == 151 }],
    ['every tenth', 300, sub { $_ % 10 == 0 }],
    ['all but one', 40, sub { $_ != 17 }],
    ['all', 40, sub {1}],
);
foreach my $pattern (@patterns) {
    my ($name, $count, $bad) = @$pattern;
    restore();
    on_table(
        'contacts',
        sub {
            refuse_trigger('INSERT', "NEW.phone = 'bad'", 'this one never');
            refuse_trigger('UPDATE', "NEW.phone = 'bad'", 'nor this one');
            count_trigger('INSERT');
            count_trigger('UPDATE');
        }
    );
    my @items = map { {name => sprintf('r%04d', $_), phone => $bad->() ? 'bad' : 'good'} } 1 .. $count;
    my @refused = grep { $items[$_]{phone} eq 'bad' } 0 .. $#items;
    my $batch = run_batch(merge('contact', \@items));
    my $applied = $count - @refused;
    is($batch->{status}, 'completed', "insert, $name: the batch completes") if $applied;
    is_deeply([@{$batch->{stats}}{qw(created errors)}], [$applied, scalar @refused], "insert, $name: exact counts");
    is_item_errors([stored_errors($batch)], [map { [$_, undef, 'refused'] } @refused], "insert, $name: each is listed");
    like((stored_errors($batch))[0]{message}, qr/this one never/, "insert, $name: in the database's words");
    is(value("SELECT count(*) FROM contacts WHERE name LIKE 'r%' AND phone = 'good'"), $applied, "insert, $name: the rows");
    is(value("SELECT count(*) FROM contacts WHERE phone = 'bad'"), 0, "insert, $name: and no other");
    is_deeply(applied(), {touched => $applied, ids => $applied, most => $applied ? 1 : 0},
        "insert, $name: each was made once");
    is_phases($batch, {received => $count, refused => scalar @refused}, "insert, $name") if $applied;

    # The same rows, updated by id.
    sql('DELETE FROM test_applied', "UPDATE contacts SET phone = 'x'", 'DELETE FROM test_applied');
    my @ids = map { $_->{id} } contacts("name LIKE 'r%'");
    push @ids, map { $_->{id} } contacts("organization_id = 'acme' AND name NOT LIKE 'r%'") if @ids < 5;
    @items = map { {id => $ids[$_ - 1], phone => $bad->() ? 'bad' : 'good'} } 1 .. @ids;
    @refused = grep { $items[$_]{phone} eq 'bad' } 0 .. $#items;
    $applied = @items - @refused;
    $batch = run_batch(merge('contact', \@items));
    is_deeply([@{$batch->{stats}}{qw(updated errors)}], [$applied, scalar @refused], "update, $name: exact counts");
    is_item_errors([stored_errors($batch)], [map { [$_, undef, 'refused'] } @refused], "update, $name: each is listed");
    is(value("SELECT count(*) FROM contacts WHERE phone = 'good' AND organization_id = 'acme'"), $applied,
        "update, $name: the rows");
    is_deeply(applied(), {touched => $applied, ids => $applied, most => $applied ? 1 : 0},
        "update, $name: each was touched once");
}

# A trigger that throws the whole transaction away (SQLite).
if (driver() ne 'pgsql') {
    restore();
    on_table(
        'contacts',
        sub {
            refuse_trigger('INSERT', "NEW.phone = 'bad'", 'all of it', 'ROLLBACK');
            refuse_trigger('UPDATE', "NEW.phone = 'fail'", 'just this', 'FAIL');
        }
    );
    my $batch = run_batch(
        merge('contact', [
                (map { {name => "t$_", phone => $_ == 20 || $_ == 41 ? 'bad' : 'good'} } 1 .. 60),
                {id => $dana, phone => 'fail'}, {id => $eve, phone => 'fine'}
            ]));
    is_result($batch, 'completed', {created => 58, updated => 1, errors => 3}, 'RAISE(ROLLBACK) and RAISE(FAIL)');
    is(scalar(contacts("name LIKE 't%'")), 58, 'undo what they refuse, and no more');
    drop_triggers();
}

# ---- Constraints ---------------------------------------------------------------------------------

# UNIQUE: by their ids, two rows get one number; and one that another has.
restore();
my $ups = 'e0010000-71b9-4000-8000-0242ac120002';
my $usps = 'e0020000-71b9-4000-8000-0242ac120002';
my $batch = run_batch(
    merge(
        'shipment',
        [
            {tracking_number => 'before'},
            {id => $ups, tracking_number => 'JD014600003SE'},
            {id => $usps, carrier => 'fine'},
            {tracking_number => 'after'}
        ]
    )
);
is_result($batch, 'completed', {created => 2, updated => 1, errors => 1}, 'a number that another row has');
my @errors = stored_errors($batch);
is_item_errors(\@errors, [[1, $errors[0]{field}, 'refused']], 'is refused');
like($errors[0]{message}, qr/unique/i, "in the database's words");
is(value("SELECT tracking_number FROM shipments WHERE id = '$ups'"), '1Z999AA10123456784', 'the row is as it was');
is(value("SELECT carrier FROM shipments WHERE id = '$usps'"), 'fine', 'its mate is not');
is(value("SELECT count(*) FROM shipments WHERE tracking_number IN ('before', 'after')"), 2, 'nor the others');

# A CHECK, by a column that the administrator has narrowed.
restore();
if (driver() eq 'pgsql') {
    sql("ALTER TABLE contacts ADD CONSTRAINT test_no_x CHECK (email IS NULL OR email <> 'x')");
    $batch = run_batch(merge('contact', [{name => 'a', email => 'x'}, {name => 'b'}, {id => $dana, email => 'x'}]));
    is_result($batch, 'completed', {created => 1, errors => 2}, 'a CHECK');
    sql('ALTER TABLE contacts DROP CONSTRAINT test_no_x');

    # A number that the column's own type cannot hold, though 64 bits can.
    $batch = run_batch(
        merge('asset', [map { {item_id => 'q', location_id => "l$_", quantity => $_} } 1, 3_000_000_000, 2]));
    is_result($batch, 'completed', {created => 2, errors => 1}, 'a number that the column cannot hold');
    is(value("SELECT count(*) FROM assets WHERE item_id = 'q'"), 2, 'fails alone');
    sql('ALTER TABLE contacts ALTER COLUMN phone TYPE varchar(5) USING left(phone, 5)');
    $batch = run_batch(merge('contact', [{name => 'a', phone => '123456'}, {name => 'b', phone => '12345'},
                {id => $frank, phone => 'x' x 6}, {id => $eve, phone => '1'}]));
    is_result($batch, 'completed', {created => 1, updated => 1, errors => 2}, 'a text that the column cannot hold')
        or diag(map {"$_->{message}\n"} stored_errors($batch));
    sql('ALTER TABLE contacts ALTER COLUMN phone TYPE text');
    restore();
}
# NOT NULL, without "required".
on_table('contacts', sub { refuse_trigger('INSERT', 'NEW.email IS NULL', 'an address, please') });
$batch = run_batch(merge('contact', [{name => 'a'}, {name => 'b', email => 'b'}, {name => 'c', email => undef}]));
is_result($batch, 'completed', {created => 1, errors => 2}, 'a row that lacks something');

# ---- In sync -------------------------------------------------------------------------------------

restore();
on_table(
    'contacts',
    sub {
        refuse_trigger('INSERT', "NEW.phone = 'bad'", 'not in sync');
        refuse_trigger('DELETE', "OLD.id = '$eve'", 'Eve stays');
    }
);
my $before = table_hash('contacts');
my @items = ({name => 's1'}, {id => $dana, phone => '9'}, {name => 's2', phone => 'bad'}, {name => 's3'});
my $answer = synchronous(merge('contact', \@items));
is_envelope($answer, 422, 'batch_failed', 'sync: one row is refused');
is_result($answer->json->{data}, 'failed', {errors => 1}, 'sync: nothing was done');
is_item_errors($answer->json->{errors}, [[2, undef, 'refused']], 'sync: and why');
is_deeply([phases_of($answer->json->{data})], ['parsing completed 4 4 4 0', 'validation completed 4 4 4 0', 'processing failed 4 1 0 1'],
    'sync: its phases');
like($answer->json->{errors}[0]{message}, qr/not in sync/, "sync: in the database's words");
is(table_hash('contacts'), $before, 'sync: no row has changed');
$answer = synchronous(merge('contact', \@items, atomic => FALSE));
is_envelope($answer, 201, undef, 'sync, not atomic: one row is refused');
is_result($answer->json->{data}, 'completed', {created => 2, updated => 1, errors => 1}, 'sync, not atomic: the others');
is_item_errors($answer->json->{errors}, [[2, undef, 'refused']], 'sync, not atomic: and why');
is(scalar(contacts("name IN ('s1', 's3')")), 2, 'sync, not atomic: are there');
$before = table_hash('contacts');
$answer = synchronous(removal('contact', [{id => $dana}, {id => $eve}, {id => $frank}]));
is_envelope($answer, 422, 'batch_failed', 'sync: a removal that is refused');
is(table_hash('contacts'), $before, 'sync: removes nothing');
# The cleanup of an overwrite belongs to it.
$answer = synchronous(overwrite('contact', [{id => $dana, phone => 'changed'}, {name => 'new'}]));
is_envelope($answer, 422, 'batch_failed', 'sync: a cleanup that is refused');
is_deeply([@{$answer->json->{data}{stats}}{qw(created updated overwritten)}], [0, 0, 0], 'sync: counts nothing');
is(join(' ', map { ($_->{index} // 'null') . " $_->{code} $_->{id}" } @{$answer->json->{errors}}), "null refused $eve",
    'sync: and names the row that could not be removed');
is(table_hash('contacts'), $before, 'sync: changes nothing');

# Nothing of it can be applied: nothing was named, so nothing is removed.
foreach my $mode (qw(mixed sync)) {
    my @bad = map { {name => "b$_", phone => 'bad'} } 1 .. 3;
    $answer = post_batches(overwrite('contact', \@bad, mode => $mode, $mode eq 'sync' ? (atomic => FALSE) : ()));
    $batch = resource_final($answer->json->{data});
    is_result($batch, 'failed', {errors => 3}, "$mode: an overwrite of which every row is refused");
    is($batch->{reason}, 'none of the 3 objects could be overwritten: see the errors of the batch', "$mode: says why");
    is_deeply([phases_of($batch)], ['parsing completed 3 3 3 0', 'validation completed 3 3 3 0', 'processing completed 3 3 0 3', 'cleanup failed 0 0 0 0'],
        "$mode: in its phases, too");
    is(table_hash('contacts'), $before, "$mode: and removes nothing");
}
drop_triggers();

# ---- Deletes -------------------------------------------------------------------------------------

restore();
is_result(run_batch(merge('contact', [contact_items(100)])), 'completed', {created => 100}, 'rows to delete');
on_table('contacts', sub { refuse_trigger('DELETE', "OLD.name LIKE '%7'", 'sevens stay') });
my @ids = map { $_->{id} } contacts("notes = 'made'");
$batch = run_batch(removal('contact', [map { {id => $_} } @ids]));
is_result($batch, 'completed', {deleted => 90, errors => 10}, 'a delete of which some are refused');
is(scalar(contacts("notes = 'made' AND name LIKE '%7'")), 10, 'those are there');
is(scalar(contacts("notes = 'made'")), 10, 'and no others');

finish();
