# The storm's batches of the resources API: merges and overwrites whose every insert, update and
# removal is counted by triggers, and must have happened once.
package Resources;

use strict;
use warnings;

use JSON::PP;
use Time::HiRes qw(time sleep);
use BatchNode;

my $rows = 400;    # of each table, before a round

# storm: driver, dir, params, directives, lease; sql and await: the storm's own; points: the module.
sub new
{
    my ($class, %storm) = @_;
    my $self = bless {%storm}, $class;
    $self->make_triggers;
    return $self;
}

# ---- The database ---------------------------------------------------------------------------------

sub make_triggers
{
    my ($self) = @_;
    my @statements = 'CREATE TABLE touched (id text, event text)';
    push @statements, 'CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN'
        . ' PERFORM pg_sleep(0.0003); INSERT INTO touched VALUES (coalesce(new.id, old.id), tg_op); RETURN NULL; END$$'
        if $self->{driver} eq 'pgsql';
    foreach my $table (qw(contacts groups shipments)) {
        foreach my $event (qw(INSERT UPDATE DELETE)) {
            my $row = $event eq 'DELETE' ? 'old' : 'new';
            push @statements, $self->{driver} eq 'pgsql'
                ? "CREATE TRIGGER touched_$event AFTER $event ON $table FOR EACH ROW EXECUTE FUNCTION touch()"
                : "CREATE TRIGGER touched_${table}_$event AFTER $event ON $table BEGIN"
                . " INSERT INTO touched VALUES ($row.id, '$event'); END";
        }
    }
    $self->{sql}->(join ";\n", @statements, '');
    return;
}

# The rows that a round begins with: acme's, and between them globex's.
sub reset_rows
{
    my ($self) = @_;
    my $series = $self->{driver} eq 'sqlite3'
        ? "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)"
        : "WITH n(i) AS (SELECT generate_series(1, $rows))";
    my $number = $self->{driver} eq 'sqlite3' ? "printf('%06d', i)" : "lpad(i::text, 6, '0')";
    my @statements = ('BEGIN');
    foreach my $case (
        ['contacts', 'name', "'old ' || $number"],
        ['groups', 'name, resource', "'group ' || $number, 'contact'"],
        ['shipments', 'tracking_number', "'number ' || $number"]
        )
    {
        my ($table, $columns, $values) = @{$case};
        push @statements, "DELETE FROM $table";
        push @statements,
            "$series INSERT INTO $table (id, organization_id, $columns, created_at, updated_at)"
            . " SELECT '$_-$table-' || $number, '$_', $values, 'x', 'x' FROM n"
            for qw(acme globex);
    }
    $self->{sql}->(join ";\n", @statements, 'DELETE FROM touched', 'COMMIT', '');
    # Before the first node has started there are no such tables.
    eval { $self->{sql}->('DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors') };
    return;
}

# ---- Batches --------------------------------------------------------------------------------------

# What a batch is to do: its request, and the counts that are right: created, updated, overwritten,
# duplicates, errors.
sub requests
{
    my $half = $rows / 2;
    # Long enough that they are taken in by several transactions.
    my $long = 'x' x 1500;
    my @contacts = ((map { {id => sprintf('acme-contacts-%06d', 2 * $_), name => 'stormy', notes => $long} } 1 .. $half),
        map { {name => 'stormy', notes => "new $_ $long"} } 1 .. $half);
    my @groups = ((map { {name => sprintf('group %06d', 2 * $_), resource => 'contact'} } 1 .. $half),
        map { {name => "stormy $_", resource => 'location'} } 1 .. $half);
    my @shipments = map { {tracking_number => sprintf('number %06d', $_), carrier => 'stormy'} } $half + 1 .. $rows + $half;
    return (
        [{action => 'overwrite', resource => 'contact', data => [@contacts, {name => 5}, @contacts[0 .. 2]]},
            $half, $half, $half, 3, 1],
        [{action => 'overwrite', resource => 'group', data => [@groups, map { {name => $_, resource => 'contact', fax => 1} } qw(x y)]},
            $half, $half, $half, 0, 2],
        [{action => 'merge', resource => 'shipment', data => [@shipments, $shipments[0]]}, $half, $half, 0, 1, 0]
    );
}

sub create
{
    my ($self, $node, $wanted) = @_;
    my ($request, @counts) = @{$wanted};
    my ($status, $reply) = $node->request('POST', '/batches', encode_json($request));
    die "create: $status\n" if $status != 202;
    return {id => $reply->{data}{id}, counts => \@counts};
}

# What is wrong with the result: a list, empty if nothing is.
sub faults
{
    my ($self, @batches) = @_;
    my @faults;
    my ($half, $twice) = ($rows / 2, $self->{sql}->('SELECT count(*) FROM (SELECT id FROM touched GROUP BY id HAVING count(*) > 1) AS t'));
    push @faults, "$twice rows were touched more than once" if $twice;
    my $touches = 0;
    foreach my $batch (@batches) {
        my ($row) = $self->{sql}->("SELECT status, created, updated, overwritten, duplicates, errors,"
                . " (SELECT count(*) FROM batch_errors WHERE job = seq) FROM batch_jobs WHERE id = '$batch->{id}'");
        my @counts = @{$batch->{counts}};
        my $right = join '|', 'completed', @counts, $counts[3] + $counts[4];
        push @faults, "batch $batch->{id} is $row, not $right" if ($row // 'gone') ne $right;
        $touches += $counts[0] + $counts[1] + $counts[2];
    }
    my ($touched) = $self->{sql}->('SELECT count(*) FROM touched');
    push @faults, "$touched rows were touched, not $touches" if $touched != $touches;
    my ($others) = $self->{sql}->("SELECT count(*) FROM touched WHERE id LIKE 'globex%'");
    push @faults, "$others rows of another organization were touched" if $others;
    return @faults if @batches < 3;
    my ($left) = $self->{sql}->("SELECT (SELECT count(*) FROM contacts WHERE organization_id = 'acme' AND name = 'stormy'),"
            . " (SELECT count(*) FROM contacts WHERE organization_id = 'acme'),"
            . " (SELECT count(*) FROM groups WHERE organization_id = 'acme'),"
            . " (SELECT count(*) FROM shipments WHERE organization_id = 'acme' AND carrier = 'stormy'),"
            . " (SELECT count(*) FROM shipments WHERE organization_id = 'acme')");
    my $right = join '|', ($rows) x 4, $rows + $half;
    push @faults, "rows that are left: $left, not $right" if $left ne $right;
    return @faults;
}

# A round at random: strike is called with what it stops, and wake undoes that.
sub round
{
    my ($self, $strike, $wake, @nodes) = @_;
    my (@batches, @stopped);
    my @requests = requests();
    delete $_->{socket} foreach @nodes;
    $_->{pid} || $_->start foreach @nodes;
    # A create that gets no answer may have made its batch: then all of them are made anew.
    until (@batches == @requests) {
        $self->{await}->(60);
        $self->reset_rows;
        @batches = eval { map { $self->create($nodes[rand @nodes], $_) } @requests };
    }
    my $end = time + 0.3 + rand 1;
    while (time < $end) {
        $strike->(\@stopped, @nodes);
        sleep rand 0.08;
        $wake->(\@stopped, 0);
    }
    my $patience = time + $self->{lease} + 1;
    while (@stopped && time < $patience) {
        $wake->(\@stopped, 0);
        sleep 0.05;
    }
    $wake->(\@stopped, 1);
    return 'not every batch ended' if !$self->{await}->(60);
    return $self->faults(@batches);
}

# ---- Every point of the protocol -------------------------------------------------------------------

# Ends (KILL) or stops (STOP) the process at the point of an overwrite: of its first chunks, or of its
# cleanup. The faults of the result.
sub at_point
{
    my ($self, $module, $point, $signal, $in_cleanup) = @_;
    $self->reset_rows;
    my $switches = "$self->{dir}/points";
    mkdir $switches;
    BatchNode::give_away($switches);
    my @nodes = map { BatchNode->new(dir => "$self->{dir}/node$_", module => $module, driver => $self->{driver},
        params => $self->{params}, directives => "$self->{directives}\nBatchWorkers 1") } 1, 2;
    $_->start(BATCH_POINTS => $switches) foreach @nodes;
    my $switch = sub {
        open my $file, '>', "$switches/$point.$signal" or die "$switches: $!\n";
        close $file;
    };
    $switch->() if !$in_cleanup;
    my $receiving = $point =~ /^receiv/;
    my $batch = eval { $self->create($nodes[0], (requests())[0]) };
    my @faults;
    if ($receiving) {
        # Who asked has heard nothing: the batch is there as a whole, or not at all.
        push @faults, 'the create was answered' if $batch && $signal eq 'KILL';
        my ($id) = $self->{sql}->("SELECT id FROM batch_jobs WHERE status <> 'receiving'");
        push @faults, 'the batch is not there' if $point eq 'received' && !$id;
        $batch = $id ? {id => $id, counts => [@{(requests())[0]}[1 .. 5]]} : undef;
    }
    if ($in_cleanup) {
        my $end = time + 30;
        while (time < $end) {
            my ($row) = $self->{sql}->("SELECT overwritten, status FROM batch_jobs WHERE id = '$batch->{id}'");
            last if $row !~ /^0\|/;
        }
        $switch->();
    }
    my $end = time + ($in_cleanup ? 2 : 30);
    sleep 0.01 while -e "$switches/$point.$signal" && time < $end;
    push @faults, "the point $point was not reached" if -e "$switches/$point.$signal" && !$in_cleanup;
    if ($signal eq 'STOP') {
        sleep $self->{lease} + 1;
        kill 'CONT', map { $_->children } @nodes;
    }
    # What is left of one that was not received is removed when its time comes: nobody sees it.
    push @faults, 'the batch did not end' if $batch && !$self->{await}->(40);
    # Those who slept must have had their chance to do harm; a worker may rest for a moment before its next chunk.
    sleep 1 if $signal eq 'STOP';
    $_->stop foreach @nodes;
    push @faults, $self->faults($batch ? $batch : ());
    unlink glob "$switches/*";
    return @faults;
}

1;
