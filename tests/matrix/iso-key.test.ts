import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type KeyTestResult,
  keyAddInputSchema,
  keyCreateInputSchema,
  keyTestInputSchema,
} from '../../src/contract/operations/keys.ts';
import { Task } from '../../src/foundation/task.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { addIsos } from '../../src/operations/keys/add-isos.ts';
import { createKey } from '../../src/operations/keys/create-key.ts';
import { testKey } from '../../src/operations/keys/test-key.ts';
import { silentLog } from '../../src/operations/log.ts';
import { type IsoFiles, isoFiles } from '../lab/iso-files.ts';
import { shareOfColour } from '../lab/picture.ts';
import { record } from './table.ts';

const row = 'a key of real ISO files';
const minute = 60_000;
type Expected = Pick<KeyTestResult, 'verdict'> & {
  stage?: KeyTestResult['stage'];
  /** Said on the serial line. */
  log?: string;
  /** What most of the screen is filled with at the end. */
  colour?: readonly [red: number, green: number, blue: number];
};
const runs = { verdict: 'runs' } as const;
const refused = { verdict: 'refused' } as const;

/** Said when the root of the ISO itself is mounted, and gone over to. */
const liveRoot = 'Mounting "/run/live/medium/live/filesystem.squashfs"';
const dracutRoot = 'initrd-switch-root.target';

/** What each must come to. */
const expected: Record<keyof IsoFiles, Record<'bios' | 'uefi', Expected>> = {
  live: { bios: { ...runs, log: liveRoot }, uefi: { ...runs, log: liveRoot } },
  dracut: { bios: { ...runs, log: dracutRoot }, uefi: { ...runs, log: dracutRoot } },
  // A menu of its own, whose kernel nobody can tell to speak on the serial line: read off the screen, where that is text. Elsewhere the picture shows the installer,
  // which has most of it blue.
  loopback: { bios: runs, uefi: { verdict: 'unclear', stage: 'chosen', colour: [0, 0, 170] } },
  installer: { bios: runs, uefi: runs },
  memtest: { bios: refused, uefi: runs },
  ipxe: { bios: runs, uefi: refused },
  rescue: { bios: runs, uefi: refused },
};

let work: string;
let context: Context;
let key: string;
let files: IsoFiles;
/** SHA-256 of the key before anything was started from it. */
let whole: string;

beforeAll(async () => {
  files = await isoFiles();
  work = await mkdtemp(join(tmpdir(), 'imprint-iso-key-'));
  context = createContext({ data: join(work, 'data'), log: silentLog });
  key = join(work, 'key.img');
  const create = keyCreateInputSchema.parse({ target: key, size: 2 * 2 ** 30, imager: false });
  await createKey(context, create, Task.silent());
  await addIsos(context, keyAddInputSchema.parse({ key, isos: Object.values(files) }), Task.silent());
  whole = await hashOf(key);
}, 15 * minute);

afterAll(async () => {
  await context?.[Symbol.asyncDispose]();
  if (work !== undefined) await rm(work, { recursive: true, force: true });
});

for (const firmware of ['bios', 'uefi'] as const)
  for (const name of Object.keys(expected) as (keyof IsoFiles)[]) {
    const wish = expected[name][firmware];
    it(
      `${name} on ${firmware}`,
      async () => {
        const began = performance.now();
        const seconds = () => (performance.now() - began) / 1000;
        const iso = basename(files[name]);
        const directory = join(work, 'logs');
        const input = keyTestInputSchema.parse({ key, isos: [iso], firmware, limit: 500, directory });
        const { results } = await testKey(context, input, Task.silent());
        const [result] = results;
        record({ row, name: `${name}, ${firmware}`, seconds, outcome: `${result?.verdict}: ${result?.said ?? ''}` });
        const { log, colour, ...wanted } = wish;
        const said = result === undefined ? '' : await readFile(result.log, 'latin1');
        expect(result, said.slice(-3000)).toMatchObject({ iso, firmware, ...wanted });
        if (result?.picture !== undefined) expect((await stat(result.picture)).size).toBeGreaterThan(100);
        if (colour !== undefined) expect(await shareOfColour(result?.picture ?? '', colour)).toBeGreaterThan(0.5);
        if (log !== undefined) expect(said).toContain(log);
      },
      10 * minute,
    );
  }

it('was never written', async () => {
  expect(await hashOf(key)).toBe(whole);
});

async function hashOf(file: string): Promise<string> {
  const sum = createHash('sha256');
  await pipeline(createReadStream(file), sum);
  return sum.digest('hex');
}
