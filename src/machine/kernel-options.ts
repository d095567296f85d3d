/** Options of the golden machine's kernel that name its own disks or its own boot: useless or harmful anywhere else. */
const machinesOwn =
  /^(root|rootfstype|rootflags|rootdelay|resume|resume_offset|noresume|BOOT_IMAGE|BOOTIF|initrd|cryptdevice|luks\..*|rd\.luks.*|rd\.lvm.*|rd\.md.*|rd\.dm.*|ip|nfsroot|boot|imprint\..*)(=|$)/;

/** Options by which systems start live from a medium: an installed one would look for that, and wait for it. */
const liveSystems =
  /^(rd\.live\..*|rd\.writable\.fsimg|live-(media|config|netdev|boot).*|live-media|findiso|fromiso|iso-scan\/filename|toram|todisk|persistence(-.*)?|persistent(-path)?|nopersistence|nopersistent|casper-.*|layerfs-path|archiso.*|rd\.kiwi\.live\..*)(=|$)/;
/** The same, of names that mean something else elsewhere. */
const alsoLive =
  /^(---|components|nocomponents|hostname|username|user-fullname|locales|union|ignore_uuid|noprompt|noeject|maybe-ubiquity|file|uuid)(=|$)/;
const startsLive = /^(boot=(live|casper)|root=live:.*|rd\.live\..*)$/;

/** Kernel options as words: split at white space outside double quotes, the quotes kept. */
export function splitKernelOptions(options: string): string[] {
  return options.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/** `/proc/cmdline` without what names the golden machine's own disks or its own boot: what a version records. */
export function withoutMachinesOwn(options: string): string {
  // What follows `--` are arguments of init.
  const words = splitKernelOptions(options.trim());
  const end = words.indexOf('--');
  const told = end < 0 ? words : words.slice(0, end);
  const isLive = told.some((option) => startsLive.test(option));
  const kept = told.filter(
    (option) => !machinesOwn.test(option) && !liveSystems.test(option) && !(isLive && alsoLive.test(option)),
  );
  return kept.filter((option) => option !== 'ro' && option !== 'rw').join(' ');
}

/**
 * The options that an installed machine boots with, beside `root=`: those the image recorded, without the golden machine's own, and
 * after them those of the install. An option that comes again replaces the earlier one, except those that may stand several times.
 */
export function mergeKernelOptions(
  recorded: string | undefined,
  given: string | undefined,
  hasSwap: string | undefined,
): string[] {
  const fromImage = splitKernelOptions(recorded ?? '').filter(
    (option) => !machinesOwn.test(option) && option !== 'ro' && option !== 'rw',
  );
  const own = splitKernelOptions(given ?? '');
  const replaced = new Set(own.map(optionName).filter((name) => !repeatable.has(name)));
  const kept = fromImage.filter((option) => !replaced.has(optionName(option)));
  const resume = hasSwap === undefined ? 'noresume' : `resume=UUID=${hasSwap}`;
  // Without it initramfs-tools waits half a minute for the golden machine's swap, which it remembers.
  const withResume = own.some((option) => /^(no)?resume(=|$)/.test(option)) ? [] : [resume];
  return [...new Set([...kept, ...own, ...withResume])];
}

/** The serial console that the options ask for: `console=ttyS0,115200` → unit 0, speed 115200. */
export function serialConsole(options: readonly string[]): { unit: number; speed: number } | undefined {
  for (const option of options) {
    const match = /^console=ttyS(\d)(?:,(\d+))?/.exec(option);
    if (match) return { unit: Number(match[1]), speed: Number(match[2] ?? 115200) };
  }
  return undefined;
}

const repeatable = new Set([
  'console',
  'earlycon',
  'module_blacklist',
  'video',
  'modprobe.blacklist',
  'hugepages',
  'hugepagesz',
]);

function optionName(option: string): string {
  return option.split('=', 1)[0] ?? option;
}
