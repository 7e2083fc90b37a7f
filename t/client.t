# Fulcrum's own clients (t/clients) against the server. Skipped only on a machine that has no
# Node.js.
#
# needs: nothing
use strict;
use warnings;

use Test::More;

BEGIN {
    plan skip_all => 'there is no Node.js here' if system 'node --version >/dev/null 2>&1';
}

use BatchTest;

my $clients = work_folder() . '/t/clients';
ok(-d "$clients/node_modules/fulcrum-app", 'the npm package fulcrum-app is installed')
    or diag("t/run-suite installs it, or: cd t/clients && npm install --no-package-lock\n",
    map {s/^/npm: /gmr} log_of_npm());

sub log_of_npm
{
    open my $file, '<', work_folder() . '/var/npm.log' or return 'no log';
    return do { local $/; <$file> };
}

my @ids = record_ids(20);
local $ENV{BATCH_URL} = 'http://127.0.0.1:' . var('port') . '/api/v2';
local $ENV{BATCH_TOKEN} = 'alice-token';
local $ENV{BATCH_FORM} = TESTING_APP;
local $ENV{BATCH_IDS} = join ',', @ids;
local $ENV{BATCH_DEADLINE} = DEADLINE;

open my $tap, '-|', "cd '$clients' && exec node fulcrum.test.js 2>&1" or die "node: $!\n";
my ($ran, $planned) = (0, undef);
while (my $line = <$tap>) {
    if ($line =~ /^(not )?ok \d+ - (.*)/) {
        ok(!$1, $2);
        $ran++;
    }
    elsif ($line =~ /^1\.\.(\d+)/) {
        $planned = $1;
    }
    else {
        chomp $line;
        diag($line);
    }
}
ok(close $tap, 'the script ends well');
ok(defined $planned && $ran == $planned, 'and has run to its end');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @ids) . "')"),
    7, 'the rows are gone from the database');

finish();
