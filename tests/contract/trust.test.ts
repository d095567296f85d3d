import { spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { ImprintError } from '../../src/foundation/errors.ts';
import { FormatError } from '../../src/image/format-error.ts';
import { parseTrustDocument, parseTrustStart, succeedTrust } from '../../src/image/trust-document.ts';
import { openTrustMemory } from '../../src/store/trust-memory.ts';
import { createGuard } from '../../src/store/version-guard.ts';
import { temporaryDirectory } from './store-fixture.ts';
import { memoryOf, storeOf, versionOf } from './trust-places.ts';
import { makeCases, signers, type TrustCase } from './trust-vectors.ts';

const fixture = join(import.meta.dirname, '../fixtures/trust/cases.json');

if (process.env.IMPRINT_MAKE_FIXTURE) {
  await mkdir(join(fixture, '..'), { recursive: true });
  await writeFile(fixture, `${JSON.stringify(makeCases(), undefined, 1)}\n`);
}

const cases: TrustCase[] = JSON.parse(await readFile(fixture, 'utf8'));

test('the vectors are those that the specification was written with', () => {
  expect(cases).toEqual(JSON.parse(JSON.stringify(makeCases())));
});

describe('a reader', () => {
  test.each(cases.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
    await using directory = await temporaryDirectory();
    const store = await storeOf(directory.path, each);
    const seen = each.seen === undefined ? undefined : versionOf(each.seen);
    const memory = memoryOf(seen);
    const start = parseTrustStart(each.start);
    const clock = { ...systemClock, now: () => Date.parse(each.now) };
    const guard = createGuard({ start, memory, clock });
    const version = await store.find(`web:${each.wanted}`);
    const answer = await guard.check(version, each.purpose, store).then(
      () => 'ok',
      (error) => (error instanceof ImprintError ? error.code : error),
    );
    expect(answer).toBe(each.answer);
  });
});

test('what was seen is remembered, and counts after the store has gone back', async () => {
  await using directory = await temporaryDirectory();
  const [each] = cases.filter(({ name }) => name === 'a rollback above the floor');
  const all = each as TrustCase;
  const start = parseTrustStart(all.start);
  const guard = () =>
    createGuard({ start, memory: openTrustMemory(join(directory.path, 'trust'), start), clock: systemClock });
  const store = await storeOf(join(directory.path, 'new'), all);
  const old = await storeOf(join(directory.path, 'old'), { ...all, versions: all.versions.slice(0, 2) });
  const first = await old.find('web:1');
  await guard().check(first, 'use', old);
  await guard().check(await store.find('web:3'), 'use', store);
  await expect(guard().check(first, 'use', old)).rejects.toMatchObject({ code: 'version-withdrawn' });
  await guard().check(await old.find('web:2'), 'use', old);
});

test('a newer trust document is remembered, and its predecessors’ keys do not come back', async () => {
  await using directory = await temporaryDirectory();
  const team = cases.find(({ name }) => name === 'rotated to a team: the release key signs') as TrustCase;
  const before = cases.find(({ name }) => name === 'a single key is all: it signed') as TrustCase;
  const start = parseTrustStart(team.start);
  const guard = () =>
    createGuard({ start, memory: openTrustMemory(join(directory.path, 'trust'), start), clock: systemClock });
  const now = await storeOf(join(directory.path, 'now'), team);
  const then = await storeOf(join(directory.path, 'then'), before);
  await guard().check(await then.find('web:1'), 'use', then);
  await guard().check(await now.find('web:1'), 'use', now);
  await expect(guard().check(await then.find('web:1'), 'use', then)).rejects.toMatchObject({ code: 'signature-wrong' });
});

test('a memory that is damaged is told, and one that cannot be written does no harm', async () => {
  await using directory = await temporaryDirectory();
  const each = cases.find(({ name }) => name === 'a rollback above the floor') as TrustCase;
  const start = parseTrustStart(each.start);
  const store = await storeOf(join(directory.path, 'store'), each);
  const memory = openTrustMemory(join(directory.path, 'trust'), start);
  const guard = createGuard({ start, memory, clock: systemClock });
  const version = await store.find('web:3');
  await guard.check(version, 'use', store);
  const path = join(memory.directory, 'seen/web.json');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.slice(0, -9));
  await expect(guard.check(version, 'use', store)).rejects.toMatchObject({ code: 'trust-wrong' });
  // Readable, but changed: it is evidence of nothing, and the next look mends it.
  await writeFile(path, text.replace('manifestBytes', 'manifestbytes'));
  await expect(guard.check(version, 'use', store)).rejects.toMatchObject({ code: 'trust-wrong' });
  await writeFile(path, text.replace('\\"floor\\":2', '\\"floor\\":3'));
  await guard.check(version, 'use', store);
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('nothing but a FormatError comes out of documents that are not such, and no bit of one is free', () => {
  const [one, two] = (cases.find(({ name }) => name === 'rotated to a team: the release key signs') as TrustCase)
    .documents;
  if (one === undefined || two === undefined) throw new Error('there are two');
  const first = parseTrustDocument(one.text);
  expect(succeedTrust(first, two.text, two.signatures).version).toBe(2);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.string().map((tail) => `{${tail}`),
      ),
      (junk) => {
        expect(() => parseTrustStart(junk)).toThrow(FormatError);
        expect(() => succeedTrust(first, junk, two.signatures)).toThrow(FormatError);
        expect(() => succeedTrust(first, two.text, junk)).toThrow(FormatError);
      },
    ),
  );
  fc.assert(
    fc.property(fc.nat(two.text.length - 1), fc.nat(7), (at, bit) => {
      const bytes = Buffer.from(two.text);
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      expect(() => succeedTrust(first, bytes.toString('latin1'), two.signatures)).toThrow(FormatError);
    }),
    { numRuns: 300 },
  );
  // Any shape of a value that is JSON is either a document that was signed, or none.
  const value = JSON.parse(two.text);
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(value)), fc.jsonValue(), (key, other) => {
      fc.pre(JSON.stringify(other) !== JSON.stringify(value[key]));
      const text = JSON.stringify({ ...value, [key]: other });
      expect(() => succeedTrust(first, text, two.signatures)).toThrow(FormatError);
    }),
  );
});

test.skipIf(spawnSync('minisign', ['-v']).error !== undefined)('minisign reads the vectors’ signatures', async () => {
  await using directory = await temporaryDirectory();
  const each = cases.find(({ name }) => name === 'two must sign, and did') as TrustCase;
  const [version] = each.versions;
  await writeFile(join(directory.path, '1.json'), version?.record ?? '');
  await writeFile(join(directory.path, '1.json.minisig'), version?.signatures ?? '');
  const key = `${signers.release.publicKey.id}`;
  expect(version?.signatures).toContain(key);
  const { formatPublicKey } = await import('../../src/image/signature.ts');
  await writeFile(join(directory.path, 'release.pub'), formatPublicKey(signers.release.publicKey));
  const run = spawnSync('minisign', ['-V', '-p', 'release.pub', '-m', '1.json'], { cwd: directory.path });
  expect(run.status).toBe(0);
});
