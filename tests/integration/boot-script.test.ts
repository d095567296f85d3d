import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BootEntry, BootPointer, TrialCount } from '../../src/machine/boot-pointer.ts';
import {
  choosePointer,
  parsePointerAsGrub,
  parseTries,
  renderPointer,
  renderTries,
} from '../../src/machine/boot-pointer-block.ts';
import { renderBootFunctions, renderEntryConfig, scriptModules } from '../../src/machine/boot-script-grub.ts';
import { type BootDecision, decideBoot } from '../../src/machine/decide-boot.ts';
import { makeRootFileSystem } from '../../src/system/filesystem.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type LoopDisk, loopDisk, onDisk } from './loop-disk.ts';

const ids = ['a-1', 'b-2', 'c-3', 'x-9'] as const;

/** What lies on the disk for one decision. */
interface State {
  a: Buffer;
  b: Buffer;
  tries: Buffer;
  /** Bits: which of `ids` are there. */
  there: number;
  /** Bits of the host partition: a hand-dropped image, a system-revert; undefined: no host partition. */
  host: number | undefined;
}

it('decides in GRUB what decideBoot decides, in every state, and counts what it says it counts', async () => {
  await using disk = await loopDisk(128 * 1024 ** 2);
  const { device } = disk;
  const uuid = randomUUID();
  await makeRootFileSystem(systemProcesses, {
    device,
    fileSystem: 'ext4',
    uuid,
    size: 128 * 1024 ** 2,
    inodes: 40_000,
  });
  const states = [
    ...chosenStates(),
    ...randomStates(Number(process.env.IMPRINT_BOOT_STATES ?? 500)),
    ...damagedStates(),
  ];
  await onDisk(disk, (root) => writeStates(root, states));
  const said = await grubSays(disk, states);
  expect(said.size).toBe(states.length);
  const blocks = await onDisk(disk, (root) =>
    Promise.all(states.map((_, number) => readFile(join(root, placeOf(number), 'tries.env')))),
  );
  const wrong = states.flatMap((state, number) => {
    const answer = said.get(number) ?? {};
    const expected = expectedOf(
      state,
      (answer.all ?? '').split(' ').filter((id) => id !== ''),
    );
    const after = parseTries(blocks[number] ?? Buffer.alloc(0));
    const count = parseTries(state.tries);
    const decided = answer.entry === (expected?.entry ?? '') && answer.kind === (expected?.kind ?? '');
    const more = answer.more === String(expected?.left ?? '');
    const counted = expected === undefined || sameCount(after, expected.write ?? count);
    // A count that is damaged may not be writable: then no trial is made, and nobody goes back.
    const stays = isDamaged(state.tries) && !counted && (answer.kind === 'good' || answer.counted !== '1');
    const same = (decided && more && counted && (answer.counted === '1') === (answer.more !== '')) || stays;
    return same ? [] : [{ number, state: describeState(state), answer, expected, after }];
  });
  expect(wrong.slice(0, 5)).toEqual([]);
  const kinds = [...said.values()].map(({ kind }) => kind);
  for (const kind of ['good', 'trial', 'revert', 'new', 'rescue', '']) expect(kinds).toContain(kind);
  console.log(`${states.length} states in GRUB agree with decideBoot`);
});

function expectedOf({ a, b, tries, host }: State, entries: string[]): BootDecision | undefined {
  const pointer = choosePointer(parsePointerAsGrub(a), parsePointerAsGrub(b));
  const sight = host === undefined ? {} : { droppedImage: (host & 1) !== 0, revertFile: (host & 2) !== 0 };
  return decideBoot(pointer, parseTries(tries), { entries, ...sight });
}

function sameCount(one: TrialCount | undefined, other: TrialCount | undefined): boolean {
  const text = (count: TrialCount | undefined) =>
    JSON.stringify([count?.sequence, count?.left, count?.revert, count?.newLeft]);
  return text(one) === text(other);
}

/** Not as anybody writes it. */
function isDamaged(block: Buffer): boolean {
  const count = parseTries(block);
  return count === undefined || !renderTries(count).equals(block);
}

function describeState({ a, b, tries, there, host }: State) {
  return { a: parsePointerAsGrub(a), b: parsePointerAsGrub(b), tries: parseTries(tries), there, host };
}

function entry(id: string): BootEntry {
  return {
    id,
    slot: id.slice(0, 1),
    reference: 'web:1',
    digest: `sha256:${'0'.repeat(64)}`,
    title: `Title of ${id}`,
    kernelVersion: '6.1.0',
    kernelOptions: ['root=UUID=1', 'console=ttyS0,115200'],
    files: {},
    created: '2026-01-01T00:00:00Z',
  };
}

/** States that people would think of. */
function chosenStates(): State[] {
  const good: BootPointer = { sequence: 5, good: 'a-1', previous: 'c-3', tries: 0 };
  const trial: BootPointer = { sequence: 6, good: 'a-1', previous: 'c-3', trial: 'b-2', tries: 3 };
  const nothing = Buffer.alloc(1024);
  const counts: TrialCount[] = [
    { sequence: 0, left: 0 },
    { sequence: 6, left: 3 },
    { sequence: 6, left: 1 },
    { sequence: 6, left: 0 },
    { sequence: 5, left: 0 },
    { sequence: 6, left: 9 },
    { sequence: 6, left: 2, revert: 6 },
    { sequence: 5, left: 2, revert: 6 },
    { sequence: 6, left: 0, revert: 5 },
    { sequence: 6, left: 0, newLeft: 0 },
    { sequence: 0, left: 0, newLeft: 2 },
  ];
  const blocks = [
    ...counts.map(renderTries),
    nothing,
    Buffer.from('# GRUB Environment Block\nseq=6\nleft=3\n'.padEnd(1024, '#')),
  ];
  return blocks.flatMap((tries) =>
    [undefined, 0, 1, 2, 3].flatMap((host) => [
      { a: renderPointer(good), b: renderPointer(trial), tries, there: 15, host },
      { a: renderPointer(trial), b: renderPointer(good), tries, there: 15, host },
      { a: renderPointer(good), b: nothing, tries, there: 15, host },
      { a: nothing, b: renderPointer(trial), tries, there: 5, host },
      { a: nothing, b: nothing, tries, there: 15, host },
    ]),
  );
}

/** States that nobody would think of. */
function randomStates(count: number): State[] {
  let seed = 20_261_121;
  const below = (limit: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  };
  const some = <Value>(...values: Value[]) => values[below(values.length)] as Value;
  const record = () => {
    const previous = some(...ids, undefined);
    const trial = some(...ids, undefined);
    const pointer = { sequence: some(1, 7, 8, 9, 10, 99, 999_999_999), good: some(...ids), tries: below(10) };
    const block = renderPointer({ ...pointer, ...(previous && { previous }), ...(trial && { trial }) });
    return some(block, block, block, block, damaged(block, below(200), below(256)), Buffer.alloc(1024));
  };
  const count_ = () => {
    const revert = some(undefined, undefined, 7, 8, 9, 10);
    const newLeft = some(undefined, undefined, 0, 1, 3);
    const given = { sequence: some(0, 7, 8, 9, 10, 99, 999_999_999), left: below(10) };
    const block = renderTries({ ...given, ...(revert && { revert }), ...(newLeft !== undefined && { newLeft }) });
    return some(block, block, block, block, damaged(block, below(90), below(256)));
  };
  return Array.from({ length: count }, () => ({
    a: record(),
    b: record(),
    tries: count_(),
    there: some(15, 15, 7, 3, 1, 2, 4, 8, 0, below(16)),
    host: some(undefined, 0, 0, 1, 2, 3),
  }));
}

/** The newer record, and the count, with each byte that matters damaged. */
function damagedStates(): State[] {
  const a = renderPointer({ sequence: 9, good: 'a-1', tries: 0 });
  const b = renderPointer({ sequence: 10, good: 'a-1', previous: 'c-3', trial: 'b-2', tries: 3 });
  const tries = renderTries({ sequence: 10, left: 2, newLeft: 1 });
  const length = (block: Buffer) => block.lastIndexOf('\n') + 1;
  return [
    ...Array.from({ length: length(b) }, (_, at) => ({
      a,
      b: damaged(b, at, (b[at] ?? 0) ^ 1),
      tries,
      there: 15,
      host: 0,
    })),
    ...Array.from({ length: length(tries) }, (_, at) => ({
      a,
      b,
      tries: damaged(tries, at, [10, 61, 0x5c, 0x39][at % 4] ?? 0),
      there: 15,
      host: 1,
    })),
  ];
}

function damaged(block: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(block);
  copy[at] = byte;
  return copy;
}

/** Small directories: GRUB goes through them name by name. */
function placeOf(number: number): string {
  return `${number % 30}/${Math.floor(number / 30)}`;
}

/** All states, each in a directory of its own. */
async function writeStates(root: string, states: readonly State[]): Promise<void> {
  for (let there = 0; there < 2 ** ids.length; there += 1) {
    await mkdir(join(root, 'slots', String(there)), { recursive: true });
    for (const [bit, id] of ids.entries()) {
      if ((there & (1 << bit)) === 0) continue;
      await mkdir(join(root, 'slots', String(there), id));
      await writeFile(join(root, 'slots', String(there), id, 'entry.cfg'), renderEntryConfig(entry(id)));
    }
  }
  for (let host = 0; host < 4; host += 1) {
    await mkdir(join(root, 'host', String(host)), { recursive: true });
    if (host & 1) await writeFile(join(root, 'host', String(host), 'hn-root-new.img'), 'image');
    if (host & 2) await writeFile(join(root, 'host', String(host), 'system-revert'), '');
  }
  for (const [number, { a, b, tries }] of states.entries()) {
    const directory = join(root, placeOf(number));
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'a.env'), a);
    await writeFile(join(directory, 'b.env'), b);
    await writeFile(join(directory, 'tries.env'), tries);
  }
}

/** A `grub.cfg` that goes through all states. */
function statesConfig(states: readonly State[]): string {
  return [
    `for module in ${scriptModules.join(' ')}; do insmod $module; done`,
    renderBootFunctions(),
    'function state {',
    '  set imprint_dir=(hd0)/$4',
    '  set imprint_slots=(hd0)/slots/$2',
    '  set imprint_host=$3',
    '  imprint_decide',
    '  imprint_list',
    '  imprint_settle',
    '  set imprint_counted=',
    '  if [ -n "$imprint_more" ]; then imprint_use; fi',
    '  echo "STATE $1 entry:$imprint_entry; kind:$imprint_kind; more:$imprint_more; counted:$imprint_counted; all:$imprint_all END"',
    '}',
    ...states.map(
      ({ there, host }, number) =>
        `state ${number} ${there} ${host === undefined ? '""' : `(hd0)/host/${host}`} ${placeOf(number)}`,
    ),
    'echo "ALL-STATES"',
    'exit',
  ].join('\n');
}

/** What GRUB prints for each state, by its number. The emulator is the same GRUB, as a program of this machine. */
async function grubSays(disk: LoopDisk, states: readonly State[]): Promise<Map<number, Record<string, string>>> {
  const map = join(disk.directory, 'device.map');
  const directory = join(disk.directory, 'grub');
  await mkdir(directory);
  await writeFile(map, `(hd0) ${disk.file}\n`);
  await writeFile(join(directory, 'grub.cfg'), statesConfig(states));
  const options = { timeout: 120_000, env: { TERM: 'dumb' } };
  const { stdout } = await systemProcesses.run('grub-emu', ['-m', map, '-d', directory], options);
  expect(stdout).toContain('ALL-STATES');
  const said = new Map<number, Record<string, string>>();
  for (const [, number, words = ''] of stdout.matchAll(/STATE (\d+) (.*?) END/g)) {
    said.set(Number(number), Object.fromEntries(words.split('; ').map((word) => word.split(':'))));
  }
  return said;
}
