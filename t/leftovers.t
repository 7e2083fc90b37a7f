# What a batch has stored goes in pieces when it is not needed any more, whatever ends meanwhile, and a
# chunk holds few of its items: memory does not grow with the batch.
#
# Where all is removed in the transaction that ends the batch "not at once" fails; where what is left is
# not noted, "the rest goes"; where a chunk ends by its time only, "the children".
#
# needs: processes
use strict;
use warnings;

use BatchTest;

# NDJSON of large contacts: the body, as it is sent.
sub large_contacts
{
    my ($count, $bytes) = @_;
    my $notes = 'x' x $bytes;
    return join '', map { sprintf qq({"name":"large %05d","notes":"%s"}\n), $_, $notes } 1 .. $count;
}

sub send_contacts
{
    my ($action, $body) = @_;
    my $answer = request('POST', "/batches?resource=contact&action=$action&mode=mixed&save_upload=false",
        body => $body, type => 'application/x-ndjson');
    die 'create was answered ', $answer->status, ' ', substr($answer->body, 0, 600), "\n" if $answer->status != 202;
    return resource_final($answer->json->{data});
}

sub segments { return value('SELECT count(*) FROM batch_items') }

sub peak_kilobytes
{
    my $sum = 0;
    foreach my $pid (server_children()) {
        open my $file, '<', "/proc/$pid/status" or next;
        my ($peak) = join('', <$file>) =~ /^VmHWM:\s+(\d+)/m;
        $sum += $peak // 0;
    }
    return $sum;
}

# ---- Pieces ----------------------------------------------------------------------------------------

# An overwrite needs its items until its end: 40 segments of half a MiB.
my $body = large_contacts(40, 500_000);
sql('DELETE FROM contacts');
my $held = 'OLD.first_item >= 25';
tolerate_log(qr/MB0429|MB0418/);
request('GET', '/batches');
on_table('batch_items', sub { refuse_trigger('DELETE', $held, 'not yet') });
my $batch = send_contacts('overwrite', $body);
is_result($batch, 'completed', {created => 40}, 'a large overwrite whose upload is not kept');
cmp_ok(segments(), '>=', 15, 'its items do not go at once');
is(value('SELECT count(*) FROM batch_leftovers'), 1, 'what is left is noted');

# Nobody remembers it but the database.
server_kill_all();
drop_triggers();
ok(server_start(), 'after the end of all processes') or BAIL_OUT('the server does not start');
wait_for('the items to be gone', sub { segments() == 0 });
pass('the rest goes');
wait_for('the note to be gone', sub { value('SELECT count(*) FROM batch_leftovers') == 0 });
is(resource_batch($batch)->{status}, 'completed', 'the batch stays');

# One that is cancelled, and one that fails, leave nothing either.
on_table('contacts', sub { slow_trigger($_, 250) for qw(INSERT UPDATE) });
my $answer = request('POST', '/batches?resource=contact&action=overwrite&mode=mixed&save_upload=false',
    body => $body =~ s/"name":"large (\d+)"/"name":"slow $1"/gr, type => 'application/x-ndjson');
my $running = $answer->json->{data};
is(cancel($running)->status, 200, 'one that is cancelled');
wait_for('the items of that to be gone', sub { segments() == 0 });
drop_triggers();
pass('leaves nothing');

# ---- Bytes of a chunk ------------------------------------------------------------------------------

sql('DELETE FROM contacts');
$body = large_contacts(200, 900_000);
request('GET', '/batches');
my $before = peak_kilobytes();
$batch = send_contacts('merge', $body);
my $after = peak_kilobytes();
is_result($batch, 'completed', {created => 200}, '200 items of 900 KB');
is(segments(), 0, 'go with their chunks');
my $grown = int(($after - $before) / 1024);
diag("the peaks of the children grew by $grown MiB") if $ENV{VERBOSE};
ok($ENV{SANITIZE} || $grown < 110, 'the children do not hold them all') or diag("$grown MiB");
sql('DELETE FROM contacts');

finish();
