import { splitKernelOptions } from './kernel-options.ts';

/** What an entry says for its own root and initramfs (`bootArguments`), which another entry says for itself. */
const entrysOwn =
  /^(root|rootfstype|rootwait|rootflags|ro|rw|panic|boot|resume|noresume|rd\.shell|rd\.emergency|rd\.md\..*|rd\.luks\..*|rd\.lvm\..*|imprint\..*)(=|$)/;

/**
 * Kernel options that the machine has of its own: those of the entry that it runs, less what belongs to that entry and what the image
 * recorded. They go from one version to the next.
 */
export function machineKernelOptions(entryOptions: readonly string[], recorded: string | undefined): string[] {
  const images = new Set(splitKernelOptions(recorded ?? ''));
  return entryOptions.filter((option) => !entrysOwn.test(option) && !images.has(option));
}
