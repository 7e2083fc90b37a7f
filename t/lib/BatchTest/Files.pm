# A client of signed URLs: uploads of batches that were made without data, and files.
package BatchTest::Files;

use strict;
use warnings;

use Digest::SHA ();
use Exporter 'import';
use IO::Socket::INET;

use BatchTest::Config;
use BatchTest::Database;
use BatchTest::Http;
use BatchTest::Resources;

our @EXPORT = qw(
    requested upload file_url file_of signed open_upload url_path url_with forged stored_of
);

# A batch that waits for its upload: its object. Members and options as of post_batches.
sub requested
{
    my ($request, %option) = @_;
    my %without = %$request;
    delete $without{data};
    my $answer = post_batches(\%without, %option);
    die 'create was answered ', $answer->status, ' ', $answer->body, "\n" if $answer->status != 201;
    return $answer->json->{data};
}

# The path, with its query string, of an absolute URL of the server.
sub url_path
{
    my ($url) = @_;
    my $port = var('port');
    $url =~ s{^http://127\.0\.0\.1:$port(?=/)}{} or die "not a URL of this server: $url\n";
    return $url;
}

# A request with a signed URL, by nobody.
sub signed
{
    my ($method, $url, %option) = @_;
    return request($method, url_path($url), as => undef, %option);
}

# PUT to the upload URL of a batch: json => data, or body => bytes with type.
sub upload
{
    my ($batch, %option) = @_;
    my $method = delete $option{method} || 'PUT';
    return signed($method, $batch->{_upload_url}, %option);
}

# The URL with the parameters changed; undef takes one away.
sub url_with
{
    my ($url, %change) = @_;
    my ($path, $query) = split /\?/, $url, 2;
    my @pairs;
    foreach my $pair (split /&/, $query) {
        my ($name, $value) = split /=/, $pair, 2;
        $value = delete $change{$name} if exists $change{$name};
        push @pairs, "$name=$value" if defined $value;
    }
    return @pairs ? "$path?" . join('&', @pairs) : $path;
}

# A signature made here: what only one who knows the secret could do.
sub forged
{
    my ($secret, $method, $path, $expires) = @_;
    return Digest::SHA::hmac_sha256_hex("mod_batch url 1\n$method\n$expires\n$path", $secret);
}

# The signed URL of a file of the batch: upload_csv, upload_json, errors_csv or errors_json.
sub file_url
{
    my ($batch, $which, %option) = @_;
    my $id = ref $batch ? $batch->{id} : $batch;
    my $answer = request('GET', "/batches/$id?include_$which=true", %option);
    die "batch $id: ", $answer->status, ' ', $answer->body, "\n" if $answer->status != 200;
    return $answer->json->{data}{"_${which}_url"};
}

# The file: its answer.
sub file_of
{
    my ($batch, $which, %option) = @_;
    my $url = file_url($batch, $which) // die "the batch has no $which\n";
    return signed('GET', $url, %option);
}

# An upload under way: its head was sent, and the first part of its body. Returns the socket.
sub open_upload
{
    my ($batch, $body, $part, $type) = @_;
    my $text = request_text(
        'PUT', url_path($batch->{_upload_url}),
        as => undef,
        body => $body,
        type => $type || 'application/json'
    );
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => var('port'))
        or die "connect: $!\n";
    $socket->print(substr $text, 0, length($text) - length($body) + $part);
    $socket->flush;
    return $socket;
}

# What the database has of a batch: its row, how many items and errors are stored.
sub stored_of
{
    my ($batch) = @_;
    my $id = ref $batch ? $batch->{id} : $batch;
    my ($row) = rows("SELECT * FROM batch_jobs WHERE id = '$id'");
    return unless $row;
    $row->{segments} = value("SELECT count(*) FROM batch_items WHERE job = $row->{seq}");
    $row->{error_rows} = value("SELECT count(*) FROM batch_errors WHERE job = $row->{seq}");
    return $row;
}

1;
