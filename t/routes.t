# Paths and methods: prefixes, .json, 404, 405 with Allow, OPTIONS, HEAD.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $batch = finished(create(delete_ids(unknown_ids(2))));
my $id = $batch->{id};

# Every path with and without .json, below every prefix; the answers are the same.
foreach my $prefix ('', '/api/v2') {
    foreach my $end ('', '.json') {
        is(request('GET', "$prefix/batch$end")->json->{total_count} > 0, 1,
            "GET $prefix/batch$end");
        is_deeply(
            request('GET', "$prefix/batch/$id$end")->json,
            {batch => $batch},
            "GET $prefix/batch/ID$end"
        );
        my $answer = request('POST', "$prefix/batch$end",
            json => {batch => {start => JSON::PP::false, operations => [delete_ids('x')]}});
        is($answer->status, 201, "POST $prefix/batch$end");
        my $new = $answer->json->{batch}{id};
        like(
            $answer->header('Location'),
            qr{^(?:http://[^/]+)?\Q$prefix\E/batch/\Q$new\E(?:\.json)?$},
            "its Location has the prefix $prefix"
        );
        my ($path) = $answer->header('Location') =~ m{(/(?:api|batch).*)};
        is(request('GET', $path)->status, 200, 'and leads to the batch');
        is(
            request(
                'POST', "$prefix/batch/$new/operations$end",
                json => {operations => [delete_ids('y')]}
            )->status,
            200,
            "POST $prefix/batch/ID/operations$end"
        );
        is(request('POST', "$prefix/batch/$new/start$end")->status,
            202, "POST $prefix/batch/ID/start$end");
        finished($new);
        is(scalar @{request('GET', "$prefix/batch/$new/errors$end")->json},
            1, "GET $prefix/batch/ID/errors$end");
        is(request('GET', "$prefix/batch/$new/errors.csv")->media_type,
            'text/csv', "GET $prefix/batch/ID/errors.csv");
        is(request('DELETE', "$prefix/batch/$new$end")->status, 200, "DELETE $prefix/batch/ID$end");
    }
}
is(request('GET', "/batch/\U$id")->status, 200, 'the id in capitals is the same UUID');

# Methods.
my %allow = (
    '/batch' => [qw(GET HEAD OPTIONS POST)],
    "/batch/$id" => [qw(DELETE GET HEAD OPTIONS)],
    "/batch/$id/operations" => [qw(OPTIONS POST)],
    "/batch/$id/start" => [qw(OPTIONS POST)],
    "/batch/$id/errors.json" => [qw(GET HEAD OPTIONS)],
    "/batch/$id/errors.csv" => [qw(GET HEAD OPTIONS)],
);
foreach my $path (sort keys %allow) {
    my %may = map { $_ => 1 } @{$allow{$path}};
    foreach my $method (qw(GET HEAD POST PUT PATCH DELETE PROPFIND BREW)) {
        next if $may{$method};
        my $answer = request($method, $path);
        if ($method eq 'HEAD') {
            is($answer->status, 405, "HEAD $path: 405");
        }
        else {
            is_error($answer, 405, "$method $path");
        }
        my @allowed = sort grep { $_ ne 'OPTIONS' } split /\s*,\s*/, $answer->header('Allow') // '';
        is(
            "@allowed",
            join(' ', grep { $_ ne 'OPTIONS' } @{$allow{$path}}),
            "$method $path: Allow names what is allowed"
        );
    }
    my $answer = request('OPTIONS', $path);
    ok($answer->status == 200 || $answer->status == 204, "OPTIONS $path") or diag($answer->status);
    my @allowed = sort grep { $_ ne 'OPTIONS' } split /\s*,\s*/, $answer->header('Allow') // '';
    is("@allowed", join(' ', grep { $_ ne 'OPTIONS' } @{$allow{$path}}), "OPTIONS $path: Allow");
}
is(value('SELECT count(*) FROM batch_jobs'), 1, 'no wrong method has removed or made a batch');

# Paths that are none.
foreach my $path (
    "/batch/$id/nothing", "/batch/$id/start/now",
    "/batch/$id/errors.json/x", "/batch/$id/errors.xml",
    "/batch/$id.xml", "/batch/$id/",
    '/batch/', '/batch/a/b/c/d',
    '/batch/.json', '/batch.json/x',
    "/batch/$id.json/start", "/batch/$id/start.json.json",
    "/batch/$id%2Fstart", '/batch/%00',
    '/batch/%2e%2e', '/batch/' . 'a/' x 500
    )
{
    foreach my $method (qw(GET POST DELETE)) {
        my $answer = request($method, $path);
        my $status = $answer->status;
        # Some of these httpd refuses itself; /batch/ may be taken for /batch.
        ok(
            ($status >= 200 && $status < 300)
                || $status == 404
                || $status == 405
                || $status == 400
                || $status == 415
                || $status == 422,
            "$method " . substr($path, 0, 60) . ": $status"
        ) or diag($answer->body);
    }
}
is_error(request('GET', "/batch/$id/nothing"), 404, 'an unknown part of a batch');
is_error(request('GET', '/batch/a/b/c/d'), 404, 'a path of many parts');
is(value("SELECT count(*) FROM batch_jobs WHERE id = '$id'"), 1, 'the batch is still there');
# httpd's own words for a path with an encoded slash or NUL.
tolerate_log(qr/AH00026|AH10244|AH00127|invalid URI path/);

isnt(request('GET', '/batches')->status, 500, '/batches is no 500');
is(request('GET', '/index.html', as => undef)->status,
    200, 'other URLs of the server are left alone');

finish();
