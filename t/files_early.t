# Large files, whose items are judged while they arrive, become the same batches as those of which
# nobody knows beforehand how long they are: counts, errors, the upload, and rows.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

use IO::Socket::INET;
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;
my $merge = '/batches?action=merge&resource=contact';
my $count = 6000;

# Ways to write the items, each [name, phone]: the type, and the text.
my %formats = (
    CSV => ['text/csv', sub { join '', "name,phone\n", map {"\"$_->[0]\",$_->[1]\n"} @_ }],
    NDJSON => ['application/x-ndjson', sub { join '', map { $json->encode({name => $_->[0], phone => $_->[1]}) . "\n" } @_ }],
    array => ['application/json', sub { $json->encode([map { {name => $_->[0], phone => $_->[1]} } @_]) }],
);

# What the items are besides different and sound.
my %kinds = (
    'sound items' => sub {@_},
    'an item twice' => sub { @_, $_[3] },
    'an item too long' => sub { $_[4000][1] = '1' x 41; @_ },
    'both' => sub { $_[10][1] = '1' x 41; @_, $_[5999] },
);

sub chunked
{
    my ($type, $body) = @_;
    my $text = request_text('POST', $merge, body => '', type => $type);
    $text =~ s/^Content-Length: 0\r\n/Transfer-Encoding: chunked\r\n/m or die "no length in $text";
    $text .= sprintf("%x\r\n%s\r\n", length, $_) for unpack '(a60000)*', $body;
    return raw("${text}0\r\n\r\n");
}

sub made
{
    my ($answer) = @_;
    die $answer->status, ' ', $answer->body, "\n" if $answer->status != 202;
    my $batch = resource_final($answer->json->{data});
    my @errors = map { join ' ', map { $_ // '-' } @$_{qw(ordinal line field code original)} } rows(
        'SELECT ordinal, line, field, code, original FROM batch_errors WHERE job = ' .
            "(SELECT seq FROM batch_jobs WHERE id = '$batch->{id}') ORDER BY ordinal"
    );
    return {
        status => $batch->{status},
        stats => $batch->{stats},
        errors => \@errors,
        upload => file_of($batch, 'upload_json')->body,
    };
}

sub names { return [map {"$_->{name} $_->{phone}"} rows("SELECT name, phone FROM contacts WHERE name LIKE 'early %' ORDER BY name, phone")] }

foreach my $format (sort keys %formats) {
    my ($type, $write) = @{$formats{$format}};
    foreach my $kind (sort keys %kinds) {
        my @items = $kinds{$kind}->(map { ["early $_ of a file that is long enough", "+49 30 $_ $_ $_"] } 1 .. $count);
        my $body = $write->(@items);
        my $name = "$format, $kind";
        cmp_ok(length $body, '>', 300_000, "$name: it is large");
        run_sql("DELETE FROM contacts WHERE name LIKE 'early %'");
        my $early = made(request('POST', $merge, body => $body, type => $type));
        my $rows = names();
        run_sql("DELETE FROM contacts WHERE name LIKE 'early %'");
        my $late = made(chunked($type, $body));
        is_deeply($early, $late, "$name: it is the same batch");
        is($early->{status}, 'completed', "$name: which was carried out");
        is($early->{stats}{created}, $count - ($kind =~ /long|both/ ? 1 : 0), "$name: with all sound items");
        is_deeply(names(), $rows, "$name: the rows are the same");
        is(scalar @$rows, $early->{stats}{created}, "$name: and as many as were created");
    }
}

# An upload by a signed URL.
my $waiting = post_batches({action => 'merge', resource => 'contact'})->json->{data};
run_sql("DELETE FROM contacts WHERE name LIKE 'early %'");
my $answer = upload($waiting, body => $formats{CSV}[1]->(map { ["early $_ of an upload", "+49 $_ $_ $_ $_ $_ $_ $_"] } 1 .. $count), type => 'text/csv');
is($answer->status, 202, 'a large upload is taken');
is(resource_final($waiting)->{stats}{created}, $count, 'all of its items are applied');
is(scalar @{names()}, $count, 'each once');

run_sql("DELETE FROM contacts WHERE name LIKE 'early %'");
finish();
