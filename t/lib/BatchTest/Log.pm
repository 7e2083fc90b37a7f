# The error log of the server under test: what has been watched, and what is bad.
package BatchTest::Log;

use strict;
use warnings;

use Exporter 'import';
use Fcntl qw(SEEK_SET);

our @EXPORT = qw(log_size log_text log_watched line_is_bad line_is_crash);

sub _path { return "$ENV{BATCH_SUITE}/t/logs/error_log" }

sub log_size { return -s _path() || 0 }

# The log from that byte on.
sub log_text
{
    my ($begin) = @_;
    open my $file, '<:raw', _path() or return '';
    seek $file, $begin, SEEK_SET;
    local $/;
    return <$file> // '';
}

# How far the log has been watched by the files so far; with an argument, sets it.
sub log_watched
{
    my ($end) = @_;
    my $path = _path() . '.watched';
    if (defined $end) {
        open my $file, '>', $path or die "$path: $!\n";
        print {$file} $end;
        close $file or die "$path: $!\n";
        return $end;
    }
    open my $file, '<', $path or return 0;
    return <$file> || 0;
}

# Level warn or above, a child that a signal ended, or a line that httpd did not write.
sub line_is_bad
{
    my ($line) = @_;
    return 0 if $line !~ /\S/;
    return 1 if line_is_crash($line) || $line =~ /exit signal/;
    my ($level) = $line =~ /^\[[^\]]+\] \[[^:\]]*:(\w+)\] \[pid \d+/ or return 1;
    return $level =~ /^(?:emerg|alert|crit|error|warn)$/ ? 1 : 0;
}

# Never to be announced by a test.
sub line_is_crash
{
    my ($line) = @_;
    return $line =~
        /exit\ signal\ (?!Killed)
        |AddressSanitizer|LeakSanitizer|runtime\ error:|UndefinedBehavior
        |stack\ smashing|double\ free|corrupted|free\(\):\ invalid|malloc\(\)|assertion/xi
        ? 1
        : 0;
}

1;
