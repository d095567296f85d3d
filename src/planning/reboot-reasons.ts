/** What an update in place changes, as far as it matters for whether the machine must restart. */
export interface InPlaceChanges {
  /** Paths that are put or removed, relative to the root, as people read them. */
  paths: Iterable<string>;
  /** Those of them that process 1 uses. */
  usedByInit?: readonly string[];
  /** Kernel that runs (`uname -r`), and that the new version boots. */
  runningKernel: string;
  newKernel: string;
  /** Whether the file of the kernel that runs, or its initial RAM disk, is another one. */
  kernelFileChanged: boolean;
}

/** What is never restarted while a system runs, or is used by nothing but its start, and what it is to people. */
const onlyByReboot: readonly [pattern: RegExp, reason: string][] = [
  [/^(usr\/)?bin\/dbus-(daemon|broker(-launch)?)$/, 'the message bus is another one, and it cannot be restarted'],
  [/^(usr\/)?lib\/firmware\/(intel|amd)-ucode\//, 'there is new microcode for the processor'],
  [
    /^(usr\/)?lib\/(x86_64|i386|aarch64|arm)-linux-\w+\/libc\.so\.6$|^(usr\/)?lib64\/libc\.so\.6$/,
    'the C library is another one, which every process uses',
  ],
  [/^(usr\/)?lib\/systemd\/systemd$/, 'systemd is another one'],
  [/^(usr\/)?s?bin\/init$/, 'init is another one, and only a start shows whether it starts'],
  [
    /^(usr\/)?(lib|etc)\/systemd\/system\/([^/]+\.(wants|requires|upholds)\/|[^/]+\.target(\.d\/|$))/,
    'other services start with the system, and only a start shows whether it comes up with them',
  ],
  [
    /^(usr\/)?(s?bin\/(mount|fsck|kmod|modprobe|udevadm|sulogin|sh|dash|bash)|lib\/systemd\/(system-generators|systemd-[^/]+$)|lib\/udev\/|lib\/modules-load\.d\/|lib\/modprobe\.d\/)|^etc\/(modules|(modules-load|modprobe)\.d\/|udev\/rules\.d\/)/,
    'what the system starts with changes, and only a start shows whether it still does',
  ],
];

/**
 * Why a machine must restart to be the new version, in words; empty where it need not. What services can take up by a restart of their own is no
 * reason: those are told apart. What could keep the machine from starting is one: a version that was never started must not become the good one.
 */
export function rebootReasons(changes: InPlaceChanges): string[] {
  const { paths, usedByInit = [], runningKernel, newKernel, kernelFileChanged } = changes;
  const reasons: string[] = [];
  const add = (reason: string) => {
    if (!reasons.includes(reason)) reasons.push(reason);
  };
  if (newKernel !== runningKernel) add(`the kernel becomes ${newKernel}; ${runningKernel} runs`);
  else if (kernelFileChanged) add(`the kernel ${newKernel}, or its initial RAM disk, is another build`);
  const modules = new RegExp(`^(usr/)?lib/modules/${runningKernel.replaceAll(/[^\w]/g, '\\$&')}/`);
  for (const path of paths) {
    if (newKernel === runningKernel && modules.test(path)) add(`modules of the kernel ${runningKernel} change`);
    for (const [pattern, reason] of onlyByReboot) if (pattern.test(path)) add(reason);
  }
  const [first, ...others] = usedByInit;
  if (first !== undefined && reasons.length === 0) {
    add(`process 1 uses ${first}${others.length === 0 ? '' : ` and ${others.length} more`}, which change`);
  }
  return reasons;
}
