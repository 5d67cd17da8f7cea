#!/bin/sh
# Process 1 on the root: runs the one command, writes its status, and ends the machine.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
ip link set lo up
for port in /sys/class/virtio-ports/*; do
  [ -e "$port/name" ] || continue
  ln -s "/dev/${port##*/}" "/run/port.$(cat "$port/name")"
done
# A process of the command that is still running must not keep the machine.
(setsid sh /run/machine/command.sh </dev/null >/run/port.out 2>/run/port.err)
echo "$?" > /run/machine/status
sync -f /run/machine/status
[ -w /proc/sysrq-trigger ] && echo b > /proc/sysrq-trigger
busybox poweroff -f
sleep 60
