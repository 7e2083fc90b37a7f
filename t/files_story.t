# A large file from the client's disk to `completed`, with all of httpd killed on the way, twice: each row is
# applied exactly once. Its errors, fetched, mended and sent back, complete it. As CSV, and as compressed JSON.
#
# needs: nothing; takes: waiting
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;
use Digest::SHA ();
use IO::Compress::Gzip qw(gzip);
use JSON::PP ();

tolerate_log(qr/AH00098: pid file .* overwritten/);
tolerate_log(qr/MB0417: .* without progress/);

my $json = JSON::PP->new->utf8->canonical;
my @columns = qw(tracking_number carrier status recipient eta);

# Rows of shipments, in an order that is not that of their keys; every hundredth has a status that there is not.
sub shipments
{
    my ($count) = @_;
    return map {
        [sprintf('T%07d', $_ * 7919 % 1_000_003), 'carrier ' . $_ % 7, $_ % 100 == 50 ? 'lost' : 'in_transit',
            "Recipient, the \"$_\"" . ($_ % 1000 ? '' : "\r\nline 2"), sprintf '2024-05-%02dT12:00:00Z', 1 + $_ % 28]
    } 1 .. $count;
}

sub csv
{
    return join '', map { join(',', map { /[",\r\n]/ ? '"' . s/"/""/gr . '"' : $_ } @$_) . "\r\n" } @_;
}

my %format = (
    csv => {
        type => 'text/csv',
        path => '/batches?action=merge&resource=shipment',
        body => sub { csv(\@columns, @_) },
        mend => sub { $_[0] =~ s/,lost,/,pending,/gr }
    },
    json => {
        type => 'application/json',
        path => '/batches',
        body => sub {
            my @data = map { my $row = $_; +{map { $columns[$_] => $row->[$_] } 0 .. $#columns} } @_;
            return $json->encode({action => 'merge', resource => 'shipment', data => \@data});
        },
        mend => sub {
            my $errors = $json->decode($_[0]);
            $_->{item}{status} = 'pending' for @$errors;
            return $json->encode($errors);
        },
        again => '/batches?action=merge&resource=shipment'
    }
);

# The rows that there are, or should be, as one digest.
sub digest { return Digest::SHA::sha1_hex(join "\n", sort map { join '|', @$_ } @_) }

sub stored
{
    return digest(map { [@$_{@columns}] }
            rows("SELECT tracking_number, carrier, status, recipient, eta FROM shipments WHERE created_at > '2025'"));
}

sub created { return resource_batch($_[0])->{stats}{created} }

foreach my $case (['csv', 20_000, 0], ['json', 4000, 1]) {
    my ($name, $count, $zipped) = @$case;
    my $format = $format{$name};
    my $title = $zipped ? "$name, compressed" : $name;
    restore();
    # So that there is a middle.
    on_table('shipments', sub { slow_trigger('INSERT', 10_000 / $count); count_trigger($_) for qw(INSERT UPDATE) });
    my @rows = shipments($count);
    my $bad = $count / 100;
    my $body = my $sent = $format->{body}->(@rows);
    gzip(\$body => \$sent) or die if $zipped;
    my $answer = request('POST', $format->{path}, body => $sent, type => $format->{type},
        headers => {$zipped ? ('Content-Encoding' => 'gzip') : ()});
    is_envelope($answer, 202, undef, "$title: $count rows");
    my $batch = $answer->json->{data};
    is($batch->{checksum}, Digest::SHA::sha256_hex($body), "$title: their checksum");
    foreach my $part (1, 2) {
        my $at = wait_for("$title: the batch to come to part $part of 3",
            sub { my $done = eval { created($batch) } // 0; $done >= $count * $part / 4 ? $done : undef });
        server_kill_all();
        cmp_ok($at, '<', $count - $bad, "$title: all of httpd is killed after $at rows");
        ok(server_start(), "$title: and starts again");
    }
    let_go();
    my $end = resource_final($batch);
    is_result($end, 'completed', {created => $count - $bad, errors => $bad}, "$title: it goes on to its end, with exact counts");
    is_phases($end, {received => $count, invalid => $bad}, $title);
    is_deeply(applied(), {touched => $count - $bad, ids => $count - $bad, most => 1}, "$title: each row was applied once");
    is(stored(), digest(grep { $_->[2] ne 'lost' } @rows), "$title: and is as it was sent");
    is(file_of($batch, 'upload_csv')->body, csv(\@columns, @rows), "$title: the upload can be fetched as it was sent")
        if $name eq 'csv';

    my $errors = file_of($batch, "errors_$name")->body;
    is(scalar(() = $errors =~ /lost/g), $bad, "$title: each row that is wrong is in the errors");
    $answer = request('POST', $format->{again} || $format->{path}, body => $format->{mend}->($errors), type => $format->{type});
    is_envelope($answer, 202, undef, "$title: the errors, mended");
    is_result(resource_final($answer->json->{data}), 'completed', {created => $bad}, "$title: all of them are applied");
    $_->[2] =~ s/lost/pending/ for @rows;
    is(stored(), digest(@rows), "$title: then all rows are there");
}

finish();
