# Items of a large file are stored and applied in the order of their keys where none of them can see
# another. Its client does not see that: files, indexes and lines are those of the file that was
# sent. Elsewhere the order is that of the file.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;
use BatchTest::Files;

use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;
my $count = 4000;
my $pgsql = driver() eq 'pgsql';
my $key = $pgsql ? 'TEXT COLLATE "C"' : 'TEXT';

my %tables = (
    plain => ["id $key PRIMARY KEY, name TEXT CHECK (name <> 'never'), email TEXT", ''],
    scoped => ["id $key, organization_id TEXT, name TEXT, email TEXT, PRIMARY KEY (organization_id, id)", 'BatchScope organization_id'],
    numbered => ['id INTEGER PRIMARY KEY, name TEXT, email TEXT', ''],
    unique => ["id $key PRIMARY KEY, name TEXT, email TEXT UNIQUE", ''],
    partly => ["id $key PRIMARY KEY, name TEXT, email TEXT", ''],
    family => ["id $key PRIMARY KEY, name TEXT, email $key REFERENCES batchless_order_family (id)", ''],
    watched => ["id $key PRIMARY KEY, name TEXT, email TEXT", ''],
    counted => [driver() eq 'pgsql' ? "seq SERIAL PRIMARY KEY, id $key UNIQUE, name TEXT, email TEXT" : "seq INTEGER PRIMARY KEY, id $key UNIQUE, name TEXT, email TEXT", ''],
    matched => ["id $key PRIMARY KEY, name TEXT, email TEXT", 'BatchMatch email'],
);
# Keys of different spelling may be one row's, and what is unique is not only the key.
my %odd = (
    folded => [($pgsql ? 'id TEXT COLLATE batchless_folds' : 'id TEXT COLLATE NOCASE') . ' PRIMARY KEY, name TEXT, email TEXT', ''],
    decimal => [($pgsql ? 'id NUMERIC' : 'id REAL') . ' PRIMARY KEY, name TEXT, email TEXT', ''],
    padded => [($pgsql ? 'id CHAR(12)' : 'id NUMERIC') . ' PRIMARY KEY, name TEXT, email TEXT', ''],
    otherwise => ["id $key PRIMARY KEY, name TEXT, email TEXT", ''],
    lone => ["id $key, organization_id TEXT, name TEXT, email TEXT, PRIMARY KEY (organization_id, id)", 'BatchScope organization_id'],
);
my %is_sorted = map { $_ => 1 } qw(plain scoped numbered);

sub drop { return map {"DROP TABLE IF EXISTS batchless_order_$_"} sort keys %tables, keys %odd }

END {
    eval {
        sql(drop(), 'DROP TABLE IF EXISTS batchless_order_log');
        sql('DROP FUNCTION IF EXISTS batchless_order_note()', 'DROP COLLATION IF EXISTS batchless_folds') if $pgsql;
    }
}

sql(drop());
sql("CREATE COLLATION batchless_folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)") if $pgsql;
sql(map {"CREATE TABLE batchless_order_$_ (" . ($tables{$_} || $odd{$_})->[0] . ')'} sort keys %tables, keys %odd);
sql('CREATE UNIQUE INDEX batchless_order_other ON batchless_order_otherwise (id COLLATE ' . ($pgsql ? 'batchless_folds' : 'NOCASE') . ')',
    "CREATE UNIQUE INDEX batchless_order_default ON batchless_order_lone (organization_id) WHERE email = 'default'");
sql('CREATE UNIQUE INDEX batchless_order_some ON batchless_order_partly (email) WHERE name IS NOT NULL');
sql('CREATE TABLE batchless_order_log (id TEXT)');
if (driver() eq 'pgsql') {
    sql("CREATE FUNCTION batchless_order_note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO batchless_order_log VALUES (NEW.id); RETURN NULL; END'",
        'CREATE TRIGGER batchless_order_watch AFTER INSERT ON batchless_order_watched FOR EACH ROW EXECUTE FUNCTION batchless_order_note()');
}
else {
    sql('CREATE TRIGGER batchless_order_watch AFTER INSERT ON batchless_order_watched BEGIN INSERT INTO batchless_order_log VALUES (NEW.id); END');
}
configure(map { ("<BatchResource $_>", "BatchTable batchless_order_$_", 'BatchKey id client', ($tables{$_} || $odd{$_})->[1] || (), 'BatchColumn name text', 'BatchColumn email text',
    'BatchActions merge overwrite delete', '</BatchResource>') } sort keys %tables, keys %odd);
tolerate_log(qr/batchless_order/);
server_stop();
ok(server_start(), 'resources whose rows can see each other, and others whose cannot') or BAIL_OUT('the server does not start');

# Items whose keys come in no order; each is long enough for some of them to be in a file.
sub items
{
    my ($resource) = @_;
    return map {
        my $n = $_ * 7919 % 10_007;
        {id => $resource eq 'numbered' ? $n : $resource =~ /decimal|padded/ ? "$n" : sprintf('k%05d', $n), name => "name $_ " . 'x' x 100, email => $resource eq 'family' ? undef : "m$_"}
    } 1 .. $count;
}

# As the members of a CSV file come back, in the order of the sample's columns.
sub csv { return join '', "id,name,email\r\n", map {"$_->{id},$_->{name}," . ($_->{email} // '#N/A') . "\r\n"} @_ }

sub stored_ordinals
{
    my ($batch) = @_;
    my @segments = rows("SELECT data FROM batch_items WHERE job = (SELECT seq FROM batch_jobs WHERE id = '$batch->{id}') ORDER BY first_item");
    return map { $_->{data} =~ /(?:^|[,~])(\d+)\.\d+\.2;/g } @segments;
}

foreach my $resource (sort keys %tables) {
    my @items = items($resource);
    my $answer = request('POST', "/batches?action=merge&resource=$resource", body => $json->encode(\@items), type => 'application/json');
    is($answer->status, 202, "$resource: a large array") or diag($answer->body);
    my $batch = resource_final($answer->json->{data});
    is_result($batch, 'completed', {created => $count}, "$resource: all of it is applied");
    my @by_key = $resource eq 'numbered' ? sort { $items[$a]{id} <=> $items[$b]{id} } 0 .. $#items : sort { $items[$a]{id} cmp $items[$b]{id} } 0 .. $#items;
    is_deeply([stored_ordinals($batch)], $is_sorted{$resource} ? \@by_key : [0 .. $#items], $is_sorted{$resource} ? "$resource: in the order of the keys" : "$resource: as it was sent")
        if $resource ne 'matched';
    is_deeply($json->decode(file_of($batch, 'upload_json')->body), [map { {%$_, id => "$_->{id}"} } @items], "$resource: the upload is as it was sent")
        if $resource ne 'numbered';
    my $file = file_of($batch, 'upload_csv')->body;
    ok($file eq csv(@items), "$resource: also as CSV") or diag(substr $file, 0, 300);
}
is(value('SELECT count(*) FROM batchless_order_log'), $count, 'a trigger has seen each row');

foreach my $resource (sort keys %odd) {
    my $batch = resource_final(request('POST', "/batches?action=merge&resource=$resource", body => $json->encode([items($resource)]), type => 'application/json')->json->{data});
    is_result($batch, 'completed', {created => $count}, "$resource: a large array");
    is_deeply([stored_ordinals($batch)], [0 .. $count - 1], "$resource: as it was sent");
}

# The table is looked at again for each such file.
sql('CREATE UNIQUE INDEX batchless_order_later ON batchless_order_plain (email)');
my $now = resource_final(request('POST', '/batches?action=merge&resource=plain', body => $json->encode([items('plain')]), type => 'application/json')->json->{data});
is_deeply([stored_ordinals($now)], [0 .. $count - 1], 'an index that was made while the server ran: as it was sent');
sql('DROP INDEX batchless_order_later');

# What is refused says where it stood.
my @items = items('plain');
$_->{name} = 'never' for @items[17, 3000, 5];
my $lines = join '', map { $json->encode($_) . "\n" } @items;
my $batch = resource_final(request('POST', '/batches?action=merge&resource=plain', body => $lines, type => 'application/x-ndjson')->json->{data});
is_result($batch, 'completed', {updated => $count - 3, errors => 3}, 'a file with rows that the database refuses');
my $errors = $json->decode(file_of($batch, 'errors_json')->body);
is_deeply([map {"$_->{index} $_->{line} $_->{id}"} @$errors], [map { "$_ " . ($_ + 1) . " $items[$_]{id}" } 5, 17, 3000], 'names their places in the file, in order');

# Which of two rows gets a value that only one can have is decided by the file. (On PostgreSQL, which
# changes many rows by one statement, it may be either.)
sql('DELETE FROM batchless_order_unique');
@items = items('unique');
my ($low, $high) = sort { $items[$a]{id} cmp $items[$b]{id} } 100, 200;
@items[100, 200] = @items[$high, $low] if $low == 100;
$items[200]{email} = $items[100]{email};
$batch = resource_final(request('POST', '/batches?action=merge&resource=unique', body => $json->encode(\@items), type => 'application/json')->json->{data});
is_result($batch, 'completed', {created => $count - 1, errors => 1}, 'two rows that want one value');
is(value("SELECT id FROM batchless_order_unique WHERE email = '$items[100]{email}'"), $items[100]{id}, 'the first one has it, though its key is the higher one')
    if driver() eq 'sqlite3';

# An overwrite and a signed upload.
@items = items('scoped');
my $waiting = post_batches({action => 'overwrite', resource => 'scoped'})->json->{data};
sql("INSERT INTO batchless_order_scoped VALUES ('old', 'acme', 'old', NULL), ('old', 'globex', 'old', NULL)");
is(upload($waiting, body => csv(@items), type => 'text/csv')->status, 202, 'an upload by a signed URL');
$batch = resource_final($waiting);
is_result($batch, 'completed', {updated => $count, overwritten => 1}, 'overwrites');
isnt(join(' ', (stored_ordinals($batch))[0 .. 5]), '0 1 2 3 4 5', 'in the order of the keys');
is(value("SELECT count(*) FROM batchless_order_scoped WHERE id = 'old'"), 1, 'what was not named is gone, but for that of others');
ok(file_of($batch, 'upload_csv')->body eq csv(@items), 'and the upload is what was sent');

unconfigure();
server_stop();
ok(server_start(), 'the server as it was');
finish();
