# Tables that cannot keep organizations apart: keys of clients that are unique over all of them, and
# scope columns that take two of them for one. What would tell or take is out of service.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

my $pgsql = driver() eq 'pgsql';
my @tables = qw(batchless_alone batchless_shared batchless_blurred batchless_exact batchless_sheets);

sub clean
{
    sql(map {"DROP TABLE IF EXISTS $_"} @tables);
    sql('DROP COLLATION IF EXISTS batchless_blur') if $pgsql;
    return;
}
END { eval { clean() } }
clean();
sql(q(CREATE COLLATION batchless_blur (provider = icu, locale = 'und-u-ks-level2', deterministic = false))) if $pgsql;
my $blur = $pgsql ? 'COLLATE batchless_blur' : 'COLLATE NOCASE';
sql('CREATE TABLE batchless_alone (id VARCHAR(40) PRIMARY KEY, organization_id TEXT NOT NULL, label TEXT)',
    'CREATE TABLE batchless_shared (id VARCHAR(40) NOT NULL, organization_id TEXT NOT NULL, label TEXT, PRIMARY KEY (organization_id, id))',
    "CREATE TABLE batchless_blurred (id VARCHAR(40) NOT NULL, organization_id TEXT $blur NOT NULL, label TEXT, PRIMARY KEY (organization_id, id))",
    'CREATE TABLE batchless_exact (id VARCHAR(40) PRIMARY KEY, organization_id TEXT NOT NULL, form_id TEXT, label TEXT)',
    "CREATE TABLE batchless_sheets (id TEXT PRIMARY KEY, organization_id TEXT $blur)");
my @lines = ('BatchScope organization_id', 'BatchColumn label text', 'BatchActions merge overwrite delete', '</BatchResource>');
configure(
    '<BatchResource alone>', 'BatchTable batchless_alone', 'BatchKey id client', @lines,
    '<BatchResource shared>', 'BatchTable batchless_shared', 'BatchKey id client', @lines,
    '<BatchResource blurred>', 'BatchTable batchless_blurred', 'BatchKey id client', @lines,
    '<BatchResource sheeted>', 'BatchTable batchless_exact', 'BatchKey id client', 'BatchScope organization_id',
    'BatchForm form_id batchless_sheets scope=organization_id', 'BatchColumn label text', 'BatchActions update delete', '</BatchResource>',
    # Whoever comes here is of an organization whose name is acme's in capitals.
    '<Location "/capitals/batches">', 'SetHandler batch', 'Require all granted', 'BatchAnonymous On', 'BatchOrganization "ACME"',
    '</Location>'
);
server_graceful();
my $section = qr/MB0205: out of service until it fits the database: \S+:\d+: <BatchResource/;
expect_log(
    qr/:crit\].*$section alone>: BatchKey, merge, overwrite: a unique index of table "batchless_alone" has "id" alone/,
    qr/:crit\].*$section blurred>: BatchScope: column "organization_id" of table "batchless_blurred" takes different organizations for one/,
    qr/:crit\].*$section sheeted>: BatchForm: column "organization_id" of table "batchless_sheets" takes different organizations for one/
);

sub is_out
{
    my ($answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_refused($answer, 503, 'unavailable', $name);
}

# A create of every format and mode.
sub all_out
{
    my ($resource, $action) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $request = {resource => $resource, action => $action, data => [{id => 'x', label => 'l'}]};
    is_out(post_batches({%$request, mode => $_}), "$resource, $action, $_") for qw(sync mixed);
    my $path = "/batches?resource=$resource&action=$action";
    is_out(request('POST', $path, type => 'text/csv', body => "id,label\nx,l\n"), "$resource, $action, CSV");
    is_out(request('POST', $path, type => 'application/x-ndjson', body => qq({"id":"x"}\n)), "$resource, $action, NDJSON");
    is_out(post_batches({resource => $resource, action => $action}), "$resource, $action, upload");
    return;
}

# ---- Keys that are unique over all organizations -------------------------------------------------

sql("INSERT INTO batchless_alone VALUES ('mine', 'acme', 'a'), ('theirs', 'globex', 'g')");
all_out('alone', $_) for qw(merge overwrite);
is_result(run_batch(removal('alone', [{id => 'mine'}, {id => 'theirs'}])), 'completed', {deleted => 1, errors => 1}, 'a delete tells nothing, and goes on');
is(value("SELECT label FROM batchless_alone WHERE id = 'theirs'"), 'g', 'their row is as it was');

sql("INSERT INTO batchless_shared VALUES ('theirs', 'globex', 'g')");
foreach my $mode (qw(sync mixed)) {
    my @said = map {
        my $answer = post_batches({%{merge('shared', [{id => $_, label => 'l'}])}, mode => $mode});
        my $batch = resource_final($answer->json->{data});
        join ' ', $answer->status, $batch->{status}, map {"$_=$batch->{stats}{$_}"} sort keys %{$batch->{stats}};
    } "theirs", "nobodys $mode";
    is($said[0] =~ s/created=1/made/r, $said[1] =~ s/created=1/made/r, "$mode: an id of theirs is answered as one of nobody's")
        if $mode eq 'sync';
    like($said[1], qr/created=1/, "$mode: which is created");
}
is(value("SELECT label FROM batchless_shared WHERE id = 'theirs' AND organization_id = 'globex'"), 'g', 'their row is untouched');

# ---- A scope that is not exact -------------------------------------------------------------------

sql("INSERT INTO batchless_blurred VALUES ('kept', 'acme', 'a')");
all_out('blurred', $_) for qw(merge overwrite delete);
is_out(
    request('POST', '/capitals/batches', as => undef, json => {%{overwrite('blurred', [{id => 'new', label => 'n'}])}, mode => 'sync'}),
    "an overwrite of ACME's"
);
is(join(' ', map { $_->{id} } rows('SELECT id FROM batchless_blurred')), 'kept', "leaves acme's row");
is_error(post_batch(operation(resource => 'sheeted', form_id => 'f', ids => ['x'])), 503, 'a table of forms with such a scope');
is(
    request('POST', '/capitals/batches', as => undef, json => {%{overwrite('shared', [{id => 'new', label => 'n'}])}, mode => 'sync'})->status,
    201, 'an exact one serves both'
);
is(value("SELECT count(*) FROM batchless_shared WHERE organization_id = 'acme'"), 3, "and acme's rows stay");

# It comes back by itself.
sql('DROP TABLE batchless_blurred',
    'CREATE TABLE batchless_blurred (id VARCHAR(40) NOT NULL, organization_id TEXT NOT NULL, label TEXT, PRIMARY KEY (organization_id, id))');
wait_for('the resource to be in service', sub { synchronous(merge('blurred', [{id => 'x', label => 'l'}]))->status == 201 });
pass('with another column it is in service, without a restart');
expect_log(qr/MB0112: <BatchResource blurred> fits the database again/);

unconfigure();
server_graceful();
clean();
finish();
