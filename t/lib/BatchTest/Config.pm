# Where the server under test is: what t/run-suite and Apache::Test have decided.
package BatchTest::Config;

use strict;
use warnings;

use Exporter 'import';

use Apache::Test ();

our @EXPORT = qw(var driver mpm work_folder);

my $vars = Apache::Test::vars();

# A variable of Apache::Test: port, t_logs, t_conf, serverroot, httpd.
sub var { return $vars->{$_[0]} }

sub driver { return $ENV{BATCH_TEST_DRIVER} || 'sqlite3' }

sub mpm { return $ENV{BATCH_TEST_MPM} || 'event' }

# The folder of this run: conf/ (the sample's), module/, t/, var/.
sub work_folder { return $vars->{top_dir} }

1;
