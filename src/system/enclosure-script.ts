/**
 * What process 1 of an enclosure does (`enclosure.ts`): makes the mounts, says so, runs the command, and ends all that is left. Its mounts
 * are in a mount namespace of its own, so nothing of them outlives it, however it ends. POSIX sh; only tools of the machine itself are used, none of the
 * tree's.
 *
 * Arguments: the tree's root; where its `resolv.conf` lies and where a `policy-rc.d` goes, relative to it (empty: nowhere); the name of
 * the machine that it shall take itself for; the command. Number 3 is told what went wrong, or that all is ready; number 4 is a lock that lives as long as
 * anything in here does.
 */
export const enclosureScript = `unset imprint_enclosure
set -eu
umask 022
exec 5>&2 2>&3
root=$1 resolv=$2 policy=$3 name=$4
shift 4

# Also where the data directory lies on a file system that is mounted noexec. Devices of the tree do nothing: a grub-install, or a dd, in here
# must not reach a disk of this machine.
mount --bind "$root" "$root"
case $(findmnt -n -o PROPAGATION -M "$root" | tail -n 1) in
  *shared*)
    umount "$root"
    echo 'the mounts of this chroot are shared with the machine around it: mounts made here would be seen, and left, out there'
    exit 1 ;;
esac >&3
mount -o remount,bind,rw,suid,exec,nodev "$root"

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
# What is in these belongs to this machine's kernel.
for each in sys irq bus fs sysrq-trigger; do
  [ -e "$root/proc/$each" ] || continue
  mount --bind "$root/proc/$each" "$root/proc/$each"
  mount -o remount,bind,ro,nosuid,nodev,noexec "$root/proc/$each"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"

# No disk is in /dev.
mount -t tmpfs -o mode=755,nosuid,noexec,size=4m dev "$root/dev"
node() {
  mknod -m 666 "$root/dev/$1" c "$2" "$3" && return
  : > "$root/dev/$1"
  mount --bind "/dev/$1" "$root/dev/$1"
}
node null 1 3
node zero 1 5
node full 1 7
node random 1 8
node urandom 1 9
node tty 5 0
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mkdir "$root/dev/pts" "$root/dev/shm"
# This machine's, so that the terminal one sits at is known by name.
mount --bind /dev/pts "$root/dev/pts" || mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"

mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
mkdir -m 1777 "$root/run/lock"
# Packages that would call a boot loader ask here whether the machine is a real one (systemd-detect-virt).
mkdir -p "$root/run/host" "$root/run/imprint"
echo imprint > "$root/run/host/container-manager"
if [ -n "$resolv" ]; then
  if [ -e /etc/resolv.conf ]; then cat /etc/resolv.conf > "$root/run/imprint/resolv.conf"; else : > "$root/run/imprint/resolv.conf"; fi
  case $resolv in
    run/*)
      mkdir -p "$root/\${resolv%/*}"
      cp "$root/run/imprint/resolv.conf" "$root/$resolv" ;;
    *) mount --bind "$root/run/imprint/resolv.conf" "$root/$resolv" ;;
  esac
fi
if [ -n "$policy" ]; then
  printf '#!/bin/sh\\n# No service starts while an image is edited.\\nexit 101\\n' > "$root/run/imprint/policy-rc.d"
  chmod 755 "$root/run/imprint/policy-rc.d"
  mount --bind "$root/run/imprint/policy-rc.d" "$root/$policy"
fi
echo "$name" > /proc/sys/kernel/hostname

# Root in here may do what packages need, and nothing to the kernel or the clock.
without=--bounding-set=-sys_module,-sys_rawio,-sys_time,-sys_boot
if setpriv "$without" true 2> /dev/null; then set -- setpriv "$without" chroot "$root" "$@"; else set -- chroot "$root" "$@"; fi

echo imprint-ready >&3
exec 2>&5 3>&- 5>&-
status=0
"$@" 4>&- || status=$?

# What it left running gets a moment to end in good order; the kernel ends the rest with this process.
alone() {
  set -- "$root"/proc/[0-9]*
  [ $# -le 1 ]
}
if ! alone; then
  kill -TERM -1 2> /dev/null || :
  tries=0
  until alone || [ $tries -ge 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
fi
exit $status
`;
