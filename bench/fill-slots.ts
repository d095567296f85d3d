import { execFileSync } from 'node:child_process';
import { createCipheriv, randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { VersionRecord } from '../src/contract/image.ts';
import { type Digest, rawPath } from '../src/foundation/brand.ts';
import { systemClock } from '../src/foundation/clock.ts';
import { Task } from '../src/foundation/task.ts';
import { readImageContent } from '../src/machine/image-content.ts';
import { type InstalledLayout, imagePath } from '../src/machine/installed-layout.ts';
import { fetchUpdate } from '../src/operations/update/fetch-update.ts';
import { fillFileSlot } from '../src/operations/update/fill-file-slot.ts';
import { fillPartitionSlot } from '../src/operations/update/fill-partition-slot.ts';
import type { FilledSlot, FillRequest } from '../src/operations/update/fill-slot.ts';
import { keepObject } from '../src/operations/update/object-state.ts';
import { DirectoryStore } from '../src/store/directory-store.ts';
import { attachImage } from '../src/system/loop-image.ts';
import { systemProcesses } from '../src/system/run.ts';
import { captureDirectory } from '../src/tree/capture-directory.ts';
import { walk } from '../src/tree/walk.ts';

/**
 * `fill-slots.ts TREE WORK TYPE…`: fills slots with three versions of a tree, of which the second and the third differ from the one before in 1 % and 10 % of
 * files and bytes, and prints a line of JSON for each fill. What is measured begins when all that is missing was fetched. Needs root.
 */

const [tree = '', work = '', ...types] = process.argv.slice(2);
type Type = InstalledLayout['slots'][number]['fileSystem'];

/** One fill, as printed. */
export interface FillFigures {
  name: string;
  cpu: number;
  wall: number;
  /** MiB. */
  memory: number;
  /** Bytes that reached the device; bytes of content that differ. */
  written: number;
  content: number;
}

interface Version {
  record: VersionRecord;
  root: string;
  changed: number;
}

const shell = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).trim();
const undo: (() => void)[] = [];
try {
  mkdirSync(work, { recursive: true });
  await using store = await DirectoryStore.open(join(work, 'store'), { create: true });
  const versions = await makeVersions(store);
  for (const type of types) await measure(store, versions, type as Type | 'partition');
} finally {
  for (const step of undo.reverse()) step();
}

async function makeVersions(store: DirectoryStore): Promise<Version[]> {
  const versions = [await capture(store, tree, 1, 0)];
  // Layers over the tree, one over the other: the tree itself stays as it is.
  let lower = tree;
  for (const [index, share] of [0.01, 0.1].entries()) {
    const [upper, scratch, merged] = ['upper', 'scratch', 'merged'].map((name) => join(work, `${name}-${index}`));
    if (upper === undefined || scratch === undefined || merged === undefined) continue;
    for (const directory of [upper, scratch, merged]) mkdirSync(directory);
    shell('mount', '-t', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${scratch}`, 'overlay', merged);
    undo.push(() => shell('umount', '--lazy', merged));
    const changed = change(merged, share, index);
    versions.push(await capture(store, merged, index + 2, changed));
    lower = `${upper}:${lower}`;
  }
  return versions;
}

/** Writes other bytes of the same number into files spread over the tree; never what makes it boot. Returns the bytes. */
function change(root: string, share: number, offset: number): number {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, offset), Buffer.alloc(16));
  const every = Math.round(1 / share);
  const files = [...walk(rawPath(root))].filter(
    ({ path, status }) =>
      (status.mode & 0o170000) === 0o100000 && status.size > 0 && /^(usr\/(?!lib\/modules|s?bin)|var)/.test(path),
  );
  const total = files.reduce((sum, { status }) => sum + status.size, 0);
  let changed = 0;
  for (const [index, { absolute, status }] of files.entries()) {
    // Each hundredth file, but not so large a one that the share of bytes were another.
    if (index % every !== offset || changed + status.size > total * share * 1.05) continue;
    const fd = openSync(Buffer.from(absolute, 'latin1'), 'w');
    for (let left = status.size; left > 0; left -= 1 << 20)
      writeSync(fd, noise.update(Buffer.alloc(Math.min(left, 1 << 20))));
    closeSync(fd);
    changed += status.size;
  }
  return changed;
}

async function capture(store: DirectoryStore, root: string, number: number, changed: number): Promise<Version> {
  const task = Task.silent();
  await using transaction = await store.begin('bench', task);
  const { manifest, stats } = await captureDirectory({ directory: rawPath(root), transaction, task });
  const record: VersionRecord = {
    ...{ format: 1, image: 'bench', number, digest: manifest.digest, manifestBytes: manifest.bytes },
    created: '2026-01-01T00:00:00Z',
    source: { location: root, bootMode: 'unknown', disks: [], fileSystems: [] },
    ...{ stats, excluded: [], scrubbed: [], warnings: [] },
  };
  return { record, root, changed };
}

async function measure(store: DirectoryStore, versions: readonly Version[], type: Type | 'partition'): Promise<void> {
  const fileSystem = type === 'partition' ? 'ext4' : type;
  await using disk = await attach(join(work, 'disk'), 20);
  const host = join(work, 'host');
  mkdirSync(host, { recursive: true });
  const place = { uuid: randomUUID(), partitionUuid: randomUUID(), fileSystem };
  const layout: InstalledLayout = {
    ...{ format: 1, boot: randomUUID(), esp: '1234-ABCD' },
    ...(type === 'partition'
      ? { layout: 'slots', slots: [{ name: 'b', ...place }] }
      : { layout: 'files', slots: [], host: place }),
  };
  if (type !== 'partition') {
    shell(`mkfs.${type}`, '-q', disk.device);
    shell('mount', disk.device, host);
  }
  try {
    let before: Version | undefined;
    for (const version of versions) {
      const request = await requestFor(store, version, before ?? version, layout);
      // Fetched to the last byte, and all of the disk at rest.
      await using content = request.content;
      shell('sync');
      const at = { written: writtenTo(disk.device), cpu: process.cpuUsage(), time: performance.now() };
      const running =
        before === undefined
          ? {}
          : { running: imagePath(before.record.digest), referenced: [imagePath(before.record.digest)] };
      const filled: FilledSlot =
        type === 'partition'
          ? await fillPartitionSlot({ ...request, slot: 'b', device: disk.device })
          : await fillFileSlot({ ...request, host, ...running });
      shell('sync');
      const { user, system } = process.cpuUsage(at.cpu);
      const share = before === undefined ? 'all' : `${version.record.number === 2 ? 1 : 10} % changed`;
      const figures: FillFigures = {
        name: `${type === 'partition' ? 'partition slot, ext4' : `file slot, ${type}`}: ${share}`,
        cpu: (user + system) / 1e6,
        wall: (performance.now() - at.time) / 1000,
        memory: process.memoryUsage.rss() / 2 ** 20,
        written: writtenTo(disk.device) - at.written,
        content: filled.report.bytes,
      };
      process.stdout.write(`${JSON.stringify(figures)}\n`);
      void content;
      before = version;
    }
  } finally {
    if (type !== 'partition') shell('umount', '--lazy', host);
  }
}

async function requestFor(
  store: DirectoryStore,
  version: Version,
  base: Version,
  layout: InstalledLayout,
): Promise<FillRequest> {
  const { record } = version;
  const stored = { record, recordText: JSON.stringify(record), tags: [] };
  const from = join(work, `fetched-${record.number}`);
  const manifestFile = join(work, `manifest-${base.record.number}`);
  writeFileSync(manifestFile, await store.manifestFile(base.record.digest as Digest));
  const content = await fetchUpdate({
    store,
    version: stored as never,
    base: { digest: base.record.digest as Digest, manifestFile, root: base.root },
    place: from,
    task: Task.silent(),
  });
  undo.push(() => rmSync(from, { recursive: true, force: true }));
  const stateDirectory = join(work, 'objects');
  return {
    ...{ content, layout, stateDirectory, reference: `bench:${record.number}`, mountAt: join(work, 'slot') },
    image: await readImageContent(content.entries()),
    object: await keepObject({ root: base.root, stateDirectory, clock: systemClock }),
    ...{ processes: systemProcesses, clock: systemClock, task: Task.silent() },
  };
}

async function attach(file: string, gibibytes: number) {
  rmSync(file, { force: true });
  shell('truncate', '-s', `${gibibytes}G`, file);
  const image = await attachImage(systemProcesses, file);
  return {
    device: image.device,
    [Symbol.asyncDispose]: async () => {
      await image[Symbol.asyncDispose]();
      rmSync(file, { force: true });
    },
  };
}

function writtenTo(device: string): number {
  return (
    Number(
      readFileSync(`/sys/class/block/${basename(device)}/stat`, 'utf8')
        .trim()
        .split(/\s+/)[6],
    ) * 512
  );
}
