#!/bin/sh
# Boots the Debian in folder $1 with its own systemd, in the namespaces that the caller has made: of processes, mounts, host
# name, messages, network and cgroups. /sys and /proc/sys are for reading, so that nothing of this machine is changed.
# Ends with 99 where a container does not let it.
set -e
root=$1
mount --bind "$root" "$root" || exit 99
mount -t proc proc "$root/proc" || exit 99
mount --bind "$root/proc/sys" "$root/proc/sys" && mount -o remount,bind,ro "$root/proc/sys" || exit 99
mount -t sysfs -o ro sysfs "$root/sys" || exit 99
cgroup=$root/sys/fs/cgroup
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
	mount -t cgroup2 cgroup2 "$cgroup" || exit 99
else
	mount -t tmpfs tmpfs "$cgroup"
	mkdir "$cgroup/systemd"
	mount -t cgroup -o none,name=systemd cgroup "$cgroup/systemd" || exit 99
	for controller in devices memory pids; do
		mkdir "$cgroup/$controller"
		mount -t cgroup -o "$controller" cgroup "$cgroup/$controller" || exit 99
	done
fi
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
# What the sandbox is tried with stands beside what every program needs. A node without a driver answers otherwise than one that
# is forbidden.
while read -r name kind major minor; do
	mknod -m 666 "$root/dev/$name" "$kind" "$major" "$minor" || exit 99
done <<END
null c 1 3
zero c 1 5
full c 1 7
random c 1 8
urandom c 1 9
tty c 5 0
ttyS77 c 4 141
ttyUSB77 c 188 77
ttyACM77 c 166 77
fb31 c 29 31
dri63 c 226 63
event99 c 13 99
snd99 c 116 99
mem c 1 1
kmsg c 1 11
disk b 7 200
END
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target
