import type { IsoFamily } from './iso-family.ts';

/** How far the start of an ISO came, each further than those before. */
export const isoStages = ['nothing', 'menu', 'refused', 'chosen', 'kernel', 'initramfs', 'running'] as const;
export type IsoStage = (typeof isoStages)[number];

export interface IsoProgress {
  /** From `refused` on; `chosen` where nothing more is known. */
  stage: IsoStage;
  /** The line that shows it. */
  said?: string;
  /** The line that says that it goes no further. */
  trouble?: string;
}

/** Kernel words that put any Linux system, and what its initial RAM disk says, onto the first serial line. Only while it is tested. */
export const serialWords = 'console=tty0 console=ttyS0,115200 loglevel=7 systemd.show_status=1 mitigations=off';

/** What is said at each stage, by whatever system: regular expressions. */
const marks: readonly (readonly [IsoStage, readonly RegExp[]])[] = [
  [
    'running',
    [
      // getty; the targets of systemd that no initial RAM disk has; sysvinit; OpenRC.
      /^\S+ login: ?/,
      /Reached target .*(multi-user\.target|Multi-User System|graphical\.target|Graphical Interface)/,
      /INIT: Entering runlevel: [2-5]/,
      /Starting local \.\.\./,
      // Installers: Debian’s, Anaconda, linuxrc and YaST, Ubuntu’s, Proxmox’s, Calamares’ way there.
      /Select a language|Choose language|Debian installer main menu/,
      /Starting installer, one moment|anaconda \S+ for .* started/,
      /Starting Installation|Starting YaST/i,
      /Starting Subiquity/i,
      /Welcome to the Proxmox VE installer|Starting the installer GUI/,
    ],
  ],
  [
    'initramfs',
    [
      /Run \/\S*(init|linuxrc) as init process/,
      /^Begin: /,
      /dracut-(cmdline|pre-udev|initqueue|mount)|Running in (initrd|initial RAM disk)/,
      /:: running early hook/,
    ],
  ],
  ['kernel', [/Linux version \d/, /^\[ *\d+\.\d{6}\] /, /EFI stub: /]],
  ['refused', [/This ISO cannot be started from its file/, /This file cannot be read as an ISO/]],
];

/** After these nothing more comes. */
const troubles = [
  /Kernel panic - not syncing.*/,
  /^\(initramfs\) ?$/,
  /^dracut:\/#/,
  /Unable to find a (medium containing a )?live file system.*/,
  /Entering emergency mode.*|You are in (rescue|emergency) mode.*/,
  /mounting .* failed.*Falling back to interactive prompt.*/i,
  /error: (file .* not found|invalid magic number|you need to load the kernel first|out of memory|no such device).*/,
];

/** Reads it from what a machine said on its serial line, or showed on its screen, after the ISO was chosen. */
export function readProgress(text: string, family?: Pick<IsoFamily, 'test'>): IsoProgress {
  const lines = plainText(text)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const own = (family?.test?.runs ?? []).map((source) => new RegExp(source));
  const find = (tests: readonly RegExp[]) => lines.find((line) => tests.some((test) => test.test(line)));
  const trouble = find(troubles);
  for (const [stage, tests] of marks) {
    const said = find(stage === 'running' ? [...own, ...tests] : tests);
    if (said !== undefined)
      return { stage, said: withoutFrames(said), ...(trouble !== undefined && stage !== 'running' && { trouble }) };
  }
  return { stage: 'chosen', ...(trouble === undefined ? {} : { trouble }) };
}

/** Frames of menus are letters to whom does not know the line-drawing set of a VT100. */
function withoutFrames(line: string): string {
  return line.replaceAll(/[jklmtuqx]*qq[jklmtuqx]*|^[qx]+ | [qx]+$/g, ' ').trim();
}

/** The words of a serial line without its colours and movements; a movement of the cursor begins a new line. */
export function plainText(text: string): string {
  return text
    .replaceAll(/\x1b\[[0-9;?]*[Hf]/g, '\n')
    .replaceAll(/\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78cM])/g, '')
    .replaceAll('\r', '\n')
    .replaceAll(/[\x00-\x08\x0b-\x1f\x7f]/g, '');
}
