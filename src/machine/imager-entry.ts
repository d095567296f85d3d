import type { BootEntry } from './boot-pointer.ts';
import type { ImagerRecord } from './imager-record.ts';
import { splitKernelOptions } from './kernel-options.ts';

/** How a machine reaches its server, as its system has it now. */
export interface ImagerNetwork {
  /** Of the card, `52:54:00:12:34:56`. */
  mac: string;
  /** Where the address is a fixed one, no DHCP server is asked. */
  fixed?: { address: string; prefix: number; gateway?: string; dns: string[] };
}

/** What starts the imager for once from the disk of a machine that works. */
export interface ImagerStart {
  /** URL of the server that it asks; absent: `words` say what it does. */
  server?: string;
  words?: readonly string[];
  record: ImagerRecord;
  /** Seconds after which the machine restarts as it was, unless there is an order by then; absent: it stays. */
  patience?: number;
  /** Absent: every card with a cable is tried. */
  network?: ImagerNetwork;
  /** Command line of the kernel that runs: where it speaks, the imager speaks. */
  commandLine: string;
}

/** The slot that an entry with the imager names; there is no such slot. */
export const imagerSlot = 'imager';

/** Whether an entry is the imager, and no version. */
export function isImagerEntry(id: string): boolean {
  return id.startsWith(`${imagerSlot}-`);
}

/** The imager as an entry of the boot partition, but for its files. */
export function imagerEntry(start: ImagerStart, created: string): Omit<BootEntry, 'files'> {
  const { kernel, files } = start.record;
  return {
    id: `${imagerSlot}-${files.initrd.slice(0, 12)}`,
    ...{ slot: imagerSlot, reference: 'imager', digest: `sha256:${files.initrd}`, kernelVersion: kernel },
    ...{
      title: start.server === undefined ? 'Imprint imager' : `Imprint imager (asks ${start.server})`,
      kernelOptions: imagerWords(start),
      created,
    },
  };
}

/** The kernel command line of the imager (docs/imager.md). A panic restarts the machine, which is then as it was. */
export function imagerWords({ server, words: more = [], patience, network, commandLine }: ImagerStart): string[] {
  const consoles = splitKernelOptions(commandLine).filter((word) => word.startsWith('console='));
  const words = [
    ...(server === undefined ? [] : [`imprint.server=${server}`]),
    ...more,
    ...(patience === undefined ? [] : [`imprint.return=${patience}`]),
  ];
  if (network !== undefined) {
    const { mac, fixed } = network;
    words.push(`BOOTIF=01-${mac.toLowerCase().replaceAll(':', '-')}`);
    if (fixed !== undefined) {
      words.push(`imprint.net.address=${fixed.address}/${fixed.prefix}`);
      if (fixed.gateway !== undefined) words.push(`imprint.net.gateway=${fixed.gateway}`);
      for (const each of fixed.dns) words.push(`imprint.net.dns=${each}`);
    }
  }
  return [...words, 'loglevel=4', 'panic=30', ...(consoles.length > 0 ? consoles : ['console=tty0'])];
}
