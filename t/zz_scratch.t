use strict; use warnings; use BatchTest; use Time::HiRes qw(time);
tolerate_log(qr/MB/);
sql('DROP TABLE IF EXISTS batchless_z');
sql('CREATE TABLE batchless_z (id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, name TEXT NOT NULL, notes TEXT)');
configure('<BatchResource z>','BatchTable batchless_z','BatchKey id generated','BatchScope organization_id','BatchMatch name','BatchColumn name text required','BatchColumn notes text','BatchActions merge overwrite delete','</BatchResource>');
server_stop(); ok(server_start(),'up');
# F
for my $r (1..6) {
  sql('DELETE FROM batchless_z');
  my @a = parallel([map { request_text('POST','/batches', json => {%{merge('z',[map { {name=>"n $_", notes=>"x"} } 1..50])}, mode=>'sync'}) } 1..8]);
  my ($c,$d) = map { value($_) } 'SELECT count(*) FROM batchless_z', 'SELECT count(DISTINCT name) FROM batchless_z';
  is("$c/$d", '50/50', "F $r: ".join ' ', map { $_->status } @a);
}
# E
sql('DELETE FROM batchless_z');
on_table('batchless_z', sub { slow_trigger('INSERT', 1800) });
my $t = time;
my @a = parallel([request_text('POST','/batches', json => {%{overwrite('z',[map { {name=>"o $_"} } 1..18])}, mode=>'sync'}), request_text('POST','/batches', json => {%{merge('z',[{name=>'late'}])}, mode=>'sync'})]);
diag(sprintf 'E %.1f s: %s', time-$t, join ' | ', map { $_->status.' '.substr($_->body,0,150) } @a);
# stop while waiting
my $pid = fork; if (!$pid) { my @b = parallel([map { request_text('POST','/batches', json => {%{overwrite('z',[map { {name=>"o $_"} } 1..18])}, mode=>'sync'}) } 1..4]); diag(join ' | ', map { $_->status.' '.substr($_->body,0,150) } @b); require POSIX; POSIX::_exit(0) }
sleep 1; $t = time; server_stop(); diag(sprintf 'stop took %.1f s', time-$t); waitpid $pid,0;
drop_triggers();
server_start();
diag join "\n", map { join ' ', map { $_//'-' } %$_ } rows("SELECT id, api, status, queued_at, lease_until FROM batch_jobs WHERE api='none' OR status IN ('queued','processing')");
on_table('batchless_z', sub { slow_trigger('INSERT', 1800) });
# stop while in line behind a mixed one
my $slow = accepted(overwrite('z',[map { {name=>"o $_"} } 1..30]));
wait_for('p', sub { resource_batch($slow)->{status} eq 'processing' });
$pid = fork; if (!$pid) { my @b = parallel([map { request_text('POST','/batches', json => {%{overwrite('z',[map { {name=>"o $_"} } 1..18])}, mode=>'sync'}) } 1..4]); diag(join ' | ', map { $_->status.' '.substr($_->body,0,150) } @b); require POSIX; POSIX::_exit(0) }
wait_for('line', sub { value("SELECT count(*) FROM batch_jobs WHERE api='none'") >= 4 });
$t = time; server_stop(); diag(sprintf 'stop in line took %.1f s', time-$t); waitpid $pid,0;
diag 'left in line: '.value("SELECT count(*) FROM batch_jobs WHERE api='none'");
drop_triggers();
server_start();
$t=time; my $b = run_batch(merge('z',[{name=>'after'}])); diag(sprintf 'batch behind dead line: %.1f s %s', time-$t, $b->{status});
sql('DROP TABLE batchless_z'); unconfigure(); server_stop(); server_start(); finish();
