# What the guards (t/check_*) share. A guard looks at the source text only, builds nothing, and speaks TAP.
#
#   t/check_NAME [ROOT]      ROOT: the tree to look at (default: the one that the guard is in)
package BatchGuard;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Find qw(find);

our @EXPORT = qw(root project_files source_files slurp complain functions rooms room_of);

my $root = abs_path($ARGV[0] // dirname(__FILE__) . '/../..');

sub root { return $root }

# The project's files, relative to the root: those that git tracks or would, else all that are not output.
sub project_files
{
    my @files;
    if (-e "$root/.git") {
        open my $git, '-|', 'git', '-C', $root, 'ls-files', '-z', '-co', '--exclude-standard'
            or die "git: $!\n";
        local $/ = "\0";
        chomp(@files = <$git>);
        close $git or die "git ls-files failed in $root\n";
    }
    else {
        find({
            no_chdir => 1,
            wanted   => sub {
                my $file = $_ eq $root ? q() : substr $_, length($root) + 1;
                $File::Find::prune = 1
                    if -d && $file =~ m{^(build|var|\.git|t/logs|t/htdocs)$|(^|/)node_modules$};
                push @files, $file if -f;
            }
        }, $root);
    }
    my %seen;
    return grep { -f "$root/$_" && !$seen{$_}++ } sort @files;
}

# The C files of the given folders.
sub source_files
{
    my @folders = @_;
    my $wanted  = join '|', map { quotemeta } @folders;
    return grep { m{^($wanted)/.*\.[ch]$} } project_files();
}

sub slurp
{
    my ($file) = @_;
    open my $in, '<:encoding(UTF-8)', "$root/$file" or die "$file: $!\n";
    local $/ = undef;
    return scalar <$in> // '';
}

# One test: no complaint. Each complaint begins with FILE:LINE.
sub complain
{
    my ($name, @complaints) = @_;
    my $good = Test::More::ok(!@complaints, $name);
    Test::More::diag($_) for @complaints;
    return $good;
}

# The functions that a C text defines, by the layout of .clang-format: [name, first line, last line, head].
# A head that goes over several lines begins where the line after a blank one or a comment does.
sub functions
{
    my @lines = split /\n/, $_[0];
    my @functions;
    my ($head, $start);
    for my $i (0 .. $#lines) {
        my $line = $lines[$i];
        if ($line =~ /^\{/ && defined $head && $head =~ /(\w+)\s*\(/ && $head !~ /^\s*(struct|enum|union|typedef)\b[^(]*$/) {
            my $end = $i;
            $end++ while $end < $#lines && $lines[$end] !~ /^\}/;
            my ($name) = $head =~ /(\w+)\s*\((?!\s*\()/;
            push @functions, [$name, $start + 1, $end + 1, $head];
            undef $head;
        }
        elsif ($line =~ /^[A-Za-z_]/) {
            ($head, $start) = defined $head ? ("$head $line", $start) : ($line, $i);
        }
        elsif ($line =~ /^\s+\S/ && defined $head) {
            $head .= " $line";
        }
        else {
            undef $head;
        }
        undef $head if $line =~ /[;}]\s*$/ || $line =~ /^#/;
    }
    return @functions;
}

# Room -> the rooms that it may know, beside its own and the vocabulary. '' is the module file.
my %below = (
    ''              => [qw(http config engine store)],
    http            => [qw(config payload engine store text)],
    config          => [qw(store text)],         # to compare resources with the tables
    query           => [qw(store text)],
    payload         => [qw(engine store text)],
    engine          => [qw(query store text)],
    # A driver knows the neutral part of the store and never another driver; nobody knows a driver.
    store           => [qw(text)],
    'store/sqlite3' => [qw(store text)],
    'store/pgsql'   => [qw(store text)],
    text            => [],
    vocabulary      => [],
);

sub rooms { return %below }

# The room of a file of the module, undef if it is in none. What lies beside the module file is the vocabulary, which
# all rooms may know.
sub room_of
{
    my ($file) = @_;
    my ($folder) = $file =~ m{^mod_batch/(?:(\w+(?:/\w+)?)/)?[^/]+$} or return undef;
    return $folder // ($file eq 'mod_batch/mod_batch.c' ? '' : 'vocabulary');
}

1;
