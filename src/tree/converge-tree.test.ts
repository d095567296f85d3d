import { hash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Digest, type RawPath, rawPath } from '../foundation/brand.ts';
import { Task } from '../foundation/task.ts';
import { comparePaths, type Entry, type WantedEntries } from '../image/entry.ts';
import { convergeTree, type TreeContent } from './converge-tree.ts';

let target: string;
beforeEach(() => {
  target = mkdtempSync(join(tmpdir(), 'imprint-converge-'));
});
afterEach(() => rmSync(target, { recursive: true, force: true }));

/** A version of files with their content, of symlinks (`→target`), of directories (undefined); memory is used again for each content, as it may be. */
function version(
  files: Record<string, string | undefined>,
  seconds = 7,
): TreeContent & { asked: string[]; told: number } {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mtime: { seconds, nanoseconds: 5 } };
  const contents = new Map<string, Buffer>();
  const entries = Object.entries<string | undefined>({ '': undefined, ...files }).map(([path, text]): Entry => {
    const common = { ...own, path: path as RawPath };
    if (text === undefined) return { ...common, type: 'directory', mode: 0o755 };
    if (text.startsWith('→')) return { ...common, type: 'symlink', mode: 0o777, target: text.slice(1) as RawPath };
    const bytes = Buffer.from(text);
    contents.set(hash('sha256', bytes), bytes);
    const chunks = bytes.length === 0 ? [] : [{ hash: hash('sha256', bytes, 'buffer'), length: bytes.length }];
    return { ...common, type: 'file', mode: 0o644, size: bytes.length, chunks };
  });
  entries.sort((left, right) => comparePaths(left.path, right.path));
  const memory = Buffer.alloc(100);
  const made = {
    digest: `sha256:${'0'.repeat(64)}` as Digest,
    asked: [] as string[],
    told: 0,
    async *entries(wanted: WantedEntries = () => true) {
      const picked = entries.map((entry, row) => (wanted(row) ? entry : undefined));
      made.told += picked.filter((entry) => entry !== undefined).length;
      // In batches of any length.
      yield picked.slice(0, 2);
      yield picked.slice(2);
    },
    async content(name: string) {
      const bytes = contents.get(name);
      if (bytes === undefined) throw new Error('no such content');
      made.asked.push(bytes.toString());
      bytes.copy(memory.fill(0));
      return memory.subarray(0, bytes.length);
    },
  };
  return made as typeof made & TreeContent;
}

describe('a tree that becomes a version', () => {
  it('is written where it differs, and of the version no more is read for it', async () => {
    const one = version({
      etc: undefined,
      'etc/a': 'alpha',
      'etc/b': 'beta',
      'etc/gone': 'x',
      usr: undefined,
      'usr/c': '',
    });
    const two = version({
      etc: undefined,
      'etc/a': 'alpha',
      'etc/b': 'BETA',
      'etc/l': '→a',
      usr: undefined,
      'usr/c': '',
    });
    const known = { entries: () => one.entries() };
    await convergeTree({ target: rawPath(target), to: one, task: Task.silent() });
    expect(one.asked).toEqual(['alpha', 'beta', 'x']);
    two.told = 0;
    const report = await convergeTree({ target: rawPath(target), to: two, from: known, task: Task.silent() });
    // All were looked at once; then the file, the link and the directory that holds them.
    expect(two.told).toBe(7 + 3);
    expect(two.asked).toEqual(['BETA']);
    expect(report).toMatchObject({ files: 1, bytes: 4, removed: 1 });
    expect(readdirSync(join(target, 'etc'))).toEqual(['a', 'b', 'l']);
    expect(readFileSync(join(target, 'etc/b'), 'utf8')).toBe('BETA');
    expect(readlinkSync(join(target, 'etc/l'))).toBe('a');
    await report.verify(rawPath(target), Task.silent());
    const again = await convergeTree({
      target: rawPath(target),
      to: two,
      from: { entries: () => two.entries() },
      task: Task.silent(),
    });
    expect(again).toMatchObject({ files: 0, bytes: 0, removed: 0, kept: 7 });
  });

  it('gives a directory its time again from which something went, or in which a kind changed', async () => {
    const wanted = version({ a: undefined, 'a/b': undefined, 'a/b/c': 'c', d: undefined, 'd/e': 'e' });
    await convergeTree({ target: rawPath(target), to: wanted, task: Task.silent() });
    writeFileSync(join(target, 'a/b/stray'), 'x');
    rmSync(join(target, 'd/e'));
    mkdirSync(join(target, 'd/e/f'), { recursive: true });
    const report = await convergeTree({ target: rawPath(target), to: wanted, task: Task.silent() });
    expect(report).toMatchObject({ removed: 3 });
    const idle = await convergeTree({ target: rawPath(target), to: wanted, task: Task.silent() });
    expect(idle).toMatchObject({ files: 0, removed: 0, kept: 6 });
    writeFileSync(join(target, 'd/e'), 'E');
    await expect(report.verify(rawPath(target), Task.silent())).rejects.toMatchObject({ code: 'tree-differs' });
  });
});
