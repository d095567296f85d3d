import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readTar } from '../../src/image/tar.ts';
import { systemProcesses } from '../../src/system/run.ts';

let work: string;
const longName = 'n'.repeat(200);
const segments = [
  { offset: 1 << 20, length: 4096 },
  ...Array.from({ length: 30 }, (_, index) => ({ offset: (index + 2) << 20, length: 4096 })),
];

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'imprint-tar-'));
  await writeFile(join(work, longName), 'long');
  await symlink('t'.repeat(300), join(work, 'link'));
  await using sparse = await open(join(work, 'sparse'), 'w');
  for (const { offset, length } of segments) await sparse.write(Buffer.alloc(length, 'data'), 0, length, offset);
  await sparse.truncate(40 << 20);
});
afterAll(() => rm(work, { recursive: true, force: true }));

it.each([
  ['--format=gnu'],
  ['--format=oldgnu'],
  ['--format=pax', '--sparse-version=0.0'],
  ['--format=pax', '--sparse-version=0.1'],
  ['--format=pax', '--sparse-version=1.0'],
])('reads what GNU tar writes with %s %s', async (...options) => {
  const archive = join(work, '..', `${work.split('/').at(-1)}.tar`);
  try {
    await systemProcesses.run('tar', ['-C', work, ...options.filter(Boolean), '--sparse', '-cf', archive, '.']);
    const found = new Map<string, { size: number; target: string; segments: unknown; content: string }>();
    for await (const member of readTar(createReadStream(archive, { highWaterMark: 7777 }), archive)) {
      const parts: Uint8Array[] = [];
      for await (const piece of member.content()) parts.push(piece);
      const { size, target } = member;
      found.set(member.path, { size, target, segments: member.segments, content: Buffer.concat(parts).toString() });
    }
    expect(found.get(`./${longName}`)?.content).toBe('long');
    expect(found.get('./link')?.target).toBe('t'.repeat(300));
    const sparse = found.get('./sparse');
    expect(sparse?.size).toBe(40 << 20);
    expect(sparse?.segments).toEqual(segments);
    expect(sparse?.content).toBe('data'.repeat((segments.length * 4096) / 4));
  } finally {
    await rm(archive, { force: true });
  }
});
