#!/usr/bin/perl
# The inner half of t/run-suite: runs in the temporary folder, as an ordinary user. Makes the
# sample's database, starts httpd by Apache::Test, runs the files, stops httpd, reads the rest of
# the error log, and counts.
use strict;
use warnings;

use File::Basename qw(basename);
use TAP::Harness;

use BatchTest::Log;
use BatchTest::Port;

my $work = $ENV{BATCH_SUITE} or die "run me by t/run-suite\n";
my $error_log = "$work/t/logs/error_log";
my @files = @ARGV ? @ARGV : sort glob 't/*.t';
my $trouble = 0;
$| = 1;

# Complains, and counts as one failed test.
sub trouble
{
    print "# $_\n" for map { split /\n/ } @_;
    $trouble++;
    return;
}

sub run
{
    my ($name, @command) = @_;
    my $log = "$work/var/$name.log";
    my $status = system 'sh', '-c', 'exec "$@" >"$0" 2>&1', $log, @command;
    return 1 if $status == 0;
    open my $file, '<', $log or return 0;
    my @lines = <$file>;
    trouble("$name failed: @command", @lines > 40 ? @lines[-40 .. -1] : @lines);
    return 0;
}

sub database
{
    if ($ENV{BATCH_TEST_DRIVER} ne 'pgsql') {
        my $database = $ENV{BATCH_TEST_DATABASE};
        return run('sample', 'sqlite3', '-bail', $database, ".read $work/conf/sample/sqlite3.sql")
            && run('pristine', 'cp', $database, "$database.pristine");
    }
    my ($bin) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] } glob '/usr/lib/postgresql/*/bin';
    $bin or return trouble('PostgreSQL is missing: apt-get install postgresql') && 0;
    my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $ENV{BATCH_TEST_PARAMS});
    mkdir "$work/pg";
    return run('initdb', "$bin/initdb", '-D', "$work/pg/data", '-U', 'batch', '-A', 'trust', '-E',
        'UTF8', '--locale=C.UTF-8', '--no-sync')
        && run('settings', 'sh', '-c', 'printf "%s\n" "$@" >>"$0"', "$work/pg/data/postgresql.conf",
        # What is committed has to outlive the server here, not the machine.
        "listen_addresses = ''", "unix_socket_directories = '$work/pg'", 'fsync = off',
        'full_page_writes = off')
        && run('postgres', "$bin/pg_ctl", '-D', "$work/pg/data", '-w', '-l', "$work/pg/log", 'start')
        && run('createdb', "$bin/createdb", '-h', "$work/pg", '-U', 'batch', 'batch')
        && run('sample', @psql, '-f', "$work/conf/sample/pgsql.sql")
        && run(
        'pristine',
        @psql,
        '-c',
        'CREATE SCHEMA pristine',
        map { ('-c', "CREATE TABLE pristine.$_ AS TABLE $_") }
            qw(forms records contacts groups shipments trackers assets)
        );
}

sub stop_database
{
    return if $ENV{BATCH_TEST_DRIVER} ne 'pgsql' || !-d "$work/pg/data";
    my ($bin) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] } glob '/usr/lib/postgresql/*/bin';
    run('stop-postgres', "$bin/pg_ctl", '-D', "$work/pg/data", '-m', 'immediate', 'stop');
    return;
}

sub start
{
    return run('start-httpd', $^X, 't/TEST.PL', '-httpd', $ENV{BATCH_TEST_HTTPD}, '-httpd_conf',
        "$work/t/conf/modules.conf", '-port', $ENV{PORT} || free_port(), '-startup_timeout', 60, '-start-httpd');
}

# What the server logged after the last file looked, its end included.
sub read_log
{
    foreach my $line (grep { line_is_bad($_) } split /\n/, log_text(log_watched())) {
        trouble("error log: $line");
    }
    return;
}

my $aggregate;
if (database() && start()) {
    my $harness = TAP::Harness->new(
        {
            verbosity => $ENV{VERBOSE} ? 1 : 0,
            lib => ["$work/t/lib"],
            failures => 1,
            comments => 0,
            merge => 0,
            timer => 1
        }
    );
    $aggregate = $harness->runtests(@files);
    run('stop-httpd', $^X, 't/TEST.PL', '-stop-httpd');
    read_log();
}
elsif (open my $log, '<', $error_log) {
    my @lines = <$log>;
    print '# ', $_ for @lines > 20 ? @lines[-20 .. -1] : @lines;
}
stop_database();

my ($passed, $failed) = (0, $trouble);
if ($aggregate) {
    $passed = $aggregate->passed;
    $failed += $aggregate->failed;
    # A file that died, or that ran another number of tests than it planned, without a failed test
    # of its own.
    foreach my $name ($aggregate->descriptions) {
        my ($parser) = $aggregate->parsers($name);
        next if $parser->failed || !$parser->has_problems;
        print "# $name did not run to its end\n";
        $failed++;
    }
    my @skipped = grep { ($aggregate->parsers($_))[0]->skip_all } $aggregate->descriptions;
    print "# skipped: $_: ", ($aggregate->parsers($_))[0]->skip_all, "\n" for @skipped;
}
$failed++ if !$passed && !$failed;
print "$passed passed, $failed failed\n";
exit($failed ? 1 : 0);
