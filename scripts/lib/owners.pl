# owners.pl asks the kernel who owns namespaces: ioctl_ns(2). It reads paths, such
# as /proc/1/ns/net, a line each, and prints for each namespace behind them, and for
# each above: number, type, number of the user namespace that owns it, and for a user
# namespace the user who made it. A - stands for what cannot be seen. compare.sh calls it.
use strict;
use warnings;

my ($type_of, $parent_of, $owner_of, $maker_of) = (0xb703, 0xb702, 0xb701, 0xb704);
my %name = (
    0x00000080 => 'time', 0x00020000 => 'mnt', 0x02000000 => 'cgroup',
    0x04000000 => 'uts',  0x08000000 => 'ipc', 0x10000000 => 'user',
    0x20000000 => 'pid',  0x40000000 => 'net',
);
my %seen;
my $nsfs = (stat '/proc/self/ns/user')[0];

# descriptor returns the answer of an ioctl that opens another namespace.
sub descriptor {
    my $fd = ioctl($_[0], $_[1], 0) or return;
    open(my $file, '<&=', $fd) or return;
    return $file;
}

# tell prints what there is to say about a namespace, once.
sub tell_of {
    my ($file) = @_;
    my $number = (stat $file)[1];
    return $number if $seen{$number}++;
    my $type = $name{ioctl($file, $type_of, 0) || 0} || 'other';
    my $owner = descriptor($file, $owner_of);
    my $above = $owner ? tell_of($owner) : '-';
    my $maker = '-';
    if ($type eq 'user') {
        my $uid = pack 'L', 0;
        $maker = unpack 'L', $uid if ioctl($file, $maker_of, $uid);
    }
    print "$number $type $above $maker\n";
    my $parent = $type eq 'pid' && descriptor($file, $parent_of);
    tell_of($parent) if $parent;
    return $number;
}

while (my $path = <STDIN>) {
    chomp $path;
    # Somebody may have put another file there: it is looked at before it is
    # opened, O_PATH, and then it is that one which is opened.
    sysopen(my $name, $path, 0x200000) or next;
    next unless ((stat $name)[0] // -1) == $nsfs;
    open(my $file, '<', '/proc/self/fd/' . fileno $name) or next;
    tell_of($file);
}
