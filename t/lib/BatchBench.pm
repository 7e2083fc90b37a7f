# What the measurements of t/bench share: databases that each round begins with, batches that are awaited,
# the memory of a node.
package BatchBench;

use strict;
use warnings;

use Exporter 'import';
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use POSIX ();
use Time::HiRes qw(time sleep);

use BatchNode;

our @EXPORT = qw($dir $params $server $pgsql
    median least most start_postgres psql make_template fresh_database value await latencies resident watch);

our $dir = tempdir('mod_batch-bench.XXXXXX', TMPDIR => 1, CLEANUP => 1);
our $params = "$dir/run.db";
our $server = '';    # the PostgreSQL's folder
our $pgsql = ($ENV{DRIVER} // '') eq 'pgsql';

chmod 0755, $dir;
BatchNode::give_away($dir);
END { local $?; system(BatchNode::top() . '/build-aux/postgres', 'stop', $server, 'immediate') if $server }

sub least { my @s = sort { $a <=> $b } @_; return $s[0] }
sub most { my @s = sort { $a <=> $b } @_; return $s[-1] }
sub median { my @s = sort { $a <=> $b } @_; return $s[$#s / 2] }

# ---- Databases -------------------------------------------------------------------------------------

# A server that waits for the disk, with more settings.
sub start_postgres
{
    my (@settings) = @_;
    $server = "$dir/pg";
    $params = "host=$server user=batch dbname=run";
    system(join ' ', "'" . BatchNode::top() . "/build-aux/postgres'", 'start', "'$server'", 'fsync=on full_page_writes=on',
        @settings, '> /dev/null') == 0 or die "cannot start PostgreSQL\n";
    return;
}

sub psql
{
    my ($database, $statements) = @_;
    open my $client, '|-', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $server, '-U', 'batch', '-d', $database,
        '-o', '/dev/null' or die "psql: $!\n";
    print {$client} "SET client_min_messages = warning;\n$statements";
    close $client or die "psql failed in: " . substr($statements, 0, 200) . "\n";
    return;
}

# Makes the database that each round begins with: what the file of SQL does, if there is one, and the
# statements.
sub make_template
{
    my ($statements, $file) = @_;
    if ($pgsql) {
        psql('postgres', "DROP DATABASE IF EXISTS run;\nDROP DATABASE IF EXISTS template;\nCREATE DATABASE template;");
        psql('template', "\\i $file\n") if $file;
        psql('template', "BEGIN;\n$statements\nCOMMIT;\nVACUUM ANALYZE;\n");
        return;
    }
    unlink glob "$dir/template.db*";
    open my $sql, '|-', 'sqlite3', "$dir/template.db" or die "sqlite3: $!\n";
    print {$sql} ".output /dev/null\nPRAGMA journal_mode=WAL;\n", $file ? ".read $file\n" : '',
        "BEGIN;\n$statements\nCOMMIT;\nPRAGMA wal_checkpoint(TRUNCATE);\n";
    close $sql or die "cannot fill the database\n";
    return;
}

sub fresh_database
{
    if ($pgsql) {
        psql('postgres', "DROP DATABASE IF EXISTS run;\nCREATE DATABASE run TEMPLATE template;\nCHECKPOINT;\n");
    } else {
        unlink glob "$dir/run.db*";
        copy("$dir/template.db", "$dir/run.db") or die "copy: $!\n";
        BatchNode::give_away("$dir/run.db");
    }
    system 'sync';
    return;
}

sub value
{
    my ($select) = @_;
    my $text = $pgsql ? `psql -X -q -A -t -h '$server' -U batch -d run -c "$select"` : `sqlite3 '$dir/run.db' "$select"`;
    chomp $text;
    return $text;
}

# ---- Batches ---------------------------------------------------------------------------------------

# Polls until the batch is final; the batch.
sub await
{
    my ($node, $batch) = @_;
    while ($batch->{status} =~ /^(?:queued|processing)$/) {
        sleep 0.002;
        my ($status, $reply) = $node->request('GET', "/batches/$batch->{id}");
        die "GET: $status\n" if $status != 200;
        $batch = $reply->{data};
    }
    die "the batch ended as $batch->{status}: ", $batch->{reason} // '', "\n" if $batch->{status} ne 'completed';
    return $batch;
}

# Milliseconds of each of the requests.
sub latencies
{
    my ($node, $method, $path, @bodies) = @_;
    return map {
        my $begun = time;
        # httpd may close a connection that rests: once more, on a new one.
        my ($status) = eval { $node->exchange($method, $path, $_) };
        ($status) = $node->exchange($method, $path, $_) if !$status;
        my $took = (time - $begun) * 1e3;
        die "$method $path: $status\n" if $status !~ /^20[01]$/;
        $took;
    } @bodies;
}

# ---- Memory ----------------------------------------------------------------------------------------

# Resident memory of all children of the node, KiB: that is their own, or, with the word VmRSS, with the pages
# that they share.
sub resident
{
    my ($node, $word) = @_;
    my $sum = 0;
    $word ||= 'RssAnon';
    local $_;
    foreach my $pid ($node->children) {
        open my $file, '<', "/proc/$pid/status" or next;
        /^$word:\s+(\d+)/ and $sum += $1 while <$file>;
    }
    return $sum;
}

# Watches the memory in a process of its own until it is told to end, and then says the most that it saw.
sub watch
{
    my ($node, $word) = @_;
    pipe my $from, my $to or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $most = 0;
        my $end = 0;
        local $SIG{USR1} = sub { $end = 1 };
        while (!$end) {
            my $now = resident($node, $word);
            $most = $now if $now > $most;
            sleep 0.02;
        }
        syswrite $to, "$most\n";
        POSIX::_exit(0);
    }
    close $to;
    return sub {
        kill 'USR1', $pid;
        my $most = <$from> + 0;
        waitpid $pid, 0;
        return $most;
    };
}

1;
