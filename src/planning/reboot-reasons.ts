/** What an update in place changes, as far as it matters for whether the machine must restart. */
export interface InPlaceChanges {
  /** Paths that are put or removed, relative to the root, as people read them. */
  paths: Iterable<string>;
  /** Kernel that runs (`uname -r`), and that the new version boots. */
  runningKernel: string;
  newKernel: string;
  /** Whether the file of the kernel that runs, or its initial RAM disk, is another one. */
  kernelFileChanged: boolean;
}

/** Programs that are never restarted while a system runs, and what they are to people. */
const onlyByReboot: readonly [pattern: RegExp, reason: string][] = [
  [/^(usr\/)?bin\/dbus-(daemon|broker(-launch)?)$/, 'the message bus is another one, and it cannot be restarted'],
  [/^(usr\/)?lib\/firmware\/(intel|amd)-ucode\//, 'there is new microcode for the processor'],
  [
    /^(usr\/)?lib\/(x86_64|i386|aarch64|arm)-linux-\w+\/libc\.so\.6$|^(usr\/)?lib64\/libc\.so\.6$/,
    'the C library is another one, which every process uses',
  ],
  [/^(usr\/)?lib\/systemd\/systemd$/, 'systemd is another one'],
];

/**
 * Why a machine must restart to be the new version, in words; empty where it need not. What services can take up by a restart of their own is no
 * reason: those are told apart.
 */
export function rebootReasons({ paths, runningKernel, newKernel, kernelFileChanged }: InPlaceChanges): string[] {
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
  return reasons;
}
