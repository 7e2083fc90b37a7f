# The storm's batches that two threads of a node apply at once: of a table without triggers, on
# PostgreSQL. What is applied twice shows in the counts (a row is made, and then changed), or in the
# rows' transactions.
package Lanes;

use strict;
use warnings;

use JSON::PP;
use Time::HiRes qw(time sleep);
use BatchNode;

my $count = 24_000;

# Long enough for two threads, and for whoever is stopped beyond it.
my $lease = 20;

# What the nodes need in their configuration.
sub directives
{
    return join "\n", '<BatchResource lane>', 'BatchTable lanes', 'BatchKey id client',
        'BatchColumn name text required', 'BatchActions merge', '</BatchResource>', '';
}

# As Resources->new.
sub new
{
    my ($class, %storm) = @_;
    my $self = bless {%storm}, $class;
    $self->{sql}->('CREATE TABLE lanes (id text PRIMARY KEY, name text NOT NULL);');
    return $self;
}

sub begin
{
    my ($self, $module) = @_;
    $self->{sql}->('DELETE FROM lanes;');
    eval { $self->{sql}->('DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors') };
    $self->{switches} = "$self->{dir}/points";
    mkdir $self->{switches};
    BatchNode::give_away($self->{switches});
    my @nodes = map { BatchNode->new(dir => "$self->{dir}/lanes$_", module => $module, driver => 'pgsql',
        params => $self->{params}, directives => directives() . "BatchLease $lease\nBatchChunkTime 5ms") } 1, 2;
    $_->start(BATCH_POINTS => $self->{switches}) foreach @nodes;
    return @nodes;
}

sub create
{
    my ($self, $node) = @_;
    my @items = map { {id => sprintf('l%05d', $_), name => "name $_"} } 1 .. $count;
    my ($status, $reply) = $node->request('POST', '/batches',
        encode_json({action => 'merge', resource => 'lane', save_upload => JSON::PP::false, data => \@items}));
    die "create: $status\n" if $status != 202;
    return $reply->{data}{id};
}

# What there is of the rows, and when each was last changed.
sub rows_now
{
    my ($self) = @_;
    my ($rows) = $self->{sql}->("SELECT count(*) || ' ' || md5(string_agg(id || xmin::text, ',' ORDER BY id)) FROM lanes");
    return $rows;
}

sub position
{
    my ($self) = @_;
    my ($position) = $self->{sql}->('SELECT coalesce(max(position), 0) FROM batch_jobs');
    return $position;
}

sub faults
{
    my ($self, $id) = @_;
    my ($is) = $self->{sql}->("SELECT status, created, updated, errors, position FROM batch_jobs WHERE id = '$id'");
    my @faults = $is eq "completed|$count|0|0|$count" ? () : "the batch is $is";
    push @faults, 'rows: ' . $self->rows_now if $self->rows_now !~ /^$count /;
    return @faults;
}

# Ends (KILL) or stops (STOP) the process in one of two threads at the point; the faults of the result.
sub at_point
{
    my ($self, $module, $point, $signal) = @_;
    my @nodes = $self->begin($module);
    my $id = $self->create($nodes[0]);
    my ($end, @faults) = (time + 30);
    sleep 0.001 while $self->position == 0 && time < $end;
    my $switch = "$self->{switches}/$point.$signal";
    open my $file, '>', $switch or die "$switch: $!\n";
    close $file;
    sleep 0.01 while -e $switch && time < $end;
    push @faults, "the point $point was not reached" if -e $switch;
    if ($signal eq 'STOP') {
        # Another node goes on when the lease is over. Who wakes up must not do anything any more.
        push @faults, 'nobody took over' if !$self->{await}->($lease + 20);
        my $before = $self->rows_now;
        kill 'CONT', map { $_->children } @nodes;
        sleep 2;
        push @faults, 'rows were changed behind the end' if $self->rows_now ne $before;
    }
    push @faults, 'the batch did not end' if !$self->{await}->(40);
    $_->stop foreach @nodes;
    push @faults, $self->faults($id);
    unlink glob "$self->{switches}/*";
    return @faults;
}

# Kills whichever process runs the batch, at any time.
sub at_random
{
    my ($self, $module, $rounds) = @_;
    my @nodes = $self->begin($module);
    my @faults;
    foreach my $round (1 .. $rounds) {
        delete $_->{socket} foreach @nodes;
        $self->{sql}->('DELETE FROM lanes; DELETE FROM batch_jobs;');
        my $id = eval { $self->create($nodes[0]) };
        next if !$id;
        foreach (1 .. 4) {
            sleep rand 0.1;
            kill 'KILL', map { $_->children } @nodes;
        }
        push @faults, "round $round: the batch did not end" if !$self->{await}->(40);
        push @faults, map { "round $round: $_" } $self->faults($id);
    }
    $_->stop foreach @nodes;
    return @faults;
}

1;
