/**
 * What a golden machine is asked, as one POSIX sh script for its standard input: it needs nothing there but a shell and
 * what every Linux has; a tool that is missing leaves its section empty. Each answer stands between marker lines.
 */

const marker = '@@imprint-section';

/** The questions, for a capture of the directory `$1`. Arguments come by `sh -s -- ROOT`. */
export const surveyScript = `
LC_ALL=C; export LC_ALL
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; export PATH
root=$1
s() { printf '\\n${marker} %s\\n' "$1"; }
s user; id -u
s root; if [ -d "$root" ]; then cd "$root" && pwd -P; fi
s tar; tar --version 2>&1 | head -n 1
s tar-help; tar --help 2>/dev/null
s find; find --version 2>&1 | head -n 1
s sudo; if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then echo yes; fi
s mountinfo; cat /proc/self/mountinfo
s swaps; cat /proc/swaps
s os-release; cat "$root/etc/os-release" 2>/dev/null || cat "$root/usr/lib/os-release" 2>/dev/null
s has-etc-usr; if [ -d "$root/etc" ] && [ -d "$root/usr" ]; then echo yes; fi
s hostname; cat /proc/sys/kernel/hostname
s kernel; uname -r
s architecture; uname -m
s firmware; if [ -d /sys/firmware/efi ]; then echo uefi; else echo bios; fi
s cmdline; cat /proc/cmdline
s clock; date +%s
s snapshot-tools; for t in unshare setsid mkfifo stat btrfs lvcreate fsfreeze losetup flock timeout; do command -v $t >/dev/null 2>&1 && echo $t; done
s lvs
if [ -e /sys/block/dm-0 ] && command -v lvs >/dev/null 2>&1; then
  q='lvs --noheadings --separator | --units b --nosuffix -a -o vg_name,lv_name,lv_kernel_major,lv_kernel_minor,lv_size,vg_free,vg_extent_size,lv_attr,pool_lv'
  if [ "$(id -u)" = 0 ]; then $q 2>/dev/null; else sudo -n $q 2>/dev/null; fi
fi
s loops; for d in /sys/block/loop*; do if [ -r "$d/loop/backing_file" ]; then read -r a < "$d/dev"; read -r b < "$d/loop/offset"; read -r c < "$d/loop/backing_file"; echo "$a $b $c"; fi; done
s capture-scripts; for f in /etc/imprint/pre-capture.d/* /etc/imprint/post-capture.d/*; do if [ -f "$f" ] && [ -x "$f" ]; then echo "$f"; fi; done
if [ "$root" = / ]; then
s df; df -l -P -k 2>/dev/null
s lsblk; lsblk --json --bytes --output-all 2>/dev/null
s sys-block
disks=
for d in /sys/block/*; do
  n=\${d##*/}
  case $n in loop*|ram*|zram*|sr*|fd*|dm-*|md*|nbd*|mtdblock*|'*') continue;; esac
  disks="$disks $n"
  echo "disk $n $(cat "$d/size") $(cat "$d/queue/logical_block_size") $(cat "$d/queue/rotational")"
  for p in "$d/$n"*; do
    if [ -e "$p/partition" ]; then
      echo "part $n \${p##*/} $(cat "$p/partition") $(cat "$p/start") $(cat "$p/size")"
    fi
  done
done
s sfdisk
for n in $disks; do
  if [ -r "/dev/$n" ]; then sfdisk --json "/dev/$n" 2>/dev/null; elif sudo -n true 2>/dev/null; then sudo -n sfdisk --json "/dev/$n" 2>/dev/null; fi
done
s fstab; cat /etc/fstab 2>/dev/null
s crypttab; cat /etc/crypttab 2>/dev/null
s meminfo; head -n 1 /proc/meminfo
s zram; for d in /sys/block/zram*; do n=\${d##*/}; if grep -q "^/dev/$n " /proc/swaps; then echo "$n $(cat "$d/disksize")"; fi; done
s md
for d in /sys/block/md*/md; do
  if [ -r "$d/level" ]; then
    n=\${d%/md}; n=\${n##*/}
    echo "md $n $(cat "$d/level") $(cut -d ' ' -f 1 "$d/raid_disks") $(cat "$d/metadata_version") $(cat "$d/chunk_size")"
    for m in "$d"/dev-*; do echo "member $n \${m##*/dev-} $(cat "$m/state")"; done
  fi
done
for l in /dev/md/*; do if [ -L "$l" ]; then t=$(readlink "$l"); echo "title \${l##*/} \${t##*/}"; fi; done
s lvm
if [ -e /sys/block/dm-0 ] && command -v lvs >/dev/null 2>&1; then
  f='--reportformat json --units b --nosuffix'
  if [ "$(id -u)" = 0 ]; then w=; else w='sudo -n'; fi
  $w vgs $f -o vg_name,vg_extent_size,vg_size,vg_free 2>/dev/null
  $w lvs $f -o vg_name,lv_name,lv_size,segtype,pool_lv 2>/dev/null
fi
fi
s end
`;

/** The answers by section; what stands before the first marker (a talkative login shell) is dropped. */
export function parseAnswers(text: string): Map<string, string> {
  const answers = new Map<string, string>();
  const parts = text.split(new RegExp(`\\n${marker} ([a-z-]+)\\n`));
  for (let index = 1; index + 1 < parts.length; index += 2) answers.set(parts[index] ?? '', parts[index + 1] ?? '');
  return answers;
}

/** The operands of `find` that list a tree: print everything; go no deeper than the mount points in `pruned` (relative, raw). */
export function findOperands(pruned: readonly string[], format: string): string[] {
  const tests = pruned.map((path) => ['-path', `./${path.replaceAll(/[*?[\\]/g, '\\$&')}`]);
  const prune = tests.flatMap((test, index) => (index === 0 ? test : ['-o', ...test]));
  return prune.length === 0
    ? ['-printf', format]
    : ['(', ...prune, ')', '-prune', '-printf', format, '-o', '-printf', format];
}

/** A word for any shell that takes single quotes (sh, bash, zsh, fish, and csh but for `!` and newlines). */
export function shellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
