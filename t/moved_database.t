# A database file that was moved away while httpd runs is missing, not empty: a new one in its place
# would take over the log of the old one, and destroy it when that comes back.
#
# needs: nothing
use strict;
use warnings;

use BatchTest;

plan skip_all => 'PostgreSQL has no such file' if driver() eq 'pgsql';

tolerate_log(qr/MB0101: /);

my $file = database_file();
my $pending = pending(delete_ids((record_ids(2))[0]));
my $records = table_hash('records');

rename $file, "$file.moved" or die "$file: $!\n";
is_error(request('GET', '/batch'), 503, 'without its file the database cannot serve a list');
is_error(request('POST', '/batch', json => {batch => {start => JSON::PP::false}}),
    503, 'nor a create');
ok(!-e $file, 'no other file is made in its place');
rename "$file.moved", $file or die "$file: $!\n";

is(request('GET', "/batch/$pending->{id}")->status, 200, 'when it is back, the batch is there');
is(table_hash('records'), $records, 'and so are the records');
is(value('PRAGMA integrity_check'), 'ok', 'and the database is sound');
is(start($pending)->status, 202, 'the batch can be started');
is_batch_counts(finished($pending), ['success', 1, 1, 0], 'and ends');
finish();
