# A configuration that contradicts itself is refused, by configtest and at start-up, with file, line
# and reason. What does not fit the database is told in the same way, and refuses nothing.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Port;

use POSIX ();

my $folder = work_folder() . '/var/config';
mkdir $folder or -d $folder or die "$folder: $!\n";
my $port = free_port();
my $driver = driver();
my $params = $ENV{BATCH_TEST_PARAMS};

# Writes a configuration with the text at its end; returns its path and the line on which the text
# begins.
sub write_conf
{
    my ($text) = @_;
    my $path = "$folder/test.conf";
    my $head = <<"END";
ServerRoot "$folder"
ServerName 127.0.0.1
Listen 127.0.0.1:$port
DefaultRuntimeDir "$folder"
PidFile "$folder/httpd.pid"
ErrorLog "$folder/error_log"
Include "@{[var('t_conf')]}/modules.conf"
TypesConfig /dev/null
Define BATCH_CONF "@{[work_folder()]}/conf"
END
    open my $file, '>', $path or die "$path: $!\n";
    print {$file} $head, $text;
    close $file or die "$path: $!\n";
    return ($path, 1 + ($head =~ tr/\n//));
}

# configtest of a text: its exit code and what it says.
sub configtest
{
    my ($text) = @_;
    my ($path, $line) = write_conf($text);
    my $said = `@{[var('httpd')]} -t -f '$path' 2>&1`;
    return ($? >> 8, $said, $path, $line);
}

my $database = "BatchDBDriver $driver\nBatchDBDParams \"$params\"\n";

# A section of these lines.
sub resource
{
    my (@lines) = @_;
    return join "\n", '<BatchResource tested>', @lines, '</BatchResource>', '';
}

# ---- What works ----------------------------------------------------------------------------------

my ($code, $said) = configtest('');
is($code, 0, 'the module alone, without a directive of it') or diag($said);
($code, $said) = configtest(<<"END");
Define BATCH_DRIVER $driver
Define BATCH_PARAMS "$params"
Include "\${BATCH_CONF}/sample.conf"
END
is($code, 0, 'the sample') or diag($said);
unlike($said, qr/warn|error/i, 'without a complaint');
($code, $said) = configtest($database
        . resource('BatchTable records', 'BatchKey id client', 'BatchColumn status text',
        'BatchActions update'));
is($code, 0, 'a resource of one column') or diag($said);
($code, $said) =
    configtest("BatchMaxItems 5\nBatchMaxItemSize 64k\nBatchSyncMaxItems 1\n$database");
is($code, 0, 'limits of the resources API') or diag($said);

foreach my $size ('128M', '134217728', '64g', '1M', '68719476736') {
    ($code, $said) = configtest("BatchQueryMemory $size\n$database");
    is($code, 0, "BatchQueryMemory $size") or diag($said);
}
($code, $said) = configtest("BatchQueryRows 100000000\n$database");
is($code, 0, 'the largest number of nine digits') or diag($said);

# ---- What one directive can see ------------------------------------------------------------------

my @good = ('BatchTable records', 'BatchKey id client');

# [name, text, the line in it that is wrong (from 1), the reason]
my @wrong = (
    [
        'a column of an unknown type',
        resource(@good, 'BatchColumn status texxt', 'BatchActions delete'),
        4, qr/texxt/
    ],
    ['a column without a type', resource(@good, 'BatchColumn status'), 4, qr/BatchColumn/],
    [
        'a column with an unknown word', resource(@good, 'BatchColumn status text obligatory'),
        4, qr/obligatory/
    ],
    ['a max that is no number', resource(@good, 'BatchColumn status text max=many'), 4, qr/max/],
    ['a max of nothing', resource(@good, 'BatchColumn status text max=0'), 4, qr/max/],
    ['a max below zero', resource(@good, 'BatchColumn status text max=-1'), 4, qr/max/],
    ['a max of a number', resource(@good, 'BatchColumn version integer max=5'), 4, qr/max/],
    ['a min of a text', resource(@good, 'BatchColumn status text min=5'), 4, qr/min/],
    ['a min that is no number', resource(@good, 'BatchColumn version integer min=x'), 4, qr/min/],
    ['an enum of nothing', resource(@good, 'BatchColumn status text enum='), 4, qr/enum/],
    ['a min of a UUID', resource(@good, 'BatchColumn status uuid min=5'), 4, qr/min= is for integer, number and decimal only/],
    ['a min of a decimal that is none', resource(@good, 'BatchColumn version decimal min=1,5'), 4, qr/min= takes a number/],
    ['a max of a decimal', resource(@good, 'BatchColumn version decimal max=5'), 4, qr/max= is for text only/],
    ['a precision of a number', resource(@good, 'BatchColumn version number precision=5'), 4, qr/precision= is for decimal only/],
    ['a scale of a text', resource(@good, 'BatchColumn status text scale=5'), 4, qr/scale= is for decimal only/],
    ['a precision of nothing', resource(@good, 'BatchColumn version decimal precision=0'), 4, qr/precision= takes a number of digits from 1 to 1000/],
    ['a precision past all', resource(@good, 'BatchColumn version decimal precision=1001'), 4, qr/precision=/],
    ['a scale that is no number', resource(@good, 'BatchColumn version decimal scale=two'), 4, qr/scale= takes a number of digits from 0 to 1000/],
    ['a scale below zero', resource(@good, 'BatchColumn version decimal scale=-1'), 4, qr/scale=/],
    ['a scale of more than the precision', resource(@good, 'BatchColumn version decimal scale=3 precision=2'), 4, qr/scale= must not be more than precision=/],
    ['a scale of more than there are', resource(@good, 'BatchColumn version decimal scale=101'), 4, qr/which is 100 where it is not given/],
    [
        'a column twice',
        resource(@good, 'BatchColumn status text', 'BatchColumn status text'),
        5, qr/status/
    ],
    [
        'a column name that is none',
        resource(@good, 'BatchColumn "sta tus\";x" text'),
        4, qr/sta tus|BatchColumn/
    ],
    [
        'a table name that is none',
        resource('BatchKey id client', 'BatchTable "records; DROP TABLE records"'),
        3, qr/BatchTable|records;/
    ],
    ['an unknown action', resource(@good, 'BatchActions delete vanish'), 4, qr/vanish/],
    ['no action in BatchActions', resource(@good, 'BatchActions'), 4, qr/BatchActions/],
    [
        'a permission for an unknown action',
        resource(@good, 'BatchAllow vanish "true"'),
        4, qr/vanish/
    ],
    [
        'a permission that is no expression',
        resource(@good, 'BatchAllow delete "%{REMOTE_USER ==="'),
        4, qr/BatchAllow|expression/i
    ],
    [
        'a key of an unknown kind',
        resource('BatchTable records', 'BatchKey id guessed'),
        3, qr/guessed/
    ],
    ['a stamp of one column', resource(@good, 'BatchStamp created_at'), 4, qr/BatchStamp/],
    ['a form of one word', resource(@good, 'BatchForm form_id'), 4, qr/BatchForm/],
    [
        'a form with an unknown word',
        resource(@good, 'BatchForm form_id forms colour=x'),
        4, qr/colour/
    ],
    ['a directive that there is not', resource(@good, 'BatchColour red'), 4, qr/BatchColour/],
    ['a directive of another place', resource(@good, 'BatchWorkers 2'), 4, qr/BatchWorkers/],
    ['a directive of a section outside of it', "BatchTable records\n", 1, qr/BatchTable/],
    ['a section without a name', "<BatchResource>\n</BatchResource>\n", 1, qr/BatchResource/],
    [
        'a section in a section', resource(@good, '<BatchResource other>', '</BatchResource>'),
        4, qr/BatchResource/
    ],
    [
        'a section in a Location',
        "<Location /x>\n<BatchResource tested>\n</BatchResource>\n</Location>\n",
        2, qr/BatchResource/
    ],
    [
        'two resources of one name',
        resource(@good, 'BatchActions delete') . resource(@good, 'BatchActions delete'),
        6, qr/tested/
    ],
    ['workers below zero', "BatchWorkers -1\n", 1, qr/BatchWorkers/],
    ['workers that are no number', "BatchWorkers many\n", 1, qr/BatchWorkers/],
    ['workers and more', "BatchWorkers 2x\n", 1, qr/BatchWorkers/],
    ['a chunk time of nothing', "BatchChunkTime 0\n", 1, qr/BatchChunkTime/],
    ['a chunk time of an unknown unit', "BatchChunkTime 5parsecs\n", 1, qr/BatchChunkTime/],
    ['a lease that is no time', "BatchLease soon\n", 1, qr/BatchLease/],
    ['a lease of nothing', "BatchLease 0\n", 1, qr/BatchLease/],
    ['no objects at all', "BatchMaxObjects 0\n", 1, qr/BatchMaxObjects/],
    ['objects that are no number', "BatchMaxObjects ten\n", 1, qr/BatchMaxObjects/],
    ['no items at all', "BatchMaxItems 0\n", 1, qr/BatchMaxItems/],
    ['items of the mode sync that are no number', "BatchSyncMaxItems few\n", 1, qr/BatchSyncMaxItems/],
    ['memory of an unknown unit', "BatchQueryMemory 128MB\n", 1, qr/BatchQueryMemory.*K, M or G/],
    ['too little memory', "BatchQueryMemory 1023K\n", 1, qr/BatchQueryMemory/],
    ['too much memory', "BatchQueryMemory 65G\n", 1, qr/BatchQueryMemory/],
    ['memory beyond all numbers', "BatchQueryMemory 999999999999G\n", 1, qr/BatchQueryMemory/],
    ['an item size of an unknown unit', "BatchMaxItemSize 1X\n", 1, qr/BatchMaxItemSize.*K, M or G/],
    ['an item size of two units', "BatchMaxItemSize 1KM\n", 1, qr/BatchMaxItemSize/],
    ['an item size that is too small', "BatchMaxItemSize 99\n", 1, qr/BatchMaxItemSize/],
    ['an item size that is too large', "BatchMaxItemSize 65M\n", 1, qr/BatchMaxItemSize/],
    [
        'merge where rows belong to a form',
        resource(
            @good, 'BatchForm form_id forms', 'BatchColumn status text', 'BatchActions merge'
        ),
        1, qr/tested.*BatchForm/
    ],
    ['a wrong expression for the user', "BatchUserId \"%{\"\n", 1, qr/BatchUserId/],
    [
        'a wrong expression for the organization', "BatchOrganization \"%{reqenv:\"\n",
        1, qr/BatchOrganization/
    ],
    ['neither on nor off', "BatchAnonymous perhaps\n", 1, qr/BatchAnonymous/],
    [
        'a token file without a path', "<Location /x>\nAuthApiTokenFile\n</Location>\n",
        2, qr/AuthApiTokenFile/
    ],
);
# What a section lacks is seen at its end, and told with the line of its beginning.
my @incomplete = (
    [
        'a section without a table', resource('BatchKey id client', 'BatchActions delete'),
        1, qr/BatchTable/
    ],
    [
        'a section without a key', resource('BatchTable records', 'BatchActions delete'),
        1, qr/BatchKey/
    ],
    [
        'a match by an undeclared column',
        resource(
            'BatchTable records',
            'BatchKey id generated',
            'BatchMatch nothing',
            'BatchColumn status text',
            'BatchActions merge'
        ),
        1,
        qr/nothing/
    ],
    [
        'merge of rows that belong to forms',
        resource(
            'BatchTable records',
            'BatchKey id client',
            'BatchForm form_id forms',
            'BatchActions delete merge'
        ),
        1,
        qr/BatchForm/
    ],
);
foreach my $case (@wrong, @incomplete) {
    my ($name, $text, $line, $reason) = @$case;
    my ($code, $said, $path, $first) = configtest($text);
    isnt($code, 0, "$name is refused");
    like($said, $reason, "$name: with the reason");
    # A section may be told by its beginning or by its end.
    my $last = $first + ($text =~ tr/\n//) - 1;
    my %right
        = $line == 1 && $text =~ /^<BatchResource/
        ? map { $_ => 1 } $first .. $last
        : ($first + $line - 1 => 1);
    my ($told) = $said =~ /line (\d+)/ ? $1 : $said =~ /\Q$path\E:(\d+)/ ? $1 : undef;
    ok(defined $told && $right{$told} && $said =~ /\Q$path\E/, "$name: with file and line")
        or diag("line ", $first + $line - 1, ": $said");
}

# ---- What is hardly meant -------------------------------------------------------------------------

my $merges = "${database}<BatchResource asset>\nBatchTable assets\nBatchKey id generated\nBatchScope organization_id\n"
    . "BatchMatch item_id location_id\nBatchColumn item_id text required\nBatchColumn location_id text required\nBatchActions merge\n";

# Says whether configtest of the text warns, and of which line (from 1).
sub advised
{
    my ($text, $tag) = @_;
    my ($code, $said, $path, $first) = configtest($text);
    is($code, 0, 'what is hardly meant is no reason to refuse') or diag($said);
    my ($line) = $said =~ /:warn\].*$tag: \Q$path\E:(\d+): /;
    return defined $line ? $line - $first + 1 : 'nothing';
}

is(advised("${merges}BatchAllow merge \"true\"\nBatchAllow overwrite \"false\"\n</BatchResource>\n", 'MB0210'), 12,
    'BatchAllow for an action that is not in BatchActions is warned of');
is(advised("${merges}BatchAllow merge \"true\"\n</BatchResource>\n", 'MB0210'), 'nothing', 'one for an action that is, is not');

# [name, configuration behind nine lines, the line that is warned of]
my $closed = qq(<Location "/v1/batches">\nSetHandler batch\nRequire valid-user\n</Location>\n);
my @urls = (
    ['signed URLs that nobody lets in', $closed, 13],
    ['a pattern', $closed =~ s/<Location .*>/<LocationMatch "^\/(v1\/batches|batch)(\/|\$)">/r =~ s/<.Location>/<\/LocationMatch>/r, 13],
    ['with the provider', $closed =~ s/(Require valid-user)/Require batch-signature\n$1/r, 'nothing'],
    ['with the provider in a group', $closed =~ s/(Require valid-user)/<RequireAny>\nRequire batch-signature\n$1\n<\/RequireAny>/r, 'nothing'],
    ['within others that have it', $closed =~ s/Require valid-user/<RequireAll>\nRequire batch-signature\n<\/RequireAll>/r, 'nothing'],
    ['where all are let in', $closed =~ s/valid-user/all granted/r, 'nothing'],
    ['where nobody is asked', $closed =~ s/Require valid-user\n//r, 'nothing'],
    ['of the records API alone', $closed =~ s/batches/batch/r, 'nothing'],
    ['another handler', $closed =~ s/SetHandler batch/SetHandler other/r, 'nothing'],
    ['where another section may let them in', qq($closed<Location "/v1">\nRequire batch-signature\n</Location>\n), 'nothing'],
);
foreach my $case (@urls) {
    my ($name, $text, $line) = @$case;
    is(advised("$merges</BatchResource>\n$text", 'MB0211'), $line, "Require batch-signature: $name");
}
is(advised($database . resource('BatchTable records', 'BatchKey id client', 'BatchColumn status text', 'BatchActions update') . $closed, 'MB0211'),
    'nothing', 'Require batch-signature: where no resource has signed URLs');

# ---- What only the database can tell -------------------------------------------------------------

# Starts httpd in the foreground, in a session of its own; returns its exit code and what it said,
# or undef if it came up.
sub startup
{
    my ($text) = @_;
    my ($path, $line) = write_conf($text);
    unlink "$folder/error_log", "$folder/httpd.pid";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        POSIX::setsid();
        open STDOUT, '>', "$folder/output";
        open STDERR, '>&', \*STDOUT;
        exec var('httpd'), '-DFOREGROUND', '-f', $path or POSIX::_exit(127);
    }
    my $code;
    wait_for(
        'httpd to come up or to refuse',
        sub {
            if (waitpid($pid, POSIX::WNOHANG()) == $pid) {
                $code = $? >> 8 || ($? ? 255 : 0);
                return 1;
            }
            # It listens before it looks at the database, and says when it is ready.
            open my $file, '<', "$folder/error_log" or return 0;
            return scalar grep {/resuming normal operations/} <$file>;
        }
    );
    if (!defined $code) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
    my $said = '';
    foreach my $name ("$folder/output", "$folder/error_log") {
        open my $file, '<', $name or next;
        $said .= do { local $/; <$file> }
            // '';
    }
    return ($code, $said, $path, $line);
}

my $sample = <<"END";
${database}<BatchResource tested>
BatchTable records
BatchKey id client
BatchScope organization_id
BatchColumn status text
BatchForm form_id forms scope=organization_id name=name
BatchStamp created_at updated_at
BatchActions delete update
</BatchResource>
END
($code, $said) = startup($sample);
is($code, undef, 'a resource whose table and columns are there: httpd starts') or diag($said);

my $dubious = <<"END";
${database}<BatchResource asset>
BatchTable assets
BatchKey id generated
BatchScope organization_id
BatchMatch item_id
BatchColumn item_id text required
BatchActions merge
</BatchResource>
END
($code, $said) = startup($dubious);
is($code, undef, 'a match without a unique index: httpd starts') or diag($said);
like($said, qr/MB0209: .*BatchMatch.* no unique index/,  'and warns of it');
like($said, qr/MB0209: .*BatchTable.*"location_id"/, 'and of a column that nothing fills');

my @missing = (
    ['a missing table', 'BatchTable records', 'BatchTable unicorns', qr/unicorns/],
    ['a missing key column', 'BatchKey id client', 'BatchKey uuid client', qr/uuid/],
    ['a missing scope column', 'BatchScope organization_id', 'BatchScope tenant', qr/tenant/],
    ['a missing column', 'BatchColumn status text', 'BatchColumn colour text', qr/colour/],
    ['a missing form column', 'BatchForm form_id', 'BatchForm sheet_id', qr/sheet_id/],
    ['a missing table of forms', 'form_id forms', 'form_id sheets', qr/sheets/],
    ['a missing scope of forms', 'scope=organization_id', 'scope=tenant', qr/tenant/],
    ['a missing name of forms', 'name=name', 'name=title', qr/title/],
    ['a missing stamp', 'BatchStamp created_at', 'BatchStamp born_at', qr/born_at/],
);
# 1 if it says at crit, with the file and a line of the text, what the pattern is.
sub is_told
{
    my ($said, $path, $first, $text, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $last = $first + ($text =~ tr/\n//) - 1;
    my @told = grep { /:crit\].*MB020[56]: .*\Q$path\E:(\d+): / && $1 >= $first && $1 <= $last && /$reason/ } split /\n/, $said;
    return ok(scalar @told, "$name: it is told as crit, with file, line and reason") || diag($said);
}

# Neither httpd nor a reload may be kept from going on by what does not fit the database.
sub does_not_fit
{
    my ($text, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($code, $said, $path, $first) = configtest($text);
    is($code, 0, "$name: configtest exits with 0") or diag($said);
    is_told($said, $path, $first, $text, $reason, "$name, configtest");
    ($code, $said, $path, $first) = startup($text);
    is($code, undef, "$name: httpd starts") or diag($said);
    is_told($said, $path, $first, $text, $reason, $name);
    return;
}

foreach my $case (@missing) {
    my ($name, $old, $new, $reason) = @$case;
    does_not_fit($sample =~ s/\Q$old\E/$new/r, $reason, $name);
}

# A view does not say which rows were changed through it.
sql('CREATE VIEW test_view AS SELECT * FROM records');
does_not_fit($sample =~ s/BatchTable records/BatchTable test_view/r, qr/BatchTable.*test_view/, 'a view instead of a table');
sql('DROP VIEW test_view');

# A database that cannot be reached.
my $nowhere = driver() eq 'pgsql' ? "host=$folder/nowhere dbname=x" : "$folder/nowhere/at.db";
does_not_fit($sample =~ s/^BatchDBDParams.*$/BatchDBDParams "$nowhere"/mr, qr/nowhere/, 'a database that cannot be reached');

($code, $said) = configtest($sample =~ s/BatchDBDriver \w+/BatchDBDriver oracle9/r);
ok($code, 'a driver that there is not is refused');
like($said, qr/oracle9/, 'a driver that there is not: with its name');
($code, $said) = startup($sample =~ s/BatchDBDriver \w+/BatchDBDriver oracle9/r);
ok($code, 'at a start, too');
# Without a resource nobody asks for a table, and the driver is still wrong.
($code, $said) = startup("BatchDBDriver oracle9\nBatchDBDParams x\n");
ok($code, 'even where there is no resource');

# configtest leaves nothing behind.
if (driver() ne 'pgsql') {
    my $new = "$folder/new.db";
    ($code, $said) = configtest($sample =~ s/^BatchDBDParams.*$/BatchDBDParams "$new"/mr);
    is($code, 0, 'a file that is not there yet');
    ok(!-e $new, 'is not made by configtest');
}

# Several faults are told at once.
($code, $said)
    = configtest(
    $sample =~ s/status text/colour text/r =~ s/created_at updated_at/born_at updated_at/r);
ok($said =~ /colour/ && $said =~ /born_at/, 'two faults are told at once') or diag($said);

finish();
