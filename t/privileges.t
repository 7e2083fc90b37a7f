# PostgreSQL's privileges: with those that docs/installation.md grants all works; an action that lacks one
# is out of service, alone, instead of failing each of its items.
#
# needs: nothing; takes: waiting
use strict;
use warnings;

use BatchTest;

plan skip_all => 'SQLite has no roles' if driver() ne 'pgsql';

my @ids = record_ids(20);

sub clean
{
    sql(q(DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'batch_web') THEN)
            . q( DROP OWNED BY batch_web CASCADE; DROP ROLE batch_web; END IF; END $$));
    return;
}
END { eval { clean() } if driver() eq 'pgsql' }
clean();

# The statements of the page, with names of our own.
open my $page, '<', "$ENV{BATCH_SUITE}/docs/installation.md" or die "docs/installation.md: $!\n";
my ($block) = do { local $/; <$page> } =~ /```sql\n(CREATE ROLE .*?)```/s or die "no CREATE ROLE in docs/installation.md\n";
$block =~ s/CREATE SCHEMA batch AUTHORIZATION batch/CREATE SCHEMA batch_web AUTHORIZATION batch_web/;
$block =~ s/\b(ROLE|TO) batch\b/$1 batch_web/g;
run_sql($block);
# And for what the sample has besides.
sql('GRANT SELECT, INSERT, UPDATE ON shipments, trackers, assets TO batch_web');
configure(qq(BatchDBDParams "$ENV{BATCH_TEST_PARAMS} user=batch_web options='-csearch_path=batch_web,public'"));
server_stop();
# The module's own tables are to be in the role's schema: none may be found before it.
sql('DROP TABLE IF EXISTS ' . join(', ', map { $_->{name} } rows("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_name LIKE 'batch\\_%'")) . ' CASCADE');
my $before = log_size();
ok(server_start(), 'httpd with the role of docs/installation.md');
unlike(log_text($before), qr/MB0205/, 'nothing is out of service');

sub is_out
{
    my ($answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($answer->status, 503, "$name: 503") or diag($answer->body);
    like($answer->header('Retry-After') // '', qr/^[1-9]\d*$/, "$name: with Retry-After");
    unlike($answer->body, qr/permission|denied|batch_web/, "$name: names no privilege");
    return;
}

# Every action of both APIs, each with the privileges of the page.
sub all_work
{
    my ($name) = @_;
    foreach my $mode (qw(sync mixed)) {
        my $answer = post_batches({%{merge('contact', [{name => "$name $mode"}])}, mode => $mode});
        is_result(resource_final($answer->json->{data}), 'completed', {created => 1}, "$name, $mode: merge");
    }
    my @contacts = contacts("name = '$name sync'");
    is_result(run_batch(removal('contact', [{id => $contacts[0]{id}}])), 'completed', {deleted => 1}, "$name: delete");
    my $groups = value("SELECT count(*) FROM groups WHERE organization_id = 'acme'");
    is_result(
        run_batch(overwrite('group', [{name => $name, resource => 'contact'}])),
        'completed', {created => 1, overwritten => $groups}, "$name: overwrite"
    );
    is_batch_counts(finished(create(update_ids({status => $name}, @ids[0, 1]))), ['success', 2, 2, 0], "$name: update");
    is_batch_counts(finished(create(operation(query => "_status = '$name'"))), ['success', 2, 2, 0], "$name: delete by a query");
    restore();
    return;
}
all_work('granted');

# ---- One privilege less --------------------------------------------------------------------------

# [the privilege, table, what needs it as [name, request], what does not]
my @cases = (
    ['INSERT', 'contacts', [merge => sub { post_batches(merge('contact', [{name => 'p'}])) }, sub { synchronous(merge('contact', [{name => 'p'}])) }],
        sub { run_batch(removal('contact', [{id => 'c0010000-71b9-4000-8000-0242ac120002'}])) }],
    ['UPDATE', 'contacts', [merge => sub { synchronous(merge('contact', [{id => 'c0020000-71b9-4000-8000-0242ac120002', notes => 'p'}])) }],
        sub { run_batch(removal('contact', [{id => 'c0010000-71b9-4000-8000-0242ac120002'}])) }],
    ['DELETE', 'contacts', [delete => sub { synchronous(removal('contact', [{id => 'c0010000-71b9-4000-8000-0242ac120002'}])) }],
        sub { run_batch(merge('contact', [{name => 'p'}])) }],
    ['DELETE', 'groups', [overwrite => sub { post_batches(overwrite('group', [{name => 'p', resource => 'contact'}])) }],
        sub { run_batch(merge('group', [{name => 'p', resource => 'contact'}])) }],
    ['SELECT', 'groups', [merge => sub { synchronous(merge('group', [{name => 'p', resource => 'contact'}])) }], undef],
    ['DELETE', 'records', [delete => sub { post_batch(delete_ids($ids[3])) }], sub { finished(create(update_ids({status => 'p'}, $ids[3]))) }],
    ['UPDATE', 'records', [update => sub { post_batch(update_ids({status => 'p'}, $ids[3])) }], sub { finished(create(delete_ids($ids[3]))) }],
    ['SELECT', 'forms', [delete => sub { post_batch(delete_ids($ids[3])) }], undef],
);
# configtest says the same, and refuses nothing.
sql('REVOKE DELETE ON groups FROM batch_web');
my $said = `@{[var('httpd')]} -t -d @{[var('serverroot')]} -f @{[var('t_conf_file')]} 2>&1`;
is($?, 0, 'configtest where a privilege is lacking exits with 0') or diag($said);
like($said, qr/:crit\].*MB0205: [^\n]*: \S+batch-resources\.conf:\d+: <BatchResource group>: BatchActions, overwrite, delete: role "batch_web" lacks the privilege DELETE on table "groups"/,
    'and says which, with file and line');
sql('GRANT DELETE ON groups TO batch_web');

foreach my $case (@cases) {
    my ($privilege, $table, $needs, $other) = @$case;
    my ($action, @requests) = @$needs;
    sql("REVOKE $privilege ON $table FROM batch_web");
    server_graceful();
    expect_log(qr/:crit\].*MB0205: .*<BatchResource \w+>: \w+(?:, .*)?: role "batch_web" lacks the privilege $privilege on table "$table"/);
    is_out($_->(), "$action without $privilege on $table") for @requests;
    like($other->()->{status}, qr/^(?:completed|success)$/, 'another action of the resource works') if $other;
    is_result(run_batch(merge('tracker', [{tracking_number => "$privilege $table"}])), 'completed', {created => 1}, 'another resource, too');
    sql("GRANT $privilege ON $table TO batch_web");
    wait_for("$action to be in service", sub { my $answer = $requests[0]->(); $answer->status < 300 && finished_any($answer) });
    pass("$action works when it is granted, without a restart");
    restore();
}

sub finished_any
{
    my ($answer) = @_;
    return $answer->json->{batch} ? finished($answer->json->{batch}) : resource_final($answer->json->{data});
}
all_work('granted again');

# ---- Taken away while a batch runs ---------------------------------------------------------------

tolerate_log(qr/MB0111: \S+:\d+: <BatchResource \w+> is out of service/, qr/MB0113: \S+:\d+: <BatchResource tracker>/);
on_table('trackers', sub { slow_trigger('INSERT') });
my $batch = accepted(merge('tracker', [map { {tracking_number => "R$_"} } 1 .. 100]));
wait_for('a chunk', sub { value("SELECT count(*) FROM trackers WHERE tracking_number LIKE 'R%'") > 0 });
sql('REVOKE INSERT ON trackers FROM batch_web');
expect_log(qr/:crit\].*MB0111: \S+:\d+: <BatchResource tracker> is out of service \(merge\) .*lacks the privilege INSERT/);
wait_for('it to be noticed', sub { log_text($before) =~ /MB0111: [^\n]*privilege INSERT on table "trackers"/ });
my $now = resource_batch($batch);
is($now->{status}, 'processing', 'its batch waits');
is($now->{stats}{errors}, 0, 'and blames no item');
is_result(run_batch(merge('contact', [{name => 'beside'}])), 'completed', {created => 1}, 'others go on');
sql('GRANT INSERT ON trackers TO batch_web');
let_go();
is_result(resource_final($batch), 'completed', {created => 100}, 'and goes on when it is granted');
drop_triggers();
restore();

# ---- What a trigger may not ----------------------------------------------------------------------

# A function runs as whoever changes the row.
sql('CREATE TABLE test_audit (entry TEXT)');
on_table('trackers', sub { trigger('test_audited', 'AFTER', 'INSERT', "INSERT INTO test_audit VALUES ('x')") });
is_out(synchronous(merge('tracker', [{tracking_number => 'A0'}])), 'sync, where a trigger lacks a privilege');
expect_log(qr/:crit\].*MB0113: \S+:\d+: <BatchResource tracker> is out of service \(merge\).*permission denied for table test_audit/);
is_out(post_batches(merge('tracker', [{tracking_number => 'A1'}])), 'and mixed, for a while');
is_result(run_batch(merge('contact', [{name => 'beside a trigger'}])), 'completed', {created => 1}, 'others go on');
sql('GRANT INSERT ON test_audit TO batch_web');
wait_for('it to be tried again', sub { synchronous(merge('tracker', [{tracking_number => 'A0'}]))->status == 201 });
pass('it is tried again by itself');
sql('REVOKE INSERT ON test_audit FROM batch_web');
my $waits = accepted(merge('tracker', [map { {tracking_number => "W$_"} } 1 .. 5]));
wait_for('the worker to give it back', sub { log_text($before) =~ /MB0412: \[batch $waits->{id} processing\] let go/ });
is(resource_batch($waits)->{stats}{errors}, 0, 'a batch that was accepted waits, too');
sql('GRANT INSERT ON test_audit TO batch_web');
is_result(resource_final($waits), 'completed', {created => 5}, 'and goes on');
drop_triggers();

# What a trigger says of a row, in the same SQLSTATE, is that row's error.
on_table('trackers', sub { trigger('test_says', 'BEFORE', 'INSERT', "RAISE insufficient_privilege USING MESSAGE = 'not this one'", "NEW.tracking_number = 'S1'") });
is_result(run_batch(merge('tracker', [map { {tracking_number => "S$_"} } 1 .. 3])), 'completed', {created => 2, errors => 1}, 'a row that a trigger does not allow');
drop_triggers();

unconfigure();
server_stop();
ok(server_start(), 'as before');
clean();
finish();
