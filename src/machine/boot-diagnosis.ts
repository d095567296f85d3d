import type { BootCopy } from '../contract/boot-copy.ts';
import type { ReadBytes } from '../image/fat-reader.ts';
import { isGrubCore, recogniseBootCode } from './boot-code.ts';
import { type DiskStructure, isBiosBoot, isEsp, type StructurePartition } from './disk-structure.ts';
import { parseBootOrder, parseLoadOption } from './load-option.ts';
import { isExtended } from './mbr.ts';

/** One thing that was looked at. `bad` keeps this way of booting from working. */
export interface BootFinding {
  what: string;
  state: 'good' | 'note' | 'bad';
  says: string;
}

export interface DiagnosisQuestion {
  structure: DiskStructure;
  read: ReadBytes;
  /** The ESPs that could be read. */
  volumes: BootCopy['volumes'];
  /** First bytes of a file on an ESP. */
  head(volume: BootCopy['volumes'][number], file: BootCopy['volumes'][number]['files'][number]): Uint8Array;
  /** How this machine was started; undefined: nobody knows how it will be. */
  firmware?: 'bios' | 'uefi' | undefined;
  variables?: ReadonlyMap<string, Uint8Array> | undefined;
}

export interface BootDiagnosis {
  found: BootFinding[];
  bios: boolean;
  uefi: boolean;
}

/** Looks at all that has to be right for a disk to boot, in the order in which a machine comes to it. Pure but for `read`. */
export function diagnoseDisk(question: DiagnosisQuestion): BootDiagnosis {
  const { structure } = question;
  const count = structure.partitions.length;
  const label = { gpt: 'GPT', mbr: 'MBR', none: 'none' }[structure.label];
  const table: BootFinding[] =
    structure.label === 'none'
      ? structure.problems.map((says) => ({ what: 'partition table', state: 'bad', says }))
      : [
          { what: 'partition table', state: 'good', says: `${label}, ${count} partition${count === 1 ? '' : 's'}` },
          ...structure.problems.map((says): BootFinding => ({ what: 'partition table', state: 'note', says })),
        ];
  const bios = biosFindings(question);
  const uefi = uefiFindings(question);
  const usable = (findings: readonly BootFinding[]) =>
    findings.some(({ state }) => state === 'good') && !findings.some(({ state }) => state === 'bad');
  const entries = variableFindings(question);
  return { found: [...table, ...bios, ...uefi, ...entries], bios: usable(bios), uefi: usable(uefi) };
}

/** In words why the machine will not boot from the disk; undefined: it will, as far as can be seen. */
export function bootProblem({ bios, uefi }: BootDiagnosis, firmware: 'bios' | 'uefi' | undefined): string | undefined {
  if (firmware === 'bios')
    return bios ? undefined : 'this machine starts by BIOS, and what BIOS starts is damaged or gone';
  if (firmware === 'uefi')
    return uefi ? undefined : 'this machine starts by UEFI, and what UEFI starts is damaged or gone';
  return bios || uefi ? undefined : 'neither BIOS nor UEFI finds anything to start that is whole';
}

function biosFindings({ structure, read }: DiagnosisQuestion): BootFinding[] {
  const what = 'BIOS';
  const first = read(0, 512);
  const code = recogniseBootCode(first);
  if (first.length < 512 || first.readUInt16LE(510) !== 0xaa55) {
    return [{ what, state: 'bad', says: 'the first sector has no mark at its end (55 AA): BIOS does not start it' }];
  }
  if (code.kind === 'empty') {
    return [{ what, state: 'note', says: 'the first sector holds no boot code: BIOS starts nothing from this disk' }];
  }
  if (code.kind === 'grub') return [grubFinding(structure, read, code.coreSector ?? 0)];
  if (code.kind !== 'windows' && code.kind !== 'syslinux') {
    return [{ what, state: 'good', says: `${code.name}, which is not looked into further` }];
  }
  return [{ what, state: 'good', says: code.name }, ...activeFindings(structure, read)];
}

/** GRUB's first sector knows its core by number alone: nothing else tells when that was moved or written over. */
function grubFinding({ partitions, sectorSize }: DiskStructure, read: ReadBytes, sector: number): BootFinding {
  const what = 'BIOS';
  const at = sector * sectorSize;
  const around = partitions.find(({ start, size, type }) => start <= at && at < start + size && !isExtendedType(type));
  const place = around === undefined ? 'in the gap behind the table' : `in partition ${around.number}`;
  if (!isGrubCore(read(at, 512))) {
    return {
      what,
      state: 'bad',
      says: `GRUB 2, but its core is not ${place} any more, where it looks for it (sector ${sector})`,
    };
  }
  if (around !== undefined && !isBiosBoot(around)) {
    const says = `GRUB 2; its core lies ${place}, inside a file system: it breaks when that file moves`;
    return { what, state: 'note', says };
  }
  return { what, state: 'good', says: `GRUB 2; its core lies ${place}` };
}

/** Code that hands over to the active partition needs one, with a boot record of its own. */
function activeFindings({ partitions, label }: DiskStructure, read: ReadBytes): BootFinding[] {
  const what = 'BIOS';
  if (label !== 'mbr') return [];
  const [active, ...others] = partitions.filter((partition) => partition.active === true);
  if (active === undefined) {
    return [{ what, state: 'bad', says: 'no partition is active, and the boot code starts the active one' }];
  }
  if (others.length > 0) return [{ what, state: 'bad', says: 'more than one partition is active' }];
  return [recordFinding(active, read)];
}

/** Whether a partition has a boot record that a chain loader could start. */
function recordFinding({ number, start }: Pick<StructurePartition, 'number' | 'start'>, read: ReadBytes): BootFinding {
  const what = `partition ${number}`;
  const sector = read(start, 512);
  const code = recogniseBootCode(sector);
  if (
    sector.length < 512 ||
    sector.readUInt16LE(510) !== 0xaa55 ||
    code.kind === 'empty' ||
    code.kind === 'not-bootable'
  ) {
    return { what, state: 'bad', says: 'has no boot record: nothing in it can be started by BIOS' };
  }
  return { what, state: 'good', says: `has a boot record: ${code.name}` };
}

/** Loaders by their usual places, with who they belong to. */
const loaders: readonly { path: RegExp; name: string }[] = [
  { path: /^efi\/boot\/boot(x64|ia32|aa64|riscv64)\.efi$/, name: 'what UEFI starts of itself' },
  { path: /^efi\/microsoft\/boot\/bootmgfw\.efi$/, name: 'Windows' },
  { path: /^efi\/[^/]+\/shim(x64|aa64)?\.efi$/, name: 'shim' },
  { path: /^efi\/[^/]+\/grub(x64|aa64)?\.efi$/, name: 'GRUB' },
  { path: /^efi\/systemd\/systemd-boot(x64|aa64)\.efi$/, name: 'systemd-boot' },
  { path: /^efi\/linux\/[^/]+\.efi$/, name: 'a kernel' },
];

function uefiFindings({ structure, volumes, head }: DiagnosisQuestion): BootFinding[] {
  const what = 'UEFI';
  const esps = structure.partitions.filter(isEsp);
  if (esps.length === 0) return [{ what, state: 'note', says: 'there is no ESP: UEFI starts nothing from this disk' }];
  return esps.flatMap(({ number }): BootFinding[] => {
    const volume = volumes.find(({ partition }) => partition === number);
    if (volume === undefined) {
      return [{ what, state: 'bad', says: `the ESP, partition ${number}, holds no file system that UEFI could read` }];
    }
    const found = volume.files.flatMap((file): BootFinding[] => {
      const loader = loaders.find(({ path }) => path.test(file.path.toLowerCase()));
      if (loader === undefined) return [];
      const bytes = head(volume, file);
      const whole = bytes[0] === 0x4d && bytes[1] === 0x5a;
      const says = `${file.path} on partition ${number}: ${loader.name}`;
      return [{ what, state: whole ? 'good' : 'bad', says: whole ? says : `${says}, but it is no program any more` }];
    });
    if (found.length === 0)
      return [{ what, state: 'note', says: `the ESP, partition ${number}, holds no boot loader` }];
    const fallback = volume.files.some(({ path }) => /^efi\/boot\/boot/.test(path.toLowerCase()));
    if (fallback) return found;
    const says = `there is no EFI/BOOT on partition ${number}: it starts only by an entry that the firmware remembers`;
    return [...found, { what, state: 'note', says }];
  });
}

/** The firmware's own entries that point to this disk. */
function variableFindings({ structure, volumes, variables }: DiagnosisQuestion): BootFinding[] {
  if (variables === undefined) return [];
  return parseBootOrder(variables.get('BootOrder')).flatMap((name): BootFinding[] => {
    const variable = variables.get(name);
    const option = variable === undefined ? undefined : parseLoadOption(variable);
    const partition = structure.partitions.find(({ uuid }) => uuid === option?.partition);
    if (option?.file === undefined || partition === undefined) return [];
    const volume = volumes.find((each) => each.partition === partition.number);
    const path = option.file.replaceAll('\\', '/').replace(/^\//, '').toLowerCase();
    const there = volume?.files.some((file) => file.path.toLowerCase() === path) ?? false;
    const says = `${name} “${option.name}” starts ${option.file} on partition ${partition.number}`;
    if (!there) return [{ what: 'firmware', state: 'note', says: `${says}, which is not there` }];
    return [
      {
        what: 'firmware',
        state: option.active ? 'good' : 'note',
        says: option.active ? says : `${says}; it is switched off`,
      },
    ];
  });
}

function isExtendedType(type: string): boolean {
  return type.length === 2 && isExtended(Number.parseInt(type, 16));
}
