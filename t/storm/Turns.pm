# The storm's overlapping batches: merges, overwrites and deletes of the same rows, sent by several
# clients at once, sync ones among them, while nodes are killed. The rows that are left, and every
# count, are those of the batches one after the other, in the order in which they were accepted.
package Turns;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use POSIX ();
use Time::HiRes qw(time sleep);
use BatchNode;

my $ids = 60;           # that the batches are about
my $clients = 3;        # at once
my $each = 4;           # batches of a client
my @columns = qw(name kind notes);

# What the nodes need in their configuration: keys that clients make, a member that a new row must
# have, and one that never changes, so that what an item comes to depends on the batches before.
sub directives
{
    return join "\n", '<BatchResource turn>', 'BatchTable turns', 'BatchKey id client', 'BatchScope organization_id',
        'BatchColumn name text required', 'BatchColumn kind text immutable', 'BatchColumn notes text',
        'BatchActions merge overwrite delete', '</BatchResource>', '';
}

# As Resources->new.
sub new
{
    my ($class, %storm) = @_;
    my $self = bless {%storm, made => 0}, $class;
    my @statements = 'CREATE TABLE turns (organization_id text NOT NULL, id text NOT NULL, name text NOT NULL,'
        . ' kind text, notes text, PRIMARY KEY (organization_id, id))';
    # So that a batch takes several chunks.
    push @statements, 'CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.0005);'
        . ' RETURN NULL; END$$',
        'CREATE TRIGGER dawdle AFTER INSERT OR UPDATE OR DELETE ON turns FOR EACH ROW EXECUTE FUNCTION dawdle()'
        if $self->{driver} eq 'pgsql';
    $self->{sql}->(join ";\n", @statements, '');
    return $self;
}

# ---- Requests -------------------------------------------------------------------------------------

sub pick { return $_[rand @_] }

sub item
{
    my ($id, $tag) = @_;
    my %item = (id => $id);
    $item{name} = "name $tag" if rand() < 0.7;
    $item{kind} = pick(qw(a b)) if rand() < 0.3;
    $item{notes} = "notes $tag" if rand() < 0.5;
    return \%item;
}

# A request that no other is like.
sub make_request
{
    my ($self, $tag) = @_;
    my $action = pick(qw(merge merge overwrite delete));
    my %chosen = map { sprintf('t%03d', rand $ids) => 1 } 1 .. ($action eq 'delete' ? 12 : 40);
    my @items = map { $action eq 'delete' ? {id => $_} : item($_, $tag) } sort keys %chosen;
    # An overwrite fails as a whole where none of its items is valid.
    push @items, {id => "own $tag", name => "name $tag"} if $action ne 'delete';
    my %request = (action => $action, resource => 'turn', data => \@items, properties => {});
    $request{mode} = 'sync', $request{atomic} = JSON::PP::false if rand() < 0.25;
    return encode_json(\%request);
}

# Several clients at once. What they are answered does not count: a batch that is there counts.
sub send_all
{
    my ($self, $bodies, @nodes) = @_;
    my @clients;
    foreach my $client (0 .. $clients - 1) {
        my $pid = fork // die "fork: $!\n";
        push @clients, $pid;
        next if $pid;
        delete $_->{socket} foreach @nodes;
        foreach my $body (@{$bodies->[$client]}) {
            my $node = $nodes[rand @nodes];
            eval { $node->request('POST', '/batches', $body) };
        }
        POSIX::_exit(0);
    }
    return @clients;
}

# ---- What is right --------------------------------------------------------------------------------

# What the items of a request come to, one after the other, in rows: {id => {column => value}}.
sub replay
{
    my ($rows, $request) = @_;
    my %count = map { $_ => 0 } qw(created updated deleted overwritten errors);
    my %named;
    foreach my $item (@{$request->{data}}) {
        my $row = $rows->{$item->{id}};
        $named{$item->{id}} = 1;
        if ($request->{action} eq 'delete') {
            $count{$row ? 'deleted' : 'errors'}++;
            delete $rows->{$item->{id}};
        } elsif ($row && defined $item->{kind} && ($row->{kind} // '') ne $item->{kind} || !$row && !defined $item->{name}) {
            $count{errors}++;
        } else {
            $count{$row ? 'updated' : 'created'}++;
            $rows->{$item->{id}}{$_} = $item->{$_} foreach grep { defined $item->{$_} } @columns;
        }
    }
    if ($request->{action} eq 'overwrite') {
        my @gone = grep { !$named{$_} } keys %$rows;
        delete @{$rows}{@gone};
        $count{overwritten} = @gone;
    }
    return \%count;
}

# 1 if a batch of the mode sync may have been carried out before those that began before it: all are
# sync, and at work at the same time. A request that is carried out at once has no other time than that
# of its transaction, and of two that both may be at work it is their rows that decide.
sub may_be_first
{
    my ($batch, @before) = @_;
    return !grep { $_->{mode} ne 'sync' || $batch->{mode} ne 'sync' || $_->{completed_at} < $batch->{started_at} } @before;
}

# The rows behind the batches one after the other, in an order that they may have had and that makes
# their counts right; undef: there is none.
sub in_some_order
{
    my ($request, $rows, @batches) = @_;
    return $rows if !@batches;
    foreach my $i (0 .. $#batches) {
        next if !may_be_first($batches[$i], @batches[0 .. $i - 1]);
        my %then = map { $_ => {%{$rows->{$_}}} } keys %$rows;
        my $count = replay(\%then, $request->{$batches[$i]{checksum}});
        next if grep { $count->{$_} != $batches[$i]{$_} } keys %$count;
        my $end = in_some_order($request, \%then, @batches[0 .. $i - 1, $i + 1 .. $#batches]);
        return $end if $end;
    }
    return;
}

# What is wrong: the batches in the order in which they were carried out, replayed.
sub faults
{
    my ($self, $bodies) = @_;
    my %request = map { sha256_hex($_) => decode_json($_) } map { @{$_} } @{$bodies};
    my (@faults, %rows, $last, @batches);
    my @counts = qw(created updated deleted overwritten errors);
    my @members = (qw(checksum mode status queued_at started_at completed_at), @counts, 'id');
    foreach my $line ($self->{sql}->('SELECT ' . join(', ', @members)
        . " FROM batch_jobs WHERE resource = 'turn' AND status <> 'receiving' ORDER BY started_at, queued_at, seq"))
    {
        my %batch;
        @batch{@members} = split /\|/, $line;
        push @batches, \%batch;
        push @faults, "batch $batch{id} is $batch{status}" if $batch{status} !~ /^(?:completed|failed)$/;
        next if $batch{mode} eq 'sync';
        push @faults, "batch $batch{id} was accepted before one that came first" if $last && $batch{queued_at} < $last;
        $last = $batch{queued_at};
    }
    my $rows = in_some_order(\%request, {}, @batches);
    foreach my $batch ($rows ? () : @batches) {
        my $count = replay(\%rows, $request{$batch->{checksum}});
        my $wanted = join ' ', map { "$_ $count->{$_}" } @counts;
        my $got = join ' ', map { "$_ $batch->{$_}" } @counts;
        push @faults, "$request{$batch->{checksum}}{action} $batch->{id} ($batch->{mode}) has $got, not $wanted" if $got ne $wanted;
    }
    %rows = %$rows if $rows;
    my @is = $self->{sql}->("SELECT id, name, coalesce(kind, ''), coalesce(notes, '') FROM turns WHERE organization_id = 'acme' ORDER BY id");
    my @right = map { my $row = $rows{$_}; join '|', $_, map { $row->{$_} // '' } @columns } sort keys %rows;
    push @faults, 'the rows are not those of the batches one after the other' if "@is" ne "@right";
    my ($line) = $self->{sql}->("SELECT count(*) FROM batch_jobs WHERE status = 'receiving' AND queued_at > 0");
    push @faults, "$line stand in line" if $line;
    return @faults;
}

# As Resources->round.
sub round
{
    my ($self, $strike, $wake, @nodes) = @_;
    my @stopped;
    delete $_->{socket} foreach @nodes;
    $_->{pid} || $_->start foreach @nodes;
    $self->{await}->(60);
    $self->{sql}->('DELETE FROM turns; DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors');
    my $made = \$self->{made};
    my $bodies = [map { [map { $self->make_request(++$$made) } 1 .. $each] } 1 .. $clients];
    my @clients = $self->send_all($bodies, @nodes);
    my $end = time + 0.5 + rand 1.5;
    while (time < $end) {
        $strike->(\@stopped, @nodes) if rand() < 0.5;
        sleep rand 0.1;
        $wake->(\@stopped, 0);
    }
    my $patience = time + $self->{lease} + 1;
    while (@stopped && time < $patience) {
        $wake->(\@stopped, 0);
        sleep 0.05;
    }
    $wake->(\@stopped, 1);
    waitpid $_, 0 foreach @clients;
    return 'not every batch ended' if !$self->{await}->(90);
    return $self->faults($bodies);
}

1;
