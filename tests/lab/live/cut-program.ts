import { copyFile, type FileHandle, open, truncate, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseLiveRecord, liveRecordSize, parseLiveRecord } from '../../../src/machine/live-record.ts';
import { liveChunk } from '../../../src/planning/live-tables.ts';
import { systemProcesses } from '../../../src/system/run.ts';
import { type Cut, criticalCuts, randomCuts, seededRandom } from '../cut-plan.ts';
import type { WriteLog } from '../write-log.ts';
import { acknowledgedAt, diskSize, firstRecord, isWhole, LiveDisk, recordsLength } from './live-disk.ts';
import { DiskAcknowledger, device, findDamage, mounted, readSource, root, say, source, words } from './live-machine.ts';
import { diskPath, onDisk, onLoggedDisk } from './logged-disk.ts';
import { type Acknowledged, findLosses, Work } from './work.ts';

/**
 * Lives of a live system, and what power cuts leave of them. A life moves the root of a disk from where it is to its end while somebody works, and all that is
 * written to the disk is logged. Then, for many moments of that log, a disk is made as a cut may leave it, and the product begins on that. The next life goes on
 * from one of those disks.
 */
const random = seededRandom(Number(words.get('live.seed') ?? 1));
/** What is broken on purpose: the same cuts must then lose something. */
const sabotage = words.get('live.sabotage');

interface State {
  /** File of the disk's content. */
  readonly image: string;
  readonly acknowledged: Acknowledged;
  readonly phase: string;
}

/** Where a disk stands, by what is written on it. */
async function phaseOf(image: string): Promise<string> {
  await using file = await open(image, 'r');
  const head = Buffer.alloc(64 * 1024);
  await file.read(head, 0, head.length, 0);
  const blocks = [0, 1].map((index) => head.subarray(index * liveRecordSize, (index + 1) * liveRecordSize));
  const { record } = chooseLiveRecord(blocks as [Buffer, Buffer]);
  if (record === undefined) return '0 nothing is written down';
  const { phase } = record;
  if (phase === 'copying') return isWhole(head) ? '2 all is copied, and not said' : '1 copying';
  if (phase === 'copied') return '3 copied';
  if (phase === 'done') return '6 done';
  // The first exception of the store, behind its header: none is left when the kernel has written down that all are merged.
  const exception = Buffer.alloc(16);
  await file.read(exception, 0, 16, (firstRecord.start + firstRecord.changesAt) * 512 + liveChunk);
  return exception.readBigUInt64LE(8) === 0n ? '5 all is merged, and not said' : '4 merging';
}

/** From where a disk is to the end, and on for a while. */
async function live({ image, acknowledged }: State): Promise<WriteLog> {
  return onLoggedDisk(image, diskSize, async () => {
    using acknowledger = new DiskAcknowledger(diskPath, acknowledgedAt);
    await using disk = await LiveDisk.begin(diskPath, source, { sabotage });
    await mounted(async () => {
      const work = new Work(root, acknowledged, async (said) => acknowledger.tell(said));
      await sleep(1000);
      await systemProcesses.run('resize2fs', [device], { timeout: 120_000 });
      await disk.move({ released: () => sleep(1500), pause: 20 });
      await sleep(1500);
      const end = await work.stop();
      say(`a life: ${end.files} files, ${end.churn} overwritings, longest sync ${work.longest.toFixed()} ms`);
    });
  });
}

/** The moments at which something is written down, and as many as are wanted of each time between two of them. */
async function chooseCuts(
  log: WriteLog,
  begin: State,
  merging: number,
  others: number,
  critical: number,
): Promise<Cut[]> {
  const { entries } = log;
  const borders: { at: number; phase: string }[] = [
    { at: 0, phase: begin.phase.startsWith('4') ? 'merging' : 'begin' },
  ];
  for (const [at, entry] of entries.entries()) {
    if (entry.kind !== 'write' || entry.offset >= recordsLength) continue;
    const phase = parseLiveRecord(await log.data(entry))?.phase;
    if (phase !== undefined) borders.push({ at, phase });
  }
  const cuts = borders.flatMap(({ at, phase }, index) => {
    const end = borders[index + 1]?.at ?? entries.length;
    return randomCuts(entries, at, end, phase === 'merging' ? merging : others, random);
  });
  const map = { from: recordsLength, to: recordsLength + 4096 };
  const switches = criticalCuts(entries, 0, entries.length, { from: 0, to: recordsLength }, random, 1);
  const mapped = criticalCuts(entries, 0, entries.length, map, random, 1);
  cuts.push(...sample(switches, critical), ...sample(mapped.slice(-16), 4), ...sample(mapped, 4));
  return cuts.sort((left, right) => left.after - right.after);
}

function sample<Item>(items: readonly Item[], count: number): Item[] {
  const left = [...items];
  const taken: Item[] = [];
  while (taken.length < count && left.length > 0) {
    taken.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return taken;
}

/** The disks that these cuts leave, in their order; each is there until the next one. */
async function* states(begin: State, log: WriteLog, cuts: readonly Cut[]): AsyncGenerator<[Cut, State]> {
  const { entries } = log;
  // As it is for certain, up to a flush.
  const [solid, image] = ['/run/solid.img', '/run/cut.img'];
  await copyFile(begin.image, solid);
  await using file = await open(solid, 'r+');
  let solidTo = 0;
  let { acknowledged } = begin;
  let toldTo = 0;
  const put = async (disk: FileHandle, index: number, sectors?: readonly number[]) => {
    const entry = entries[index];
    if (entry?.kind !== 'write') return;
    const data = await log.data(entry);
    if (sectors === undefined) await disk.write(data, 0, data.length, entry.offset);
    for (const sector of sectors ?? []) await disk.write(data, sector * 512, 512, entry.offset + sector * 512);
  };
  for (const cut of cuts) {
    let flushed = cut.after;
    while (flushed > solidTo && entries[flushed - 1]?.kind !== 'flush') flushed -= 1;
    for (; solidTo < flushed; solidTo += 1) await put(file, solidTo);
    for (; toldTo < cut.after; toldTo += 1) {
      const entry = entries[toldTo];
      if (entry?.kind !== 'write' || entry.offset !== acknowledgedAt) continue;
      const said = await log.data(entry);
      acknowledged = { files: said.readUInt32LE(0), churn: said.readUInt32LE(4) };
    }
    await copyFile(solid, image);
    await using disk = await open(image, 'r+');
    for (let index = flushed; index < cut.after; index += 1) {
      if (cut.torn?.entry === index) await put(disk, index, cut.torn.sectors);
      else if (!cut.lost.includes(index)) await put(disk, index);
    }
    yield [cut, { image, acknowledged, phase: await phaseOf(image) }];
  }
}

/** What is lost where the product begins on this disk; `finish`: also when it went on to its end. */
async function judge({ image, acknowledged }: State, files: Map<string, Buffer>, finish: boolean): Promise<string[]> {
  return onDisk(image, diskSize, async () => {
    await using disk = await LiveDisk.begin(diskPath, source);
    const look = async () => {
      const losses = await mounted(() => findLosses(root, acknowledged, files));
      return [...losses, ...(await findDamage())];
    };
    const losses = await look();
    if (!finish || losses.length > 0) return losses;
    await disk.move();
    return (await look()).map((loss) => `at the end: ${loss}`);
  });
}

interface Row {
  cuts: number;
  finished: number;
  lost: number;
  seconds: number;
}

const table: Record<string, Row> = {};
const files = await readSource();
await writeFile('/run/state.img', '');
await truncate('/run/state.img', diskSize);
let state: State = { image: '/run/state.img', acknowledged: { files: 0, churn: 0 }, phase: '0' };
/** In which phase the life after each is to begin. */
const chain = (words.get('live.chain') ?? '1,4,4').split(',').filter((phase) => phase !== 'none');
const [merging = 30, others = 7, critical = 14] = (words.get('live.cuts') ?? '').split(',').filter(Boolean).map(Number);
let count = 0;
for (const begins of [...chain, undefined]) {
  await using log = await live(state);
  const cuts = await chooseCuts(log, state, merging, others, critical);
  say(`${log.entries.length} entries, ${cuts.length} cuts`);
  let next: State | undefined;
  let candidates = 0;
  for await (const [cut, left] of states(state, log, cuts)) {
    count += 1;
    const row = table[left.phase] ?? { cuts: 0, finished: 0, lost: 0, seconds: 0 };
    table[left.phase] = row;
    const from = performance.now();
    const finish = count % 12 === 0;
    const losses = await judge(left, files, finish).catch((error: unknown) => [`it does not begin: ${String(error)}`]);
    row.cuts += 1;
    row.finished += finish ? 1 : 0;
    row.seconds += (performance.now() - from) / 1000;
    if (losses.length > 0) {
      row.lost += 1;
      say(`LOSS ${left.phase}, ${cut.why}: ${losses.length}, ${losses.slice(0, 5).join('; ')}`);
    } else if (left.phase.startsWith(begins ?? '-')) {
      // One of all, each as likely.
      candidates += 1;
      if (random() >= 1 / candidates) continue;
      await copyFile(left.image, '/run/next.img');
      next = { ...left, image: '/run/next.img' };
    }
  }
  say(`${count} cuts so far, ${JSON.stringify(table)}`);
  if (next === undefined) break;
  await copyFile(next.image, '/run/state.img');
  state = { ...next, image: '/run/state.img' };
  say(`the next life begins in “${state.phase}”`);
}
say(`CUTS ${JSON.stringify(table)}`);
