# Queries with joins, subqueries and groups share the memory of a process: one that needs too much by
# itself is refused for good (422), one that only meets others that have it is told to come again (503).
#
# needs: processes
use strict;
use warnings;

use BatchTest;

my $app = '"Testing App"';
sql(
    driver() eq 'pgsql'
    ? "UPDATE records SET form_values = form_values || jsonb_build_object('big', repeat('x', 16000)) WHERE form_id = '" . TESTING_APP . "'"
    : "UPDATE records SET form_values = json_set(form_values, '\$.big', replace(hex(zeroblob(8000)), '0', 'x')) WHERE form_id = '" . TESTING_APP . "'"
);
my $before = table_hash('records');

# 8 MB of copies; a sorter of all pairs, which grows until it is stopped; copies of some records.
my %query = (
    copies => "SELECT max(_record_id) AS id FROM $app WHERE big = 'y' GROUP BY _record_id",
    pairs => 'SELECT a._record_id AS id FROM "Hydrants" a, "Hydrants" b, "Hydrants" c, "Hydrants" d ORDER BY a._status || b._record_id || c._record_id || d._record_id',
    # Little memory, but enough work that it meets the others.
    small => 'SELECT max(a._record_id) AS id FROM "Hydrants" a, "Hydrants" b, "Hydrants" c WHERE a._record_id || b._record_id LIKE \'%none\'',
);

sub text
{
    my ($what) = @_;
    return request_text('POST', '/batch', json => {batch => {operations => [operation(form_id => HYDRANTS, query => $query{$what})]}});
}

my $too_much = qr/^needs more than 4194304 bytes of memory, the limit of this server \(BatchQueryMemory\)/;
configure('BatchQueryMemory 4194304');
server_graceful();
foreach my $what (qw(copies pairs)) {
    my ($answer) = parallel([text($what)]);
    is($answer->status, 422, "$what: more than there is") or diag($answer->body);
    like($answer->json->{batch}{errors}{'operations[0].query'}[0], $too_much, "$what: says so");
}
my ($answer) = parallel([text('small')]);
is($answer->status, 202, 'a small one') or diag($answer->body);
finished($answer->json->{batch});

my (@wrong, %count);
foreach my $round (1 .. 12) {
    my @kinds = map { ('pairs', 'small', 'copies', 'small') } 1 .. 2;
    my @answers = parallel([map { text($_) } @kinds]);
    foreach my $i (0 .. $#kinds) {
        my ($kind, $got) = ($kinds[$i], $answers[$i]);
        my $status = $got->status;
        my $good = $status == 503 ? $got->header('Retry-After') && $got->json->{message} =~ /^other queries have taken the memory .*: try again in a moment$/
            : $kind eq 'small' ? $status == 202
            : $status == 422 && $got->json->{batch}{errors}{'operations[0].query'}[0] =~ $too_much;
        push @wrong, "$kind => $status " . substr $got->body, 0, 200 if !$good;
        $count{"$kind $status"}++;
        # One that waited for its turn is run again, and waits for the memory then.
        push @wrong, "$kind ended otherwise" if $status == 202 && finished($got->json->{batch})->{status} ne 'success';
    }
}
is_deeply(\@wrong, [], 'side by side: a small one runs or is to come again, a large one is refused or is to come again')
    or diag(join ', ', map {"$_: $count{$_}"} sort keys %count);
note(join ', ', map {"$_: $count{$_}"} sort keys %count);
($answer) = parallel([text('small')]);
is($answer->status, 202, 'afterwards a small one runs') or diag($answer->body);
finished($answer->json->{batch});
is(table_hash('records'), $before, 'nothing was changed');

unconfigure();
server_graceful();
finish();
