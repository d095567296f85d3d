import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BootCopy } from '../../contract/boot-copy.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { openCopy, writeCopy } from './copy-file.ts';
import type { MemberContent } from './scan-boot.ts';

const { signal } = new AbortController();
const member = (text: string): MemberContent => ({ size: text.length, pieces: () => [Buffer.from(text, 'latin1')] });
const sha256 = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex');
const long = `esp-1/files/EFI/${'a long name '.repeat(12)}.efi`;
const hash = 'a'.repeat(64);

const record: BootCopy = {
  ...{ imprint: 'boot-copy', format: 1, created: '2026-11-21T18:00:00.000Z', machine: { name: 'web01' } },
  disk: { path: '/dev/sda', size: 1000, sectorSize: 512 },
  table: { label: 'mbr', id: '1234abcd', hash, partitions: [] },
  areas: [
    { part: 'code', name: 'boot-code', offset: 0, length: 4, sha256: sha256('code'), file: 'disk/boot-code.bin' },
  ],
  volumes: [
    {
      ...{ partition: 1, offset: 0, size: 100, volumeId: 'CAFE1234', label: '', directories: [] },
      files: [
        { path: 'x.efi', size: 2, sha256: sha256('MZ'), modified: 0, runs: [{ offset: 0, length: 64 }], file: long },
      ],
      own: { runs: [], sha256: sha256(''), file: 'esp-1/tables.bin' },
    },
  ],
  ...{ variables: [], environments: [], problems: [] },
};
const contents = new Map([
  ['disk/boot-code.bin', member('code')],
  [long, member('MZ')],
  ['esp-1/tables.bin', member('')],
]);

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'imprint-copy-test-'));
  file = join(directory, 'copy.tar.gz');
  await writeCopy(file, { record, contents }, signal);
});
afterEach(() => rm(directory, { recursive: true }));

/** What opening it says: `whole`, or the code of the error. */
async function opened(): Promise<string> {
  try {
    await using copy = await openCopy(file, signal);
    expect(copy.record.disk.size).toBe(1000);
    return 'whole';
  } catch (thrown) {
    if (thrown instanceof ImprintError) return thrown.code;
    throw thrown;
  }
}

describe('a safety copy', () => {
  it('is for its owner alone, leaves nothing beside it, and gives back every member', async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['copy.tar.gz']);
    await using copy = await openCopy(file, signal);
    expect(copy.record).toEqual(record);
    expect(String(await copy.bytes('disk/boot-code.bin'))).toBe('code');
    expect(String(await copy.bytes('disk/boot-code.bin', 1, 2))).toBe('od');
    expect(String(await copy.bytes(long))).toBe('MZ');
  });

  it('is refused where a byte of a member is another, where one is missing, and where it is of a later form', async () => {
    const archive = gunzipSync(await readFile(file)).toString('latin1');
    for (const bad of [
      archive.replace('code\0', 'code'),
      archive.replace('\0code\0', '\0c0de\0'),
      archive.replaceAll('disk/boot-code.bin\0', 'disk/boot-code.bi\0\0'),
      archive.replace('"format": 1', '"format": 2'),
      archive.replaceAll('disk/boot-code.bin"', '../../etc/passwd"'),
      archive.slice(0, 2000),
      '',
    ]) {
      await writeFile(file, gzipSync(Buffer.from(bad, 'latin1')));
      expect(await opened()).toBe('boot-copy-invalid');
    }
  });

  it('is whole or refused, whatever it holds', async () => {
    const archive = gunzipSync(await readFile(file));
    const edits = fc.array(fc.tuple(fc.nat(archive.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(edits, fc.boolean(), async (changes, packed) => {
        const bytes = packed ? gzipSync(archive) : Buffer.from(archive);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        await writeFile(file, packed ? bytes : gzipSync(bytes));
        expect(['whole', 'boot-copy-invalid']).toContain(await opened());
      }),
      { numRuns: 60 },
    );
  });
});
