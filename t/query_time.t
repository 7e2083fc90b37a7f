# A query is stopped when its time is over, and when the process is to end, whatever it is at: texts,
# patterns and sets of many characters, for one record after the other and in the private database.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;
use IO::Socket::INET;

my $app = '"Testing App"';
my $before = table_hash('records');

# A long text in each record. What it begins with is told apart late.
sub long_texts
{
    sql(
        driver() eq 'pgsql'
        ? "UPDATE records SET form_values = form_values || jsonb_build_object('big', repeat('x', 8000)) WHERE form_id = '" . TESTING_APP . "'"
        : "UPDATE records SET form_values = json_set(form_values, '\$.big', replace(hex(zeroblob(4000)), '0', 'x')) WHERE form_id = '" . TESTING_APP . "'"
    );
    return;
}
long_texts();
$before = table_hash('records');

# Work of the product of two lengths, many times; of the sum, more often.
my $late = "'%" . 'x' x 900 . "y'";
my $set = "'" . 'yz' x 500 . "x'";
my %work = (
    LIKE => "big LIKE $late",
    ILIKE => "big ILIKE $late",
    trim => join(' OR ', map {"trim(big || '$_', $set) = 'a'"} 1 .. 40),
    'trim by set' => join(' OR ', map {"trim(big, 'y$_' || big || 'y') = 'a'"} 1 .. 40),
    rtrim => join(' OR ', map {"rtrim(big, '$_' || big) = 'a'"} 1 .. 40),
    length => join(' OR ', map {"length(big || big || big || big) = $_"} 1 .. 40),
    substr => join(' OR ', map {"substr(big || big || big || big, 31000, 1) = '$_'"} 1 .. 40),
    lower => join(' OR ', map {"lower(big || big) = '$_'"} 1 .. 40),
    upper => join(' OR ', map {"upper(big || big) = '$_'"} 1 .. 40),
    comparison => join(' OR ', map {"big || big || big || big || '$_' = big || big || big || big || 'a'"} 1 .. 40),
);

configure("BatchQueryTimeout 20ms");
server_graceful();
foreach my $what (sort keys %work) {
    my %query = ('one form' => "SELECT _record_id AS id FROM $app WHERE $work{$what}",
        'the other way' => "SELECT max(_record_id) AS id FROM $app WHERE $work{$what} GROUP BY _record_id");
    foreach my $way (sort keys %query) {
        my $answer = post_batch(operation(query => $query{$way}));
        is($answer->status, 422, "$what, $way: 422") or diag(substr $answer->body, 0, 300);
        like($answer->json->{batch}{errors}{'operations[0].query'}[0],
            qr/^takes longer than 0\.020 s, the limit of this server \(BatchQueryTimeout\)/, "$what, $way: says that its time was over");
    }
}
is(value('SELECT count(*) FROM batch_jobs'), 0, 'no batch was made');
is(table_hash('records'), $before, 'nothing was changed');

# ---- The end of the process ----------------------------------------------------------------------

# What the children have used of the processor, in ticks.
sub ticks
{
    my $sum = 0;
    foreach my $pid (server_children()) {
        open my $file, '<', "/proc/$pid/stat" or next;
        my ($user) = (<$file> // '') =~ /^\d+ \(.*\) \S(?: -?\d+){10} (\d+)/;
        $sum += $user // 0;
    }
    return $sum;
}

tolerate_log(qr/MB0110|AH00045: child process \d+ still did not exit/);
my $long = join ' OR ', map {"big LIKE '%" . 'x' x (900 - $_) . "y'"} 0, 1; # more would be too much for one record
my %long = (
    'one form' => "SELECT _record_id AS id FROM $app WHERE $long",
    'the other way' => "SELECT max(_record_id) AS id FROM $app WHERE $long GROUP BY _record_id",
);
# So many records that the query does not end by itself while httpd waits for its children.
sql("INSERT INTO records (id, organization_id, form_id, status, created_at, updated_at, form_values) SELECT r.id || '-' || s.id, r.organization_id, r.form_id, r.status,"
        . " r.created_at, r.updated_at, r.form_values FROM records r JOIN (SELECT id FROM records ORDER BY id LIMIT 20) s ON 1 = 1 WHERE r.form_id = '" . TESTING_APP . "'");
$before = table_hash('records');
configure("BatchQueryTimeout 1h");
foreach my $way (sort keys %long) {
    server_stop();
    ok(server_start(), "$way: httpd is started");
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port'), Proto => 'tcp') or die "cannot connect: $!\n";
    my $begun = ticks();
    print {$socket} request_text('POST', '/batch', json => {batch => {operations => [operation(query => $long{$way})]}});
    wait_for("$way: the query to run", sub { ticks() > $begun + 20 });
    my $log = log_size();
    server_stop();
    my $text = log_text($log);
    ok($text !~ /AH00046|exit signal/, "$way: no child is killed") or diag($text);
    my $said = do { local $/; <$socket> } // '';
    unlike($said, qr{^HTTP/1\.1 202}, "$way: the query was given up");
}
unconfigure();
ok(server_start(), 'httpd is started');
is(value('SELECT count(*) FROM batch_jobs'), 0, 'no batch was made');
is(table_hash('records'), $before, 'nothing was changed');

finish();
