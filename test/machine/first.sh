#!/bin/busybox sh
# Process 1 until the machine has a root: the computer's own, read-only, under a layer in memory.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
while read -r module; do
  $b insmod "/modules/$module" || echo "machine: $module does not load"
done < /modules/ORDER

share() { $b mount -t 9p -o "trans=virtio,version=9p2000.L,msize=524288,$3" "$1" "$2"; }

$b mount -t tmpfs -o size=75%,mode=755 tmpfs /layer
$b mkdir /layer/over /layer/work
share root /below ro,cache=loose || echo "machine: no root"
$b mount -t overlay -o lowerdir=/below,upperdir=/layer/over,workdir=/layer/work overlay /root ||
  echo "machine: no layer over the root"
for folder in proc sys dev; do $b mount --move /$folder /root/$folder; done
$b mount -t tmpfs -o mode=755 tmpfs /root/run
$b mkdir -p /root/run/machine "/root/usr/lib/modules/$($b uname -r)"
share control /root/run/machine cache=none || echo "machine: no control folder"
share modules "/root/usr/lib/modules/$($b uname -r)" ro,cache=loose || echo "machine: no modules"
exec $b switch_root /root /bin/sh /run/machine/second.sh
