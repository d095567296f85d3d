import type { BootArea, BootDifference, BootVolume } from '../../contract/boot-copy.ts';
import { recogniseBootCode } from '../../machine/boot-code.ts';
import { areaName } from '../../machine/boot-copy-words.ts';
import type { AreaFacts, BootFacts, PlaceFacts, VolumeFacts } from '../../planning/boot-facts.ts';
import type { BootDisk } from '../../system/boot-disk.ts';
import type { OpenCopy } from './copy-file.ts';
import { type BootScan, fatAt, hashFatFile, probeContent, type ScanSurroundings } from './scan-boot.ts';

const pieceLength = 1 << 20;

/** Holds the disk as it is against a copy: all that a plan needs. Errors: `io-failed`, `process-failed`, `interrupted`. */
export async function compareBoot(
  disk: BootDisk,
  copy: OpenCopy,
  scan: BootScan,
  { processes, signal, variables }: Pick<ScanSurroundings, 'processes' | 'signal' | 'variables'>,
): Promise<BootFacts> {
  const { record } = copy;
  const places: PlaceFacts[] = [];
  for (const { number, start, size, content } of record.table.partitions) {
    if (content === undefined) continue;
    signal.throwIfAborted();
    const now = start + size > disk.size ? undefined : await probeContent(processes, disk, { start, size }, signal);
    const same = now?.type === content.type && now.uuid === content.uuid;
    places.push({
      number,
      holds: same ? 'same' : now === undefined ? 'nothing' : 'other',
      was: contentWords(content),
      now: now === undefined ? 'nothing' : contentWords(now),
    });
  }
  const areas: AreaFacts[] = [];
  for (const area of record.areas) areas.push(await compareArea(disk, copy, area));
  return {
    disk: scan.record.disk,
    table: scan.record.table,
    problems: scan.record.problems,
    areas,
    volumes: record.volumes.map((volume) => compareVolume(disk, volume)),
    places,
    kernel: await disk.kernelPartitions(),
    machine: scan.record.machine,
    ...(variables === undefined ? {} : { variables: await compareVariables(copy, variables) }),
  };
}

/** All that is not as the copy has it, for people. */
export function differencesOf(facts: BootFacts): BootDifference[] {
  const onVolume = facts.volumes.flatMap((volume): BootDifference[] => {
    const where = `on the ESP, partition ${volume.partition}`;
    if (volume.state === 'gone') return [{ part: 'esp', what: where.slice(3), how: 'holds no FAT any more' }];
    if (volume.state === 'other') {
      const label = volume.label === 'NO NAME' || volume.label === '' ? '' : `, ${volume.label}`;
      const how = `is another file system (${volume.volumeId}${label}, files: ${volume.files})`;
      return [{ part: 'esp', what: where.slice(3), how }];
    }
    return [
      ...volume.missing.map((path) => ({ part: 'esp' as const, what: `${path} ${where}`, how: 'is gone' })),
      ...volume.changed.map((path) => ({ part: 'esp' as const, what: `${path} ${where}`, how: 'has other content' })),
      ...volume.added.map((path) => ({ part: 'esp' as const, what: `${path} ${where}`, how: 'is new, and stays' })),
    ];
  });
  const { missing = [], changed = [] } = facts.variables ?? {};
  return [
    ...facts.areas.flatMap(({ area, differs }): BootDifference[] =>
      differs === undefined ? [] : [{ part: area.part, what: areaName(area), how: differs }],
    ),
    ...onVolume,
    ...missing.map((name) => ({ part: 'variables' as const, what: `the firmware’s ${name}`, how: 'is gone' })),
    ...changed.map((name) => ({
      part: 'variables' as const,
      what: `the firmware’s ${name}`,
      how: 'has another value',
    })),
  ];
}

async function compareArea(disk: BootDisk, copy: OpenCopy, area: BootArea): Promise<AreaFacts> {
  let zeros = true;
  let differing = 0;
  let first = -1;
  for (let at = 0; at < area.length; at += pieceLength) {
    const length = Math.min(pieceLength, area.length - at);
    const was = await copy.bytes(area.file, at, length);
    const is = disk.read(area.offset + at, length);
    zeros &&= is.every((byte) => byte === 0);
    if (was.equals(is)) continue;
    for (let sector = 0; sector < length; sector += 512) {
      if (was.subarray(sector, sector + 512).equals(is.subarray(sector, sector + 512))) continue;
      differing += 1;
      if (first < 0) first = Math.floor((area.offset + at + sector) / 512);
    }
  }
  if (differing === 0) return { area };
  if (area.part === 'code') return { area, differs: codeWords(await copy.bytes(area.file), disk.read(0, 512)) };
  const of = Math.ceil(area.length / 512);
  const sectors = differing === of ? 'all of it' : `${differing} of ${of} sectors, from sector ${first} on,`;
  return {
    area,
    differs: zeros ? 'is nothing but zeros now' : `${sectors} ${differing === 1 ? 'is' : 'are'} other than in the copy`,
  };
}

function codeWords(was: Uint8Array, is: Uint8Array): string {
  const [then, now] = [recogniseBootCode(was), recogniseBootCode(is)];
  if (now.kind === 'empty') return `was ${then.name}, and is gone`;
  return then.name === now.name ? `is ${now.name} still, with other content` : `was ${then.name}, and is ${now.name}`;
}

function compareVolume(disk: BootDisk, volume: BootVolume): VolumeFacts {
  const { partition, offset, size } = volume;
  const space = fatAt(disk, { start: offset, size });
  if (space === undefined) return { partition, state: 'gone' };
  const files = space.entries.filter(({ directory }) => !directory);
  const { volumeId, label } = space;
  if (volumeId !== volume.volumeId) return { partition, state: 'other', volumeId, label, files: files.length };
  // FAT knows no case; a file that was written anew may come back in another.
  const key = (path: string) => path.toLowerCase();
  const now = new Map(files.map((file) => [key(file.path), file]));
  const missing: string[] = [];
  const changed: string[] = [];
  for (const file of volume.files) {
    const found = now.get(key(file.path));
    now.delete(key(file.path));
    if (found === undefined) missing.push(file.path);
    else if (found.size !== file.size || hashFatFile(disk, offset, found) !== file.sha256) changed.push(file.path);
  }
  return { partition, state: 'there', missing, changed, added: [...now.values()].map(({ path }) => path) };
}

async function compareVariables(
  copy: OpenCopy,
  now: ReadonlyMap<string, Buffer>,
): Promise<{ missing: string[]; changed: string[] }> {
  const missing: string[] = [];
  const changed: string[] = [];
  for (const { name, file } of copy.record.variables) {
    const is = now.get(name);
    const was = await copy.bytes(file);
    // What was added behind the order of the copy may stay there.
    const same = name === 'BootOrder' ? is?.subarray(0, was.length).equals(was) : is?.equals(was);
    if (is === undefined) missing.push(name);
    else if (same === false) changed.push(name);
  }
  return { missing, changed };
}

function contentWords({
  type,
  uuid,
  label,
}: {
  type: string;
  uuid?: string | undefined;
  label?: string | undefined;
}): string {
  return [type, label === undefined ? undefined : `“${label}”`, uuid].filter((word) => word !== undefined).join(' ');
}
