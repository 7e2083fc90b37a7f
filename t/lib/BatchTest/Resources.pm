# A client of the resources API, and what its answers have to look like.
package BatchTest::Resources;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use Test::More;

use BatchTest::Config;
use BatchTest::Database;
use BatchTest::Http;

our @EXPORT = qw(
    TRUE FALSE
    merge overwrite removal post_batches accepted synchronous
    resource_batch resource_final run_batch cancel
    is_envelope is_refused is_wrong is_result is_phases phases_of is_item_errors stored_errors
    batch_members stats_members contacts contact_items uuid_pattern
);

use constant TRUE => JSON::PP::true;
use constant FALSE => JSON::PP::false;

sub uuid_pattern { return qr/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ }

sub batch_members
{
    return sort qw(object id organization_id resource action mode via status reason
        duplicate_handling phases stats has_upload_file has_errors_file created_at updated_at
        started_at completed_at created_by created_by_id updated_by updated_by_id checksum
        _upload_url _upload_csv_url _upload_json_url _errors_csv_url _errors_json_url);
}

sub stats_members { return sort qw(created updated deleted overwritten duplicates errors) }

# ---- Requests ------------------------------------------------------------------------------------

# The members of a create: resource, items, more members (undef takes one away).
sub _request
{
    my ($action, $resource, $data, %more) = @_;
    my %request = (action => $action, resource => $resource, data => $data, %more);
    delete $request{$_} for grep { !defined $request{$_} } keys %request;
    return \%request;
}

sub merge { return _request('merge', @_) }
sub overwrite { return _request('overwrite', @_) }
sub removal { return _request('delete', @_) }

# POST /batches; options as of request(), and path.
sub post_batches
{
    my ($request, %option) = @_;
    my $path = delete $option{path} || '/batches';
    return request('POST', $path, exists $option{body} ? () : (json => $request), %option);
}

# A batch of the mode mixed: its object as the answer has it. Dies if it was not accepted.
sub accepted
{
    my ($request, %option) = @_;
    my $answer = post_batches($request, %option);
    die 'create was answered ', $answer->status, ' ', substr($answer->body, 0, 2000), "\n"
        if $answer->status != 202;
    return $answer->json->{data};
}

# The answer to a batch of the mode sync.
sub synchronous
{
    my ($request, %option) = @_;
    return post_batches({%$request, mode => 'sync'}, %option);
}

sub _id { return ref $_[0] ? $_[0]{id} : $_[0] }

# The batch as it is now.
sub resource_batch
{
    my ($batch, %option) = @_;
    my $id = _id($batch);
    my $answer = request('GET', "/batches/$id", %option);
    die "batch $id: ", $answer->status, ' ', $answer->body, "\n" if $answer->status != 200;
    return $answer->json->{data};
}

# The batch once it is final.
sub resource_final
{
    my ($batch, %option) = @_;
    my $id = _id($batch);
    return BatchTest::wait_for(
        "batch $id to end",
        sub {
            my $now = resource_batch($id, %option);
            return $now->{status} =~ /^(?:completed|failed|timed_out|expired)$/ ? $now : undef;
        }
    );
}

# Makes a mixed batch and waits for its end.
sub run_batch
{
    my ($request, %option) = @_;
    my $batch = accepted($request, %option);
    delete $option{path};
    return resource_final($batch, map { $_ => $option{$_} } grep { $_ eq 'as' } keys %option);
}

sub cancel
{
    my ($batch, %option) = @_;
    return request('POST', '/batches/' . _id($batch) . '/cancel', %option);
}

# ---- Rows ----------------------------------------------------------------------------------------

# acme's contacts, or those of the condition, in order of name; as a scalar, how many.
sub contacts
{
    my ($where) = @_;
    my @rows = rows('SELECT * FROM contacts WHERE ' .
            ($where || "organization_id = 'acme'") . ' ORDER BY name, id');
    return @rows;
}

# Items that make count contacts, "PREFIX 0001" and so on.
sub contact_items
{
    my ($count, $prefix) = @_;
    $prefix ||= 'contact';
    return
        map { {name => sprintf('%s %05d', $prefix, $_), email => "$_\@example.com", notes => 'made'} }
        1 .. $count;
}

# ---- Answers -------------------------------------------------------------------------------------

# What stands around the data of every answer. code is undef where nothing is wrong.
sub is_envelope
{
    my ($answer, $status, $code, $name, $endpoint) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $json = eval { $answer->json };
    my @wrong;
    push @wrong, 'status ' . $answer->status if $answer->status != $status;
    push @wrong, 'media type ' . $answer->media_type if $answer->media_type ne 'application/json';
    if (ref $json ne 'HASH') {
        push @wrong, 'no object';
    }
    else {
        my $members = join ' ', sort keys %$json;
        push @wrong, "members $members"
            if $members ne 'code data endpoint errors message pagination status';
        push @wrong, 'status in the body' if ($json->{status} // '') ne $status;
        push @wrong, 'a status that is no number' if $answer->body !~ /"status":\s*$status\b/;
        push @wrong, 'message' if ref $json->{message} || ($json->{message} // '') !~ /\w/;
        push @wrong, 'errors' if ref $json->{errors} ne 'ARRAY';
        push @wrong, 'code ' . ($json->{code} // 'null')
            if ($json->{code} // '') ne ($code // '');
        push @wrong, 'endpoint ' . ($json->{endpoint} // 'null')
            if defined $endpoint ? ($json->{endpoint} // '') ne $endpoint
            : ($json->{endpoint} // '') !~ m{^[A-Z]+ /};
        push @wrong, 'data ' . (ref $json->{data} || 'text')
            if defined $json->{data} && !ref $json->{data};
        foreach my $error (ref $json->{errors} eq 'ARRAY' ? @{$json->{errors}} : ()) {
            push @wrong, 'an error that is no object', last if ref $error ne 'HASH';
            push @wrong, 'an error without ' . join ', ', grep { !exists $error->{$_} }
                qw(index field code message)
                if grep { !exists $error->{$_} } qw(index field code message);
            push @wrong, 'an error without words' if ($error->{message} // '') !~ /\w/;
        }
    }
    return ok(!@wrong, "$name: $status in the envelope")
        || diag(join(', ', @wrong), ': ', $answer->status, ' ', substr($answer->body, 0, 800));
}

# An answer that something is wrong: no data, no pagination.
sub is_refused
{
    my ($answer, $status, $code, $name, $endpoint) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return
        unless is_envelope($answer, $status, $code, $name, $endpoint);
    my $json = $answer->json;
    return is_deeply([@$json{qw(data pagination)}], [undef, undef], "$name: without data");
}

# 422 invalid_request with an error for each of the fields; with more, others may be there, too.
sub is_wrong
{
    my ($answer, $fields, $name, %option) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return unless is_refused($answer, 422, 'invalid_request', $name);
    my %got = map { ($_->{field} // 'null') => $_->{message} } @{$answer->json->{errors}};
    my $good
        = $option{more}
        ? !(grep { !defined $got{$_} } @$fields)
        : join(' ', sort keys %got) eq join(' ', sort @$fields);
    $good = 0 if $option{like} && !grep { /$option{like}/ } values %got;
    return ok($good, "$name: for @$fields")
        || diag(substr $answer->body, 0, 800);
}

# Status and statistics of a batch; those that are not named are 0.
sub is_result
{
    my ($batch, $status, $stats, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %wanted = ((map { $_ => 0 } stats_members()), %$stats);
    return is_deeply(
        {status => $batch->{status}, stats => $batch->{stats}},
        {status => $status, stats => \%wanted}, $name
        )
        || diag('reason: ', $batch->{reason} // 'null', ', phases: ',
        JSON::PP->new->canonical->encode($batch->{phases} // {}));
}

# The phases of a batch that has completed. numbers: received, and as far as there are some,
# duplicates, invalid, refused (of the items), and for an overwrite cleanup, kept (of its rows).
sub is_phases
{
    my ($batch, $numbers, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %n = ((map { $_ => 0 } qw(duplicates invalid refused cleanup kept)), %$numbers);
    my $sync = $batch->{mode} eq 'sync' ? 'synchronous' : 'asynchronous';
    my $left = $n{received};
    my @wanted;
    foreach my $phase (
        ['parsing', 'synchronous', $n{duplicates}],
        ['validation', 'synchronous', $n{invalid}],
        ['processing', $sync, $n{refused}]
        )
    {
        my ($phase_name, $mode, $error) = @$phase;
        push @wanted,
            {
            name => $phase_name,
            mode => $mode,
            status => 'completed',
            total => $left,
            processed => $left,
            success => $left - $error,
            error => $error
            };
        $left -= $error;
    }
    push @wanted,
        {
        name => 'cleanup',
        mode => $sync,
        status => 'completed',
        total => $n{cleanup},
        processed => $n{cleanup},
        success => $n{cleanup} - $n{kept},
        error => $n{kept}
        }
        if $batch->{action} eq 'overwrite';
    my @got = map { {%$_} } @{$batch->{phases}};
    my (@times, @extra);
    foreach my $phase (@got) {
        push @times, delete @$phase{qw(started_at completed_at)};
        push @extra, grep { !/^(?:name|mode|status|total|processed|success|error)$/ } keys %$phase;
    }
    is_deeply(\@got, \@wanted, "$name: phases")
        or diag(JSON::PP->new->canonical->encode($batch->{phases}));
    my $times = join ' ', map { $_ // 'null' } @times;
    my $good = !@extra && !grep { !defined $_ || !/^\d{10}$/ } @times;
    for my $i (1 .. ($good ? $#times : 0)) {
        $good = 0 if $times[$i] < $times[$i - 1];
    }
    return ok($good, "$name: the times of the phases are in order")
        || diag("times $times, more members @extra");
}

# The phases of any batch, each as "NAME STATUS TOTAL PROCESSED SUCCESS ERROR".
sub phases_of
{
    my ($batch) = @_;
    return map { join ' ', @$_{qw(name status total processed success error)} } @{$batch->{phases}};
}

# The errors of a batch as they are in the database, in the order of the items.
sub stored_errors
{
    my ($batch) = @_;
    my $id = _id($batch);
    return
        map { {%$_, index => $_->{ordinal}} }
        rows('SELECT ordinal, id, field, code, message, original FROM batch_errors WHERE job ='
            . " (SELECT seq FROM batch_jobs WHERE id = '$id') ORDER BY ordinal, number");
}

# Errors, from an envelope or from the database, as [index, field, code]; a code may be a pattern.
sub is_item_errors
{
    my ($errors, $wanted, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @got = map { [$_->{index}, $_->{field}, $_->{code}] } @$errors;
    my $good = @got == @$wanted;
    foreach my $i (0 .. ($good ? $#got : -1)) {
        my ($index, $field, $code) = @{$wanted->[$i]};
        $good = 0
            if ($got[$i][0] // 'null') ne $index
            || ($got[$i][1] // 'null') ne ($field // 'null')
            || (ref $code ? ($got[$i][2] // '') !~ /^(?:$code)$/ : ($got[$i][2] // '') ne $code);
    }
    $good = 0 if grep { ($_->{message} // '') !~ /\w/ } @$errors;
    return ok($good, $name)
        || diag('got ', join ', ', map { '[' . join(' ', map { $_ // 'null' } @$_) . ']' } @got);
}

1;
