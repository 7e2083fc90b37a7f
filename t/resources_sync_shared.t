# Sync batches that come at once: on SQLite those of a process share a COMMIT, and yet each is by itself.
#
# needs: processes, drivers
use strict;
use warnings;

use POSIX ();

use BatchTest;

my $dana = 'c0010000-71b9-4000-8000-0242ac120002';

# Each kind with what becomes of it: the status of the answer, the rows that a batch of it makes, and its errors.
my @kinds = (
    ['good', 201, 10, 0, sub { merge('contact', [map { {name => "$_[0] $_"} } 1 .. 10], mode => 'sync') }],
    ['wrong', 422, 0, 1, sub { merge('contact', [{name => "$_[0] a"}, {name => 5}], mode => 'sync') }],
    ['refused', 422, 0, 1, sub { merge('contact', [{name => "$_[0] a"}, {name => "$_[0] b", phone => 'bad'}], mode => 'sync') }],
    ['same', 201, 0, 0, sub { merge('contact', [{id => $dana, phone => $_[0]}], mode => 'sync') }],
    ['in part', 201, 1, 1,
        sub { merge('contact', [{name => "$_[0] a"}, {name => "$_[0] b", phone => 'bad'}], mode => 'sync', atomic => FALSE) }],
    ['late', 422, 0, 1, sub { merge('contact', [{name => "$_[0] a"}, {name => "$_[0] b", phone => 'late'}], mode => 'sync') }],
    ['ends', 422, 0, 1, sub { merge('contact', [{name => "$_[0] a"}, {name => "$_[0] b", phone => 'ends'}], mode => 'sync') }],
);

on_table(
    'contacts',
    sub {
        refuse_trigger('INSERT', "NEW.phone IN ('bad', 'ends')", 'not that one') if driver() eq 'pgsql';
        refuse_trigger('INSERT', "NEW.phone = 'bad'", 'not that one') if driver() ne 'pgsql';
        refuse_trigger('INSERT', "NEW.phone = 'ends'", 'all of it', 'ROLLBACK') if driver() ne 'pgsql';
    }
);

# A constraint that is looked at when the transaction ends.
my @late = driver() eq 'pgsql'
    ? (
    'CREATE FUNCTION test_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN'
        . q{ RAISE integrity_constraint_violation USING MESSAGE = 'too late'; END $$},
    'CREATE CONSTRAINT TRIGGER test_late AFTER INSERT ON contacts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW'
        . " WHEN (NEW.phone = 'late') EXECUTE FUNCTION test_late()"
    )
    : (
    'CREATE TABLE test_parents (id INTEGER PRIMARY KEY)',
    'CREATE TABLE test_children (parent REFERENCES test_parents (id) DEFERRABLE INITIALLY DEFERRED)',
    "CREATE TRIGGER test_late AFTER INSERT ON contacts WHEN NEW.phone = 'late' BEGIN INSERT INTO test_children VALUES (1); END"
    );
sql(@late);

# So many of each kind at once, while another program has the database, so that they wait for each other.
sub round
{
    my ($round, $each, @which) = @_;
    my @sent = map { my $n = $_; map { [$_, "$round $_->[0] $n"] } @which } 1 .. $each;

    hold_lock();
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        sleep 0.3;
        release_locks();
        POSIX::_exit(0);
    }
    my @answers = parallel([map { request_text('POST', '/batches', json => $_->[0][4]->($_->[1])) } @sent]);
    waitpid $pid, 0;
    release_locks();
    is(join(' ', map { $_->status } @answers), join(' ', map { $_->[0][1] } @sent), "$round: each has its own answer");
    my (@wrong, %seq, $last);
    foreach my $i (0 .. $#sent) {
        my ($kind, $name) = @{$sent[$i]};
        my $batch = $answers[$i]->json->{data};
        my ($stored) = rows("SELECT seq, status, errors, created FROM batch_jobs WHERE id = '$batch->{id}'");
        my $rows = value("SELECT count(*) FROM contacts WHERE name LIKE '$name %'");
        my $errors = value("SELECT count(*) FROM batch_errors WHERE job = $stored->{seq}");
        push @wrong, "$name: $stored->{status}, $rows rows, $errors errors"
            if $rows != $kind->[2] || $stored->{errors} != $kind->[3] || $errors != $kind->[3] || $stored->{created} != $rows
            || $stored->{status} ne ($kind->[1] == 201 ? 'completed' : 'failed')
            || resource_batch($batch)->{status} ne $batch->{status};
        $seq{$stored->{seq}}++;
        $last = [$stored->{seq}, $name] if $kind->[0] eq 'same' && (!$last || $stored->{seq} > $last->[0]);
    }
    is(join('; ', @wrong), '', "$round: each is stored with its rows and errors");
    is(scalar(keys %seq), scalar(@sent), "$round: each with a number of its own");
    is(value("SELECT phone FROM contacts WHERE id = '$dana'"), $last->[1], "$round: the last one's row is as that one wanted it")
        if $last;
    return;
}

my %kind = map { $_->[0] => $_ } @kinds;
round('calm', 8, @kind{qw(good same)});
round('mixed', 4, @kind{'good', 'wrong', 'refused', 'same', 'in part', 'late'});
round('rough', 3, @kinds);
round('after', 8, @kind{qw(good same)});

finish();
