# Many clients at once: what they do is as if one had come after the other.
#
# needs: processes
use strict;
use warnings;

use BatchTest;

my @ids = record_ids(500);

# ---- Sixteen creates -----------------------------------------------------------------------------

my @answers = parallel(
    [
        map {
            request_text('POST', '/batch',
                json => {batch => {operations => [delete_ids(@ids[$_ * 10 .. $_ * 10 + 9])]}})
        } 0 .. 15
    ]
);
is(join(' ', map { $_->status } @answers), join(' ', (202) x 16), 'sixteen creates at once');
my @batches = map { $_->status == 202 ? $_->json->{batch} : () } @answers;
my %ids = map { $_->{id} => 1 } @batches;
is(scalar keys %ids, 16, 'make sixteen batches');
is_batch_counts(finished($_), ['success', 10, 10, 0], 'each with its own rows') for @batches;
is(value('SELECT count(*) FROM records'), 440, 'all of them are deleted, and no others');

# Overlapping selections: each row is deleted by one of them.
restore();
count_trigger('DELETE');
@answers = parallel(
    [
        map {
            request_text('POST', '/batch',
                json => {batch => {operations => [delete_ids(@ids[0 .. 99])]}})
        } 1 .. 8
    ]
);
my @ends = map { finished($_->json->{batch}) } @answers;
my ($success, $failed) = (0, 0);
$success += $_->{objects_success}, $failed += $_->{objects_failed} for @ends;
is($success, 100, 'eight deletes of the same hundred rows delete a hundred');
is($failed, 700, 'and miss seven hundred');
is_deeply(applied(), {touched => 100, ids => 100, most => 1}, 'each once');
drop_triggers();

# Overlapping updates in opposite orders: no deadlock, every item applied by every batch.
restore();
count_trigger('UPDATE');
@answers = parallel(
    [
        map {
            request_text(
                'POST', '/batch',
                json => {
                    batch => {
                        operations => [
                            update_ids(
                                {status => "batch $_"},
                                $_ % 2 ? @ids[0 .. 99] : reverse @ids[0 .. 99]
                            )
                        ]
                    }
                }
            )
        } 1 .. 6
    ]
);
is_batch_counts(
    finished($_->json->{batch}),
    ['success', 100, 100, 0],
    'an update among six of the same rows'
) for @answers;
is_deeply(applied(), {touched => 600, ids => 100, most => 6}, 'all six have updated all rows');
my ($kinds)
    = rows("SELECT count(DISTINCT status) AS n FROM records WHERE id IN ('" .
        join("', '", @ids[0 .. 99]) . "')");
ok($kinds->{n} >= 1, 'and the rows have the values of some of them');
drop_triggers();

# ---- Starts --------------------------------------------------------------------------------------

restore();
count_trigger('DELETE');
foreach my $round (0 .. 9) {
    my $batch = pending(delete_ids(@ids[$round * 5 .. $round * 5 + 4]));
    my $text = request_text('POST', "/batch/$batch->{id}/start");
    my @answers = parallel([($text) x 8]);
    is(
        join(' ', sort map { $_->status } @answers),
        '202 409 409 409 409 409 409 409',
        "round $round: eight starts at once are one start"
    );
    is_batch_counts(finished($batch), ['success', 5, 5, 0], "round $round: of one batch");
}
is_deeply(applied(), {touched => 50, ids => 50, most => 1}, 'which ran once');
drop_triggers();

# Start against removal.
restore();
my %outcome;
foreach my $round (0 .. 9) {
    my @some = @ids[$round * 5 .. $round * 5 + 4];
    my $in = "id IN ('" . join("', '", @some) . "')";
    my $batch = pending(delete_ids(@some));
    my @texts = (
        request_text('POST', "/batch/$batch->{id}/start"),
        request_text('DELETE', "/batch/$batch->{id}")
    );
    my ($start, $delete) = $round % 2 ? parallel(\@texts) : reverse parallel([reverse @texts]);
    my $both = $start->status . '/' . $delete->status;
    $outcome{$both}++;
    if ($delete->status == 200 && $start->status == 404) {
        is(value("SELECT count(*) FROM records WHERE $in"),
            5, "round $round: removed first, so nothing is deleted");
        is_error(request('GET', "/batch/$batch->{id}"), 404, "round $round: it is gone");
    }
    elsif ($start->status == 202 && $delete->status == 409) {
        is_batch_counts(
            finished($batch),
            ['success', 5, 5, 0],
            "round $round: started first, so it runs"
        );
        is(value("SELECT count(*) FROM records WHERE $in"), 0, "round $round: to its end");
    }
    elsif ($start->status == 202 && $delete->status == 200) {
        # It had ended before the removal looked.
        is(value("SELECT count(*) FROM records WHERE $in"),
            0, "round $round: started, run and removed");
        is_error(request('GET', "/batch/$batch->{id}"), 404, "round $round: it is gone");
    }
    else {
        fail("round $round: start and removal at once: $both");
    }
}

# Start against more operations: the first ones run, never the others, and are counted right.
restore();
foreach my $round (0 .. 9) {
    my @first = @ids[$round * 10 .. $round * 10 + 3];
    my @second = @ids[$round * 10 + 4 .. $round * 10 + 9];
    my $batch = pending(delete_ids(@first));
    my @texts = (
        request_text('POST', "/batch/$batch->{id}/start"),
        request_text(
            'POST', "/batch/$batch->{id}/operations",
            json => {operations => [delete_ids(@second)]}
        )
    );
    my ($start, $set) = $round % 2 ? parallel(\@texts) : reverse parallel([reverse @texts]);
    is($start->status, 202, "round $round: the start is taken") or diag($start->body);
    ok($set->status == 200 || $set->status == 409,
        "round $round: the operations come before it, or too late")
        or diag($set->status, $set->body);
    my ($run, $kept) = (\@first, \@second);
    is_batch_counts(
        finished($batch),
        ['success', scalar @$run, scalar @$run, 0],
        "round $round: one selection has run"
    );
    is(value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @$run) . "')"),
        0, "round $round: all of it");
    is(
        value("SELECT count(*) FROM records WHERE id IN ('" . join("', '", @$kept) . "')"),
        scalar @$kept,
        "round $round: nothing of the other"
    );
}

# Start against the first operations: they run, or the batch is as it was.
restore();
foreach my $round (0 .. 9) {
    my @first = @ids[$round * 10 .. $round * 10 + 3];
    my $batch = pending([]);
    my @texts = (
        request_text('POST', "/batch/$batch->{id}/start"),
        request_text('POST', "/batch/$batch->{id}/operations", json => {operations => [delete_ids(@first)]})
    );
    my ($start, $set) = $round % 2 ? parallel(\@texts) : reverse parallel([reverse @texts]);
    is($set->status, 200, "round $round: the operations are taken") or diag($set->body);
    if ($start->status != 422) {
        is($start->status, 202, "round $round: so is the start") or diag($start->body);
        is_batch_counts(finished($batch), ['success', 4, 4, 0], "round $round: they run");
        next;
    }
    is_batch_counts(batch($batch), ['pending', 4, 0, 0], "round $round: the start came before them");
}

# Four who add the first operations: one of them does, the others are kept behind.
foreach my $round (1 .. 5) {
    my $batch = pending([]);
    my @answers = parallel(
        [
            map {
                request_text(
                    'POST',
                    "/batch/$batch->{id}/operations",
                    json => {operations => [delete_ids(unknown_ids($_))]}
                )
            } 1 .. 4
        ]
    );
    ok(!(grep { $_->status != 200 && $_->status != 409 } @answers),
        "round $round: four changes at once")
        or diag(map { $_->status } @answers);
    my $total = batch($batch)->{objects_total};
    is(
        value(
"SELECT count(*) FROM batch_items i JOIN batch_jobs j ON j.seq = i.job WHERE j.id = '$batch->{id}'"
        ),
        1,
        "round $round: one selection is kept"
    );
    start($batch);
    is_batch_counts(
        finished($batch),
        ['failed', $total, 0, $total],
        "round $round: and it is whole"
    );
}

# ---- Readers beside writers ----------------------------------------------------------------------

restore();
slow_trigger('DELETE');
my $batch = create(delete_ids(@ids[0 .. 99]));
my ($reads, $quick) = (0, 0);
wait_for(
    'the end of a batch that sixteen clients watch',
    sub {
        my @answers = parallel(
            [map { request_text('GET', $_ % 2 ? '/batch' : "/batch/$batch->{id}") } 1 .. 16]);
        my @bad = grep { $_->status != 200 } @answers;
        die 'a reader was answered ', $bad[0]->status, ' ', $bad[0]->body, "\n" if @bad;
        $reads += @answers;
        let_go() if $reads >= 160 && !$quick++;
        return (grep { $_->body =~ /"status":"success"/ } @answers)
            && batch($batch)->{status} eq 'success';
    }
);
pass("$reads reads beside a running batch, all answered");
is_batch_counts(batch($batch), ['success', 100, 100, 0], 'which ended');
drop_triggers();

finish();
