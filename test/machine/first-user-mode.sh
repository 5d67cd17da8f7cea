#!/bin/sh
# Process 1 of a user-mode kernel until it has a root: the computer's own, read-only, under a layer
# in memory. `machine`: the control folder on the computer.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o size=75%,mode=755 tmpfs /tmp
cd /tmp && mkdir below over work root
mount -t hostfs -o ro,hostfs=/ none below || echo "machine: no root"
mount -t overlay -o lowerdir=below,upperdir=over,workdir=work overlay root ||
  echo "machine: no layer over the root"
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
mount -t tmpfs -o mode=755 tmpfs run
mkdir run/machine run/old
mount -t hostfs -o "hostfs=$machine" none run/machine || echo "machine: no control folder"
for name in out err; do ln -s "machine/$name" "run/port.$name"; done
pivot_root . run/old
umount -l /run/old
exec /bin/sh /run/machine/second.sh
