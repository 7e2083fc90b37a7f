# Stops, restarts and changes of the schema in the midst of a merge and of a cleanup: the batch goes on
# as if nothing had been.
#
# needs: processes; takes: waiting
use strict;
use warnings;

use BatchTest;

sub progress
{
    my ($batch, $what, $than) = @_;
    return wait_for(
        "$what of the batch",
        sub {
            my $now = resource_batch($batch);
            my $at = $now->{stats}{$what};
            return $now->{status} eq 'completed' || $at > $than ? $now : undef;
        }
    );
}

# An overwrite that takes its time: 200 new rows, 204 to be removed.
sub slow_overwrite
{
    my ($milliseconds) = @_;
    restore();
    is_result(run_batch(merge('contact', [contact_items(200)])), 'completed', {created => 200}, 'rows that are there');
    on_table('contacts', sub { slow_trigger($_, $milliseconds) for qw(INSERT DELETE); count_trigger($_) for qw(INSERT UPDATE DELETE) });
    return accepted(overwrite('contact', [map { {name => "new $_", notes => 'new'} } 1 .. 200]));
}

sub is_done
{
    my ($batch, $name) = @_;
    my $end = resource_final($batch);
    is_result($end, 'completed', {created => 200, overwritten => 204}, "$name: it ends, with exact counts");
    is_deeply(applied(), {touched => 404, ids => 404, most => 1}, "$name: each row was touched once");
    is(value("SELECT count(*) FROM contacts WHERE organization_id = 'acme' AND notes = 'new'"), 200, "$name: its rows");
    is(value("SELECT count(*) FROM contacts"), 202, "$name: and globex's");
    return;
}

foreach my $way ('stop', 'graceful') {
    foreach my $what (qw(created overwritten)) {
        my $batch = slow_overwrite($what eq 'created' ? 50 : 25);
        my $times = 0;
        while ($times < 2) {
            my $now = progress($batch, $what, $times * 20);
            last if $now->{status} eq 'completed';
            if ($way eq 'stop') {
                server_stop();
                ok(server_start(), "$way while rows are $what");
            }
            else {
                server_graceful();
                pass("$way while rows are $what");
            }
            $times++;
        }
        let_go();
        cmp_ok($times, '>=', 1, "$way: $times times");
        is_done($batch, "$way, $what");
    }
}

# ---- The administrator -----------------------------------------------------------------------------

my $batch = slow_overwrite(20);
foreach my $step (
    ['created', 5, 'CREATE TABLE test_new (a TEXT)'],
    ['created', 20, 'ALTER TABLE contacts ADD COLUMN fax TEXT'],
    ['created', 50, 'CREATE INDEX test_by_name ON contacts (name)'],
    ['overwritten', 5, 'CREATE VIEW test_view AS SELECT id FROM contacts'],
    ['overwritten', 50, 'DROP INDEX test_by_name'],
    ['overwritten', 80, 'DROP VIEW test_view']
    )
{
    my ($what, $than, $statement) = @$step;
    progress($batch, $what, $than);
    sql($statement);
    pass("$statement, in the midst");
}
let_go();
is_done($batch, 'schema');
drop_triggers();
# And after it, on every connection.
foreach my $name ('a column was added', 'it was taken away') {
    my @ids = map { $_->{id} } contacts("notes = 'new'");
    my @answers = parallel(
        [
            map {
                my $n = $_;
                map { request_text('POST', '/batches', json => $_) } merge('contact', [{name => "$name $n", phone => "p$n"}]),
                    merge('shipment', [{tracking_number => "$name $n"}], mode => 'sync'),
                    merge('contact', [{name => "$name sync $n"}], mode => 'sync'),
                    removal('contact', [{id => $ids[$n]}], mode => 'sync')
            } 1 .. 4
        ]
    );
    is(join(' ', map { $_->status =~ /^20/ ? 'good' : $_->status } @answers), join(' ', ('good') x 16), "$name: all work")
        or diag(map { $_->status =~ /^20/ ? () : $_->body } @answers);
    resource_final($_->json->{data}) for grep { $_->status == 202 } @answers;
    is(scalar(contacts("name LIKE '$name%'")), 8, "$name: rows of contacts");
    is(value("SELECT count(*) FROM shipments WHERE tracking_number LIKE '$name%'"), 4, "$name: rows of shipments");
    sql('ALTER TABLE contacts DROP COLUMN fax') if $name =~ /added/;
}

finish();
