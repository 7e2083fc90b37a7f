# Queries about a key that is an integer, as a BatchColumn declares it: it is compared, computed with
# and ordered as a number. Read as a text it is none: then most of these select nothing.
#
# needs: drivers
use strict;
use warnings;

use BatchTest;

my @tables = qw(batchless_counted batchless_forms);
END { eval { sql(map {"DROP TABLE IF EXISTS $_"} @tables) } }
sql((map {"DROP TABLE IF EXISTS $_"} @tables),
    'CREATE TABLE batchless_counted (id BIGINT PRIMARY KEY, organization_id TEXT NOT NULL, form_id TEXT, label TEXT)',
    'CREATE TABLE batchless_forms (id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, name TEXT)',
    "INSERT INTO batchless_forms VALUES ('counted', 'acme', 'Counted')",
    'INSERT INTO batchless_counted VALUES ' . join ', ', map {"($_, 'acme', 'counted', 'old')"} -5, 9, 10, 100);
configure(
    '<BatchResource count>', 'BatchTable batchless_counted', 'BatchKey id generated', 'BatchScope organization_id',
    'BatchForm form_id batchless_forms scope=organization_id name=name', 'BatchColumn id integer readonly', 'BatchColumn label text',
    'BatchActions update delete', '</BatchResource>'
);
tolerate_log(qr/batchless_/);
server_stop();
ok(server_start(), 'with a resource of such a key') or BAIL_OUT('the server does not start');

foreach my $case (
    ['_record_id > 9', '10 100'],
    ['_record_id = 10', '10'],
    ['_record_id + 0 < 10', '-5 9'],
    ['9 < _record_id', '10 100'],
    ['_record_id IN (9, 100)', '9 100'],
    ['_record_id BETWEEN 10 AND 200', '10 100'],
    ["_record_id::text = '10'", '10'],
    ['SELECT _record_id AS id FROM "Counted" ORDER BY _record_id DESC LIMIT 2', '10 100'],
    ['SELECT a._record_id AS id FROM "Counted" a JOIN "Counted" b ON b._record_id = a._record_id + 1', '9'],
    ['SELECT max(_record_id) AS id FROM "Counted"', '100']
    )
{
    my ($query, $wanted) = @$case;
    sql("UPDATE batchless_counted SET label = 'old'");
    my $batch = finished(create(operation(resource => 'count', form_id => 'counted', action => 'update', data => {label => 'set'}, query => $query)));
    is($batch->{status}, 'success', $query);
    is(join(' ', map { $_->{id} } rows("SELECT id FROM batchless_counted WHERE label = 'set' ORDER BY id")), $wanted, 'selects the rows');
}
# Numbers of the request, in any spelling, are ids of the same rows.
sql("UPDATE batchless_counted SET label = 'old'");
my $batch = finished(create(operation(resource => 'count', form_id => 'counted', action => 'update', data => {label => 'set'}, ids => [100, '0100', '-05', '9x', 7])));
is_batch_counts($batch, ['success', 4, 2, 2], 'by ids');
is(join(' ', map { $_->{id} } rows("SELECT id FROM batchless_counted WHERE label = 'set' ORDER BY id")), '-5 100', 'the rows');

unconfigure();
server_stop();
sql(map {"DROP TABLE $_"} @tables);
ok(server_start(), 'as before');

finish();
