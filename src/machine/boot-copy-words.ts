import type { BootArea, BootCopy, BootPart, BootVolume } from '../contract/boot-copy.ts';
import { formatBytes } from '../foundation/bytes.ts';

/** Of a table's own parts, for people. */
const tableNames: Readonly<Record<string, string>> = {
  record: 'the table in the first sector',
  primary: 'the header of the GPT',
  'primary-rows': 'the rows of the GPT',
  backup: 'the header of the GPT’s backup',
  'backup-rows': 'the rows of the GPT’s backup',
};

/** An area in words: `the boot code`, `the BIOS boot partition 1`. */
export function areaName({ part, name }: Pick<BootArea, 'part' | 'name'>): string {
  const number = /(\d+)$/.exec(name)?.[1] ?? '';
  switch (part) {
    case 'code':
      return 'the boot code';
    case 'gap':
      return 'the gap behind the table';
    case 'bios-boot':
      return `the BIOS boot partition ${number}`;
    case 'esp':
      return `raw bytes of the ESP (${name})`;
    case 'table':
      return tableNames[name.replace('before-', '')] ?? `the record of logical partition ${number}`;
  }
}

/** A disk in a few words: `/dev/sda (466 GiB, Samsung SSD 870, serial S5Y1)`. */
export function diskWords({ path, size, model, serial }: BootCopy['disk']): string {
  const facts = [formatBytes(size), model, serial === undefined ? undefined : `serial ${serial}`];
  return `${path} (${facts.filter((fact) => fact !== undefined).join(', ')})`;
}

/** What a copy holds, one line for each part, in words. */
export function copyParts(record: BootCopy): { part: BootPart; what: string; bytes: number }[] {
  const { table, areas, volumes, variables } = record;
  const sum = (part: BootArea['part']) =>
    areas.filter((area) => area.part === part).reduce((total, { length }) => total + length, 0);
  const rows: { part: BootPart; what: string; bytes: number }[] = [];
  const label = table.label === 'gpt' ? 'GPT' : 'MBR';
  if (table.label !== 'none') {
    rows.push({ part: 'table', what: `${label}, ${count(table.partitions.length, 'partition')}`, bytes: sum('table') });
  }
  rows.push({ part: 'code', what: 'the boot code in the first sector', bytes: sum('code') });
  if (sum('gap') > 0) rows.push({ part: 'gap', what: 'between the table and the first partition', bytes: sum('gap') });
  for (const area of areas.filter(({ part }) => part === 'bios-boot')) {
    rows.push({ part: 'bios-boot', what: area.name.replace('-', ' '), bytes: area.length });
  }
  for (const volume of volumes) {
    const what = `partition ${volume.partition}, ${count(volume.files.length, 'file')}`;
    rows.push({ part: 'esp', what, bytes: volumeBytes(volume) });
  }
  if (variables.length > 0) {
    const bytes = variables.reduce((total, { size }) => total + size, 0);
    rows.push({ part: 'variables', what: `${count(variables.length, 'variable')} of the firmware`, bytes });
  }
  return rows;
}

/** How to bring it all back with `tar`, `dd` and `cp` alone: a page in the copy itself. */
export function restorePage(record: BootCopy): string {
  const { disk, areas, volumes, table, machine } = record;
  const lines = [
    `What made ${diskWords(disk)} of ${machine.name} boot, kept on ${record.created}.`,
    '',
    'With Imprint:  imprint boot restore THIS-FILE',
    'It finds the disk, shows what differs, keeps what is there, and proves what it wrote. Without it, by hand, as root:',
    '',
    '  tar xzf THIS-FILE; cd into where it was unpacked',
    `  DISK=/dev/…        # ${disk.serial === undefined ? `the disk of ${disk.size} bytes` : `serial ${disk.serial}, ${disk.size} bytes`}; look twice: lsblk -o NAME,SIZE,MODEL,SERIAL`,
    '',
    'Boot code alone; the partition table is not touched:',
    ...areas.filter(({ part }) => part === 'gap' || part === 'bios-boot' || part === 'code').map(ddLine),
    '',
    'The partition table, only where it is lost (copy.json tells what was where):',
    ...areas.filter(({ part }) => part === 'table').map(ddLine),
    '',
    ...volumes.flatMap((volume) => espLines(volume)),
    'What the disk looked like:',
    ...table.partitions.map(({ number, start, size, type, content }) => {
      const holds =
        content === undefined ? '' : `  ${[content.type, content.uuid, content.label].filter(Boolean).join(' ')}`;
      return `  ${number}: from byte ${start}, ${size} bytes (${formatBytes(size)}), type ${type}${holds}`;
    }),
    '',
  ];
  return lines.join('\n');
}

/** The member's own length says how much is written; blocks of a sector wherever it begins with one. */
function ddLine({ file, offset, length }: BootArea): string {
  const place =
    offset === 0 ? `bs=${length} count=1` : offset % 512 === 0 ? `bs=512 seek=${offset / 512}` : `bs=1 seek=${offset}`;
  return `  dd if=${file} of="$DISK" ${place} conv=notrunc`;
}

function espLines({ partition, offset, volumeId, label, size }: BootVolume): string[] {
  const name = label === 'NO NAME' || !/^[\w -]+$/.test(label) ? '' : ` -n '${label}'`;
  return [
    `The ESP, partition ${partition} (from byte ${offset}, ${size} bytes); only where it is lost:`,
    `  mkfs.vfat -i ${volumeId}${name} PARTITION; mount PARTITION /mnt; cp -r esp-${partition}/files/. /mnt; umount /mnt`,
    '',
  ];
}

function volumeBytes({ files }: BootVolume): number {
  return files.reduce((total, { size }) => total + size, 0);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
