# The loss of power: what was answered with 2xx is on disk, and what a batch had done by then is
# there as a whole or not at all, so that it goes on with each item applied once.
#
# A library that is preloaded into httpd notes what the database's files were when they were last
# synchronized. The power is cut by killing all of httpd and putting that in the files' place.
#
# needs: nothing; takes: waiting
use strict;
use warnings;

use File::Copy qw(copy);

use BatchTest;
use BatchTest::Files;

BEGIN {
    plan skip_all => 'PostgreSQL looks after its own files' if driver() eq 'pgsql';
    plan skip_all => 'what is preloaded is the sanitizer' if $ENV{SANITIZE};
}

tolerate_log(qr/AH00098: pid file .* overwritten/);
# Claims wait for the disk, chunks mostly do not.
tolerate_log(qr/MB0417: .* without progress/);

my $library = work_folder() . '/var/power_loss.so';
is(system('cc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', $library, 't/preload/power_loss.c', '-ldl'), 0,
    'the library is built');
my @files = map { database_file() . $_ } '', '-wal';

# Starts httpd, whose database is on disk as it is.
sub power_on
{
    sql('PRAGMA wal_checkpoint(TRUNCATE)');
    foreach my $file (@files) {
        unlink "$file.disk";
        copy($file, "$file.disk") if -e $file;
    }
    local $ENV{LD_PRELOAD} = $library;
    server_start() or die "httpd does not start\n";
    return;
}

# Takes the power away: the files are what was on disk. Returns how many bytes of the log were not.
sub power_off
{
    server_kill_all();
    my ($written, $kept) = map { -s $_ || 0 } $files[1], "$files[1].disk";
    unlink glob database_file() . '-shm';
    unlink glob database_file() . '*.disk.*';
    foreach my $file (@files) {
        unlink $file;
        rename "$file.disk", $file if -e "$file.disk";
    }
    is(value('PRAGMA integrity_check'), 'ok', 'the database is whole');
    return $written - $kept;
}

sub power_cut { my $lost = power_off(); power_on(); return $lost }

sub stored { my ($column, $batch) = @_; return value("SELECT $column FROM batch_jobs WHERE id = '$batch->{id}'") }

server_stop();
restore();
power_on();

# ---- What was answered ---------------------------------------------------------------------------

my @ids = record_ids(20);
my $pending = pending(delete_ids(@ids));
power_cut();
is(batch($pending)->{status}, 'pending', '201: a pending batch is there');
is(start($pending)->status, 202, 'it is started');
power_off();
isnt(stored('status', $pending), 'pending', '202: it is started still');
power_on();
is(finished($pending)->{objects_success}, 20, 'it ends');
power_off();
is(stored('status', $pending), 'completed', 'a batch that was seen to have ended has ended');
is(value("SELECT count(*) FROM records WHERE id IN ('" . join("','", @ids) . "')"), 0, 'its records are gone');
power_on();

is(request('DELETE', "/batch/$pending->{id}")->status, 200, 'it is removed');
power_cut();
is(request('GET', "/batch/$pending->{id}")->status, 404, '200: it is gone');

my $answer = synchronous(merge('contact', [contact_items(10, 'sync')]));
is($answer->status, 201, 'a batch of the mode sync');
power_off();
is(scalar contacts("name LIKE 'sync %'"), 10, '201: its rows are there');
power_on();
is(resource_batch($answer->json->{data})->{status}, 'completed', 'and so is it');

# Several groups of items, of which only the last one's COMMIT waits for the disk.
my $batch = accepted(merge('contact', [contact_items(7000, 'mixed')]));
power_off();
is(stored('stored', $batch), 7000, '202: all items are there');
power_on();
is_result(resource_final($batch), 'completed', {created => 7000}, 'they are applied');
is(scalar contacts("name LIKE 'mixed %'"), 7000, 'each once');

$batch = requested(merge('contact', []));
power_cut();
is(resource_batch($batch)->{status}, 'requested', '201: a batch that waits for its upload');
is(upload($batch, json => [contact_items(7000, 'upload')])->status, 202, 'the upload');
power_off();
is(stored('stored', $batch), 7000, '202: all items are there');
power_on();
is_result(resource_final($batch), 'completed', {created => 7000}, 'they are applied');
is(scalar contacts("name LIKE 'upload %'"), 7000, 'each once');

# ---- The end of a large batch --------------------------------------------------------------------

# Large enough that its first chunk is not thought to be its last.
$batch = accepted(merge('contact', [contact_items(12000, 'large')]));
resource_final($batch);
power_off();
is(stored('status', $batch), 'completed', 'a batch that was seen to have ended has ended');
is(scalar contacts("name LIKE 'large %'"), 12000, 'its rows are there');
server_start();
my @kept = grep { $_->{name} !~ /000\d$/ } contacts();
server_stop();
power_on();
$batch = accepted(overwrite('contact', [map { {id => $_->{id}, notes => 'kept'} } @kept]));
resource_final($batch);
power_off();
is(stored('status', $batch), 'completed', 'an overwrite that was seen to have ended has ended');
is(scalar contacts(), scalar @kept, 'the others are removed');
is(scalar contacts("notes = 'kept'"), scalar @kept, 'those that it named are not');

# ---- In the midst --------------------------------------------------------------------------------

restore();
on_table('contacts', sub { count_trigger('INSERT') });
configure('BatchChunkTime 5ms', 'BatchWorkers 1');
power_on();
$batch = accepted(merge('contact', [contact_items(15000, 'cut')]));
my $cuts = 0;
while ($cuts < 4) {
    my $before = resource_batch($batch)->{phases}[2]{processed};
    my $now = wait_for(
        "the batch to come further than $before",
        sub {
            my $now = resource_batch($batch);
            return $now->{status} !~ /^(?:queued|processing)$/ || $now->{phases}[2]{processed} > $before ? $now : undef;
        }
    );
    last if $now->{status} !~ /^(?:queued|processing)$/;
    cmp_ok(power_off(), '>', 0, 'the power is cut while a part was not on disk');
    cmp_ok(stored('position', $batch), '<=', $now->{phases}[2]{processed}, 'which is gone');
    is(stored('position', $batch), scalar contacts("name LIKE 'cut %'"), 'rows and progress are of the same moment');
    power_on();
    $cuts++;
}
cmp_ok($cuts, '>=', 1, "the power was cut $cuts times");
is_result(resource_final($batch), 'completed', {created => 15000}, 'the batch ends, with exact counts');
is_deeply(applied(), {touched => 15000, ids => 15000, most => 1}, 'each item was applied once');

server_stop();
unconfigure();
server_start();
finish();
