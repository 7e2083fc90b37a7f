# A batch means what its <BatchResource> said when it was made. Where that is taken away or changed
# while the batch is under way, the batch ends as failed, with what was applied counted.
#
# Without the comparison an overwrite whose BatchScope was taken away removes the rows of another
# organization ("hers is there" fails), and a batch whose resource is gone stays processing for ever.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

END { eval { sql('DROP TABLE IF EXISTS batchless_edited') } }

sql('CREATE TABLE batchless_edited (id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, name TEXT NOT NULL, size INTEGER)');

my @section = ('BatchTable batchless_edited', 'BatchKey id generated', 'BatchMatch name', 'BatchScope organization_id',
    'BatchColumn name text required', 'BatchColumn size integer', 'BatchActions merge overwrite delete');

# The section with other lines instead of those that begin as they do; '' takes one away.
sub section
{
    my (%other) = @_;
    my @lines = map { my ($word) = /^(\S+(?: size)?)/; exists $other{$word} ? $other{$word} || () : $_ } @section;
    return ('<BatchResource edited>', @lines, '</BatchResource>');
}

sub items { return map { {name => sprintf('row %04d', $_), size => $_} } 1 .. $_[0] }

tolerate_log(qr/batchless_edited/);
tolerate_log(qr/MB0404: |MB0424: /);
# Connections that are ended while they are opened: slow_trigger.
tolerate_log(qr/MB0101: cannot look into the queue/);

sub set_up
{
    my ($name) = @_;
    drop_triggers();
    configure(section());
    server_stop();
    ok(server_start(), "$name: a resource of our own") or BAIL_OUT('the server does not start');
    sql('DELETE FROM batchless_edited', "INSERT INTO batchless_edited (id, organization_id, name) VALUES ('hers', 'globex', 'Hers')",
        "INSERT INTO batchless_edited (id, organization_id, name) VALUES ('ours', 'acme', 'Ours')");
    on_table('batchless_edited', sub { slow_trigger('INSERT', 100) });
    return;
}

# A batch that has applied something, and one that waits behind it.
sub under_way
{
    my $batch = accepted(overwrite('edited', [items(300)]));
    my $behind = accepted(merge('edited', [{name => 'Behind', size => 1}]));
    wait_for('some of its rows', sub { resource_batch($batch)->{stats}{created} > 0 });
    return ($batch, $behind);
}

sub has_failed
{
    my ($batch, $reason, $name) = @_;
    my $end = resource_final($batch);
    is($end->{status}, 'failed', "$name: it has failed");
    like($end->{reason}, $reason, "$name: and says why");
    return $end;
}

# ---- Changed -------------------------------------------------------------------------------------

foreach my $change (
    ['its scope is taken away', BatchScope => ''],
    ['it is matched by another column', BatchMatch => 'BatchMatch size'],
    ['its key is made by the client', BatchKey => 'BatchKey id client'],
    ['a column is of another type', 'BatchColumn size' => 'BatchColumn size number'],
    ['a column has another limit', 'BatchColumn size' => 'BatchColumn size integer min=100']
    )
{
    my ($name, @lines) = @$change;
    set_up($name);
    my ($batch, $behind) = under_way();
    configure(section(@lines));
    server_graceful();
    my $end = has_failed($batch, qr/the configuration of the resource edited was changed/, $name);
    my $created = $end->{stats}{created};
    ok($created > 0 && $created < 300, "$name: a part of it was applied");
    is(value("SELECT count(*) FROM batchless_edited WHERE name LIKE 'row %'"), $created, "$name: which is counted");
    is($end->{stats}{overwritten}, 0, "$name: nothing was removed");
    is(value("SELECT count(*) FROM batchless_edited WHERE id IN ('hers', 'ours')"), 2, "$name: hers is there, and ours");
    has_failed($behind, qr/was changed/, "$name: one that waited behind it");
    is(value("SELECT count(*) FROM batchless_edited WHERE name = 'Behind'"), 0, "$name: which has done nothing");
}

# ---- What is no change ---------------------------------------------------------------------------

set_up('no change');
my ($batch, $behind) = under_way();
drop_triggers();
configure(section(BatchActions => "BatchAllow merge \"true\"\nBatchActions merge overwrite delete"));
server_graceful();
is(resource_final($batch)->{stats}{created}, 300, 'with the section as it was a batch goes on');
is(resource_final($behind)->{status}, 'completed', 'and so does the next');

# ---- Gone ----------------------------------------------------------------------------------------

set_up('gone');
($batch, $behind) = under_way();
unconfigure();
server_graceful();
my $end = has_failed($batch, qr/the resource edited is not configured any more/, 'gone');
is(value("SELECT count(*) FROM batchless_edited WHERE name LIKE 'row %'"), $end->{stats}{created}, 'gone: what was applied is counted');
has_failed($behind, qr/not configured any more/, 'gone: one that waited behind it');
is(value("SELECT count(*) FROM batch_jobs WHERE status IN ('queued', 'processing')"), 0, 'nothing is left in the queue');

drop_triggers();
server_stop();
ok(server_start(), 'the server as it was');
finish();
