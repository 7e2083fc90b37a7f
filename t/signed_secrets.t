# BatchURLSecretFile: refused unless only its owner can read it; the second secret is accepted and
# never used to sign.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

my $folder = var('t_logs');
my %path = map { $_ => "$folder/secret-$_" } qw(old new later);
my %secret = (old => 'o' x 32, new => 'n' x 64, later => 'l' x 40);

sub write_secret
{
    my ($name, $text, $mode) = @_;
    unlink $path{$name};
    open my $file, '>', $path{$name} or die "$path{$name}: $!\n";
    print {$file} $text;
    close $file or die "$path{$name}: $!\n";
    chmod $mode // 0600, $path{$name} or die "$path{$name}: $!\n";
    return;
}

sub restarted
{
    my ($what, @lines) = @_;
    configure(@lines);
    server_stop();
    return ok(server_start(), "a server with $what");
}

# By which of the secrets a URL is signed.
sub signed_by
{
    my ($url) = @_;
    my ($path, $expires, $signature) = url_path($url) =~ m{^([^?]+)\?expires=(\d+)&signature=(\w+)$};
    my %known = (%secret, database => value("SELECT secret FROM batch_secrets WHERE name = 'url'"));
    return join ' ', sort grep { $signature eq forged($known{$_}, 'GET', $path, $expires) } keys %known;
}

my $done = run_batch(merge('contact', [{name => 'One'}]));
my %url = (database => file_url($done, 'upload_csv'));
is(signed_by($url{database}), 'database', "by default the database's secret signs");

# ---- Rotation --------------------------------------------------------------------------------------

write_secret('old', "$secret{old}\n");
write_secret('new', $secret{new}, 0400);
write_secret('later', "$secret{later}\r\n");
restarted('a secret file', "BatchURLSecretFile $path{old}");
$url{old} = file_url($done, 'upload_csv');
is(signed_by($url{old}), 'old', 'the secret of the file signs, without its line break');
is(signed('GET', $url{old})->status, 200, 'and lets in');
is(signed('GET', $url{database})->status, 403, "the database's secret does not count any more");

restarted('two secret files', "BatchURLSecretFile $path{new} $path{old}");
$url{new} = file_url($done, 'upload_csv');
is(signed_by($url{new}), 'new', 'the first secret signs');
is(signed('GET', $url{$_})->status, 200, "a URL of the $_ one is let in") for qw(old new);

# The files are read when the server starts, and not before: by whoever starts it.
write_secret('new', $secret{later});
is(signed_by(file_url($done, 'upload_csv')), 'new', 'a file that has changed is not read while the server runs');
write_secret('new', $secret{new});

restarted('the next two', "BatchURLSecretFile $path{later} $path{new}");
is(signed_by(file_url($done, 'upload_csv')), 'later', 'the first one signs');
is(signed('GET', $url{new})->status, 200, 'that of the second is let in');
is(signed('GET', $url{old})->status, 403, 'the one before it is not, any more');

configure("BatchURLSecretFile $path{old}");
server_graceful();
wait_for('the children that know the old secrets to end', sub { signed('GET', $url{old})->status == 200 });
pass('a graceful restart reads them, too');

unconfigure();
server_stop();
ok(server_start(), 'a server without them');
is(signed('GET', $url{database})->status, 200, "the database's secret counts again");
is(signed('GET', $url{old})->status, 403, 'and no other');

# ---- What is refused -------------------------------------------------------------------------------

sub refused
{
    my ($name, $line, $like) = @_;
    configure("# a comment", $line);
    my $conf = var('t_conf') . '/override.conf';
    my $said = `@{[var('httpd')]} -t -d '@{[var('serverroot')]}' -f '@{[var('t_conf_file')]}' 2>&1`;
    isnt($? >> 8, 0, "$name is refused by configtest");
    like($said, qr/line 2 of \Q$conf\E/, "$name: with file and line");
    like($said, $like, "$name: and the reason");
    unlike($said, qr/o{32}/, "$name: without the secret");
    unconfigure();
    return;
}

foreach my $mode (0640, 0604, 0620, 0610, 0660, 0644) {
    write_secret('old', $secret{old}, $mode);
    refused(sprintf('a file of mode %o', $mode), "BatchURLSecretFile $path{old}", qr/0600/);
}
refused('a second file like that', "BatchURLSecretFile $path{new} $path{old}", qr/secret-old.*0600/);
write_secret('old', 'o' x 31 . "\n");
refused('a short secret', "BatchURLSecretFile $path{old}", qr/at least 32 bytes/);
write_secret('old', '');
refused('an empty file', "BatchURLSecretFile $path{old}", qr/at least 32 bytes/);
write_secret('old', 'o' x 5000);
refused('a long file', "BatchURLSecretFile $path{old}", qr/longer than 4096/);
refused('a file that is not there', "BatchURLSecretFile $folder/secret-none", qr/No such file/);
refused('a folder', "BatchURLSecretFile $folder", qr/no regular file/);
refused('three files', "BatchURLSecretFile $path{new} $path{new} $path{new}", qr/takes 1-2 arguments/);
refused('a time that is none', 'BatchURLTTL 0', qr/BatchURLTTL/);

# ---- The database's secret -------------------------------------------------------------------------

# Whoever removes it has a new one made, at the latest with the next start.
sql("DELETE FROM batch_secrets");
server_stop();
ok(server_start(), 'a server whose secret was removed');
is(signed('GET', $url{database})->status, 403, 'old URLs are of no more use');
is(signed('GET', file_url($done, 'upload_csv'))->status, 200, 'new ones are');
sql("UPDATE batch_secrets SET secret = 'short'");
server_stop();
ok(server_start(), 'a server whose secret is too short');
expect_log(qr/MB0317: the secret of signed URLs in the database is too short/);
is_refused(request('GET', "/batches/$done->{id}?include_upload_csv=true"), 503, 'unavailable', 'a URL with it');
is_refused(signed('GET', $url{database}), 503, 'unavailable', 'nor is one judged by it');
is(request('GET', "/batches/$done->{id}")->status, 200, 'the rest works');
sql("DELETE FROM batch_secrets");
is(signed('GET', file_url($done, 'upload_csv'))->status, 200, 'without it a new one is made, without a restart');

finish();
