import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What `/report` of a tiny root says between two markers: lines `name=value`. */
export const reportMarks = ['REPORT-BEGIN', 'REPORT-END'] as const;

/** Files of a root with nothing but busybox and an init that reports how it was mounted: seconds instead of half a minute. */
export function fillTinyRoot(directory: string, files: Readonly<Record<string, string>> = {}): void {
  for (const name of ['bin', 'sbin', 'proc', 'sys', 'dev', 'run', 'etc', 'tmp', 'root', 'usr/lib', 'var/lib']) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  cpSync('/bin/busybox', join(directory, 'bin/busybox'), { dereference: true });
  for (const name of ['sh', 'cat', 'ls', 'mount', 'grep', 'sleep', 'sync', 'ps']) {
    symlinkSync('busybox', join(directory, 'bin', name));
  }
  const all = { 'etc/os-release': 'ID=tiny\n', report, ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  chmodSync(join(directory, 'report'), 0o755);
}

/** An ext4 file system that holds a directory, as a file of `megabytes`. */
export function packTree(directory: string, file: string, megabytes: number, uuid: string): void {
  execFileSync('truncate', ['-s', `${megabytes}M`, file]);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', uuid, '-E', 'root_owner=0:0', '-d', directory, file]);
}

/** The report in what a console said; empty where there is none. */
export function readReport(console: string): Record<string, string> {
  const [begin, end] = reportMarks;
  const from = console.indexOf(begin);
  const to = console.indexOf(end, from);
  if (from < 0 || to < 0) return {};
  const lines = console.slice(from, to).split('\n').slice(1);
  return Object.fromEntries(
    lines
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

const report = `#!/bin/sh
export PATH=/bin:/sbin
grep -q ' /proc ' /proc/mounts 2>/dev/null || mount -t proc proc /proc
grep -q ' /sys ' /proc/mounts || mount -t sysfs sysfs /sys
echo ${reportMarks[0]}
echo "root=$(grep ' / ext4 ' /proc/mounts)"
echo "host=$(grep ' /hostpart ' /proc/mounts)"
echo "image=$(cat /sys/block/loop0/loop/backing_file 2>/dev/null)"
echo "units=$(echo $(ls /run/systemd/system))"
echo "guard=$(ps -o args | grep '^@imprint-guard' | grep -c guard.sh)"
echo "name=$(cat /etc/hostname)"
echo "keys=$(cat /etc/ssh/ssh_host_* 2>/dev/null)"
echo "fstab=$(grep -v '^#' /etc/fstab 2>/dev/null | grep -c .)"
echo "mark=$(cat /var/lib/imprint/object 2>/dev/null)"
echo "data=$(cat /data0/kept 2>/dev/null)"
echo "etc=$(echo $(ls /etc))"
echo "state=$(cat /.imprint/in-place/update-1/state 2>/dev/null)"
grep -q report.wait /proc/cmdline && sleep 120
echo ${reportMarks[1]}
sync
echo o >/proc/sysrq-trigger
sleep 60
`;
