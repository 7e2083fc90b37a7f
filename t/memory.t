# The memory of a child does not grow with the number of batches, nor with the number of wrong
# requests.
#
# needs: nothing; takes: waiting
use strict;
use warnings;

use BatchTest;

use POSIX ();

my $rounds = $ENV{SANITIZE} ? 50 : 400;
my @ids = record_ids(8);

# Four clients at once, each with count rounds of everything on a connection that stays open.
sub load
{
    my ($count) = @_;
    my @clients;
    foreach my $number (0 .. 3) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            my $good = eval { work($number, $count); 1 };
            print STDERR "# client $number: $@" unless $good;
            POSIX::_exit($good ? 0 : 1);
        }
        push @clients, $pid;
    }
    my $failed = 0;
    foreach my $pid (@clients) {
        waitpid $pid, 0;
        $failed++ if $?;
    }
    return $failed;
}

sub work
{
    my ($number, $count) = @_;
    my $connection = BatchTest::Connection->new;
    my $operation = update_ids({status => "client $number"}, @ids[$number * 2, $number * 2 + 1],
        unknown_ids(3));
    my @made;
    foreach my $round (1 .. $count) {
        my $answer = $connection->request('POST', '/batch',
            json => {batch => {operations => [$operation]}});
        die 'create: ', $answer->status, ' ', $answer->body, "\n" if $answer->status != 202;
        push @made, $answer->json->{batch}{id};
        my $wrong
            = $round % 3 == 0
            ? $connection->request('POST', '/batch',
            body => '{"batch":{"operations":[{"ids":["x",{}]},')
            : $round % 3 == 1 ? $connection->request('POST', '/batch',
            json => {batch => {operations => [{ids => [1, 2]}]}})
            : $connection->request('GET', "/batch/$made[0]/errors.csv");
        die 'wrong: ', $wrong->status, "\n" if $wrong->status !~ /^(?:400|422|200)$/;
        $connection->request('GET', '/batch?per_page=20') if $round % 10 == 0;
        # The database stays as small as it is, so that its cache does not grow either; and the
        # workers are never far behind.
        while (@made > ($round < $count ? 5 : 0)) {
            wait_for('a batch to end',
                sub { $connection->request('DELETE', "/batch/$made[0]")->status == 200 });
            shift @made;
        }
    }
    return;
}

sub settle
{
    wait_for(
        'all batches to end',
        sub {
            value("SELECT count(*) FROM batch_jobs WHERE status IN ('queued', 'processing')") == 0;
        }
    );
    return;
}

is(load(int $rounds / 3), 0, 'four clients warm the server up');
settle();
my %before = map { $_ => resident_kilobytes($_) } server_children();
is(load($rounds), 0, 'four clients make ' . 4 * $rounds . ' batches');
settle();
my %after = map { $_ => resident_kilobytes($_) } server_children();
is(join(' ', sort keys %after), join(' ', sort keys %before), 'the children are the same')
    if mpm() ne 'prefork';

my @grown;
foreach my $pid (sort keys %after) {
    next unless defined $before{$pid} && defined $after{$pid};
    my $growth = $after{$pid} - $before{$pid};
    diag("child $pid: $before{$pid} KiB, then $after{$pid} KiB") if $ENV{VERBOSE};
    push @grown, "$pid: $before{$pid} + $growth KiB" if $growth > 1024;
}
# With a sanitizer the allocator keeps what is freed: there, leaks are its own to find.
ok($ENV{SANITIZE} || !@grown, 'no child has grown by a mebibyte') or diag(join "\n", @grown);

# Batches of many objects do not make the children large, and large answers do not, either. What is
# used for the first time (threads, their arenas, caches of pages) makes memory grow too, but that
# comes to an end, while a leak comes again with each round. A round is 80,000 objects, so that
# sixteen bytes for each of them are more than it may leave behind. Two calm rounds in a row are
# asked for, each compared with the most that there has been: memory that is given back for once
# does not hide a leak.
my $most_rounds = 16;
my $most_growth = 1024;

sub round_of_large_batches
{
    my @many = unknown_ids(10000);
    foreach (1 .. 8) {
        my $batch = finished(create(delete_ids(@many)));
        request('GET', "/batch/$batch->{id}/errors.json");
        request('DELETE', "/batch/$batch->{id}");
    }
    return;
}

# KiB by which the children are larger than each has been before; notes it in peak.
sub growth
{
    my ($peak) = @_;
    my $growth = 0;
    foreach my $pid (server_children()) {
        my $now = resident_kilobytes($pid) or next;
        my $more = $now - ($peak->{$pid} // $now);
        $growth += $more if $more > 0;
        $peak->{$pid} = $now if $more > 0 || !defined $peak->{$pid};
    }
    return $growth;
}

my (%peak, @growths);
my $calm = 0;
growth(\%peak);
while ($calm < 2 && @growths < ($ENV{SANITIZE} ? 1 : $most_rounds)) {
    round_of_large_batches();
    push @growths, growth(\%peak);
    $calm = $growths[-1] < $most_growth ? $calm + 1 : 0;
}
ok($ENV{SANITIZE} || $calm == 2, 'in the end, eight batches of 10,000 objects leave nothing behind')
    or diag("KiB by which each round grew: @growths");
diag("KiB by which each round grew: @growths") if $ENV{VERBOSE};

finish();
