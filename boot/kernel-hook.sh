#!/bin/sh
# Called by hooks of Debian's kernel packages and of update-initramfs (docs/boot.md): what changed in /boot goes to the boot partition. Whatever becomes of
# it, the package is not broken by it: what booted last still boots, and what went wrong is said.

imprint=${IMPRINT_COMMAND:-/usr/bin/imprint}
process_root=${IMPRINT_PROCESS_ROOT:-/proc/1/root}
command_line=${IMPRINT_COMMAND_LINE:-/proc/cmdline}

[ -x "$imprint" ] || exit 0
# A chroot, or a container, is not what this machine boots.
[ "$(stat -L -c %d:%i / 2>/dev/null)" = "$(stat -L -c %d:%i "$process_root/." 2>/dev/null)" ] || exit 0
# Nor a system that another boot loader started.
grep -q 'imprint\.slot=' "$command_line" 2>/dev/null || exit 0
# dpkg keeps its own business on descriptor 3 (debconf).
"$imprint" boot refresh --yes --quiet 3>&- >&2 </dev/null ||
  echo "imprint: the new kernel, or its initial RAM disk, does not boot yet; after mending it: imprint boot refresh" >&2
exit 0
