# Who is asking: tokens in each of their headers, Basic, nobody, and a token file that changes.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

use Digest::SHA qw(sha256_hex);
use File::Copy qw(copy);

my $tokens = work_folder() . '/conf/sample/tokens';
my %name = (alice => 'Alice Archer', bob => 'Bob Baker', carol => 'Carol Castro');

# Who a request with these headers is taken for: made visible by the batch that it creates.
sub who
{
    my (%header) = @_;
    my $answer = request(
        'POST', '/batch',
        as => undef,
        json => {batch => {start => JSON::PP::false}},
        headers => {%header}
    );
    return $answer->status == 201 ? $answer->json->{batch}{created_by} : $answer->status;
}

# ---- Tokens --------------------------------------------------------------------------------------

foreach my $user (sort keys %name) {
    is(who($_ => "$user-token"), $name{$user}, "$_: $user-token")
        for qw(X-ApiToken PX-API-KEY X-API-KEY);
    is(who(Authorization => "Bearer $user-token"),
        $name{$user}, "Authorization: Bearer $user-token");
}
is(who('x-apitoken' => 'bob-token'), 'Bob Baker', 'header names in lower case');
is(who(Authorization => 'bearer bob-token'), 'Bob Baker', 'bearer in lower case');
is(who(Authorization => 'BEARER  bob-token'), 'Bob Baker', 'in upper case, with two blanks');
is(who('X-ApiToken' => 'bob-token', 'PX-API-KEY' => 'bob-token'),
    'Bob Baker', 'one token in two headers');

# ---- Basic ---------------------------------------------------------------------------------------

foreach my $user (sort keys %name) {
    is(who(Authorization => basic($user, $user)), $name{$user}, "Basic: $user");
}
my $answer = request(
    'POST', '/batch',
    as => undef,
    headers => {Authorization => basic('carol', 'carol')},
    json => {
        batch => {
            operations => [
                operation(form_id => '836352ac-71b9-11ee-b962-0242ac120002', ids => ['x'])
            ]
        }
    }
);
is($answer->status, 202, 'Basic brings the organization along');
is($answer->json->{batch}{created_by_id}, '8b1d2e63-71b9-11ee-b962-0242ac120002',
    'and the user id');
finished($answer->json->{batch}, as => 'carol');

# ---- Nobody --------------------------------------------------------------------------------------

my $before = value('SELECT count(*) FROM batch_jobs');
my @wrong = (
    ['no credentials'],
    ['a wrong token', 'X-ApiToken' => 'alice-tokem'],
    ['the beginning of a token', 'X-ApiToken' => 'alice-toke'],
    ['a token and more', 'X-ApiToken' => 'alice-token2'],
    ['a token in another case', 'X-ApiToken' => 'Alice-Token'],
    ['an empty token', 'X-ApiToken' => ''],
    ['the digest of a token', 'X-ApiToken' => sha256_hex('alice-token')],
    ['a user name', 'X-ApiToken' => 'alice'],
    ['two tokens in one header', 'X-ApiToken' => ['alice-token', 'bob-token']],
    ['a very long token', 'X-ApiToken' => 'alice-token' x 600],
    ['bytes that are not UTF-8', 'X-ApiToken' => "\xff\xfe\x80"],
    ['a line of the token file', 'X-ApiToken' => sha256_hex('alice-token') . ' alice x acme y'],
    ['a Bearer without a token', Authorization => 'Bearer'],
    ['a Bearer with blanks', Authorization => 'Bearer   '],
    ['a wrong Bearer', Authorization => 'Bearer nobody-token'],
    ['a token of another header behind Bearer', Authorization => 'alice-token'],
    ['another scheme', Authorization => 'Digest username="alice"'],
    ['a token in another header', 'X-Token' => 'alice-token'],
);
foreach my $case (@wrong) {
    my ($name, %header) = @$case;
    my $answer = request('GET', '/batch', as => undef, headers => {%header});
    is_error($answer, 401, $name);
    ok(defined $answer->header('WWW-Authenticate'), "$name: with WWW-Authenticate");
}
# Two headers that name two users: whoever that is, it is not for us to choose.
foreach my $pair (['X-ApiToken', 'PX-API-KEY'], ['PX-API-KEY', 'X-API-KEY'],
    ['X-API-KEY', 'X-ApiToken'])
{
    $answer = request(
        'GET', '/batch',
        as => undef,
        headers => {$pair->[0] => 'alice-token', $pair->[1] => 'carol-token'}
    );
    ok(
        $answer->status == 401 || $answer->status == 400,
        "$pair->[0] and $pair->[1] of two users are refused"
    ) or diag($answer->status, ' ', $answer->body);
}
$answer = request(
    'GET', '/batch',
    as => undef,
    headers => {'X-ApiToken' => 'alice-token', Authorization => 'Bearer carol-token'}
);
ok(
    $answer->status == 401 || $answer->status == 400,
    'X-ApiToken and Bearer of two users are refused'
) or diag($answer->status);
$answer = request(
    'GET', '/batch',
    as => undef,
    headers => {'X-ApiToken' => 'alice-token', 'X-API-KEY' => 'wrong'}
);
ok($answer->status == 401 || $answer->status == 400, 'a token and a wrong one are refused')
    or diag($answer->status);

# httpd's own modules complain of these in their words.
expect_log(qr/AH01617: user alice: authentication failure/, qr/AH01618: user mallory not found/);
tolerate_log(qr/AH01614: client used wrong authentication scheme/, qr/AH01618: user .* not found/);
is_error(
    request('GET', '/batch', as => undef, headers => {Authorization => basic('alice', 'wrong')}),
    401, 'Basic with a wrong password');
is_error(
    request('GET', '/batch', as => undef, headers => {Authorization => basic('mallory', 'alice')}),
    401,
    'Basic of nobody'
);
is_error(request('GET', '/batch', as => undef, headers => {Authorization => 'Basic !!!'}),
    401, 'Basic that is not base64');
is_error(
    request(
        'GET', '/batch',
        as => undef,
        headers => {Authorization => basic('alice', 'alice-token')}
    ),
    401,
    'a token is no password'
);

# 401 comes before everything else, in the same words for what is there and what is not.
my $batch = pending([]);
foreach my $case (
    ['GET', "/batch/$batch->{id}"],
    ['GET', '/batch/00000000-0000-4000-8000-000000000000'],
    ['DELETE', "/batch/$batch->{id}"],
    ['POST', "/batch/$batch->{id}/start"],
    ['POST', '/batch'],
    ['GET', "/batch/$batch->{id}/errors.csv"],
    ['PUT', '/batch'],
    ['GET', '/batch/x/y/z']
    )
{
    is_error(request(@$case, as => undef), 401, "@$case without credentials");
}
is(value('SELECT count(*) FROM batch_jobs'), $before + 1, 'nobody has made a batch');
is(batch($batch)->{status}, 'pending', 'or started one');

# Where httpd asks nobody, the module does: unless BatchAnonymous is on.
is_error(request('GET', '/open/batch', as => undef), 401, 'no authentication configured');
is_error(request('POST', '/open/batch', as => undef, json => {batch => {start => JSON::PP::false}}),
    401, 'not even to create');
$answer = request('POST', '/anonymous/batch', as => undef,
    json => {batch => {start => JSON::PP::false}});
is($answer->status, 201, 'BatchAnonymous On');
is(
    $answer->json->{batch}{created_by},
    'Nobody in particular',
    'with the name that the administrator gives'
);

# ---- The token file ------------------------------------------------------------------------------

ok(
    !(
        grep {/alice-token|bob-token|carol-token/}
        do { open my $file, '<', $tokens or die $!; <$file> }
    ),
    'it has no token, only digests'
);
copy($tokens, "$tokens.saved") or die "copy: $!\n";

sub append
{
    my (@lines) = @_;
    open my $file, '>>', $tokens or die $!;
    print {$file} map {"$_\n"} @lines;
    close $file;
    return;
}

is(who('X-ApiToken' => 'dave-token'), 401, 'dave is unknown');
append(
    sha256_hex('dave-token') . ' dave 9c2e3f74-71b9-11ee-b962-0242ac120002 acme Dave  Dover, Jr.');
wait_for('a new token', sub { who('X-ApiToken' => 'dave-token') ne '401' });
like(
    who('X-ApiToken' => 'dave-token'),
    qr/^Dave +Dover, Jr\.$/,
    'a line more, and dave is known at once'
);
is(who('X-ApiToken' => 'alice-token'), 'Alice Archer', 'alice still is');

append('', '# a comment', '   ', uc(sha256_hex('erin-token')) . ' erin id-of-erin acme Erin');
wait_for('a token below a comment', sub { who('X-ApiToken' => 'erin-token') ne '401' });
is(who('X-ApiToken' => 'erin-token'), 'Erin', 'comments and blank lines; a digest in capitals');

# Replaced as a careful administrator does: another file by the same name.
copy("$tokens.saved", "$tokens.new") or die "copy: $!\n";
rename "$tokens.new", $tokens or die "rename: $!\n";
wait_for('an old token', sub { who('X-ApiToken' => 'dave-token') eq '401' });
is(who('X-ApiToken' => 'dave-token'), 401, 'a line less, and dave is unknown again');
is(who('X-ApiToken' => 'alice-token'), 'Alice Archer', 'alice still is known');

# Same size, same second: a digit that changed is a change.
{
    open my $file, '<', "$tokens.saved" or die $!;
    my $text = do { local $/; <$file> };
    my ($old, $new) = (sha256_hex('bob-token'), sha256_hex('rob-token'));
    $text =~ s/$old/$new/ or die "no line of bob\n";
    open my $out, '>', "$tokens.new" or die $!;
    print {$out} $text;
    close $out;
    rename "$tokens.new", $tokens or die $!;
    wait_for('another token of bob', sub { who('X-ApiToken' => 'rob-token') ne '401' });
    is(who('X-ApiToken' => 'rob-token'), 'Bob Baker', 'another token of bob');
    is(who('X-ApiToken' => 'bob-token'), 401, 'his old one is void');
}

# The file is away, and comes back.
unlink $tokens or die $!;
tolerate_log(qr/MB\d{4}: .*tokens/);
my $status = wait_for('the file to be missed',
    sub { my $who = who('X-ApiToken' => 'alice-token'); $who =~ /^\d+$/ ? $who : undef });
ok($status == 401 || $status == 503 || $status == 500, 'without its file nobody is let in');
isnt($status, 500, 'and that is no 500');
rename "$tokens.saved", $tokens or die $!;
wait_for('the file to be found', sub { who('X-ApiToken' => 'alice-token') eq 'Alice Archer' });
is(who('X-ApiToken' => 'bob-token'), 'Bob Baker', 'when it is back, all are');
is(who('X-ApiToken' => 'rob-token'), 401, 'and only they');

# No token is told.
my $log = log_text(0);
ok($log !~ /(?:alice|bob|carol|dave|erin|rob)-token/, 'no token in the error log');

finish();
