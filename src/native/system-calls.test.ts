import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RawPath, rawPath } from '../foundation/brand.ts';
import * as attributes from './attributes.ts';
import * as files from './files.ts';
import { NativeBuffer } from './native-buffer.ts';
import * as nodes from './nodes.ts';
import * as statuses from './status.ts';

const libc = { ...attributes, ...files, ...nodes, ...statuses };

let directory: string;
const at = (name: string) => `${rawPath(directory)}/${name}` as RawPath;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'imprint-libc-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('libc', () => {
  it('creates a file exclusively and sets its time to the nanosecond', () => {
    const path = at('file');
    const { writeOnly, create, exclusive, noFollow } = libc.openFlags;
    const flags = writeOnly | create | exclusive | noFollow;
    const fd = libc.open(path, flags, 0o640);
    const buffer = new NativeBuffer(1000);
    buffer.bytes.fill('x');
    libc.writeAt(fd, buffer.at(10), 500, 100);
    libc.setMode(fd, 0o600);
    libc.setModifiedTime(fd, -1, 999_999_999);
    libc.close(fd);
    const status = libc.status(path);
    expect(status).toMatchObject({ mode: 0o100600, size: 600, links: 1, mtimeSeconds: -1 });
    expect(status.mtimeNanoseconds).toBe(999_999_999);
    expect(() => libc.open(path, flags)).toThrow(expect.objectContaining({ code: 'EEXIST', syscall: 'open' }));
  });

  it('keeps times before 1970 and after 2038', () => {
    writeFileSync(join(directory, 'time'), '');
    for (const seconds of [0, 1, -2_000_000_000, 2 ** 31, 5_000_000_000]) {
      libc.setModifiedTime(at('time'), seconds, 123_456_789);
      expect(libc.status(at('time'))).toMatchObject({ mtimeSeconds: seconds, mtimeNanoseconds: 123_456_789 });
    }
  });

  it('agrees with node:fs about status', () => {
    writeFileSync(join(directory, 'a'), 'content');
    const ours = libc.status(at('a'));
    const theirs = statSync(join(directory, 'a'), { bigint: true });
    expect(ours.inode).toBe(theirs.ino);
    expect(BigInt(ours.mtimeSeconds) * 1_000_000_000n + BigInt(ours.mtimeNanoseconds)).toBe(theirs.mtimeNs);
    expect(BigInt(ours.ctimeSeconds) * 1_000_000_000n + BigInt(ours.ctimeNanoseconds)).toBe(theirs.ctimeNs);
    expect([ours.size, ours.uid, ours.gid, ours.blocks]).toEqual([
      7,
      Number(theirs.uid),
      Number(theirs.gid),
      Number(theirs.blocks),
    ]);
  });

  it('reads names and symbolic links of any bytes', () => {
    const name = 'line\nbreak \xff\xfe' as RawPath;
    libc.symlink('t\xe9\n\xff' as RawPath, at(name));
    expect(libc.readDirectory(rawPath(directory))).toEqual([name]);
    expect(libc.readLink(at(name))).toBe('t\xe9\n\xff');
    libc.link(at(name), at('second'));
    expect(libc.status(at('second'))).toMatchObject({ links: 2 });
  });

  it('reads directories of many names', () => {
    for (let index = 0; index < 2000; index += 1) {
      libc.close(libc.open(at(`name-${index}`), libc.openFlags.writeOnly | libc.openFlags.create, 0o600));
    }
    expect(new Set(libc.readDirectory(rawPath(directory))).size).toBe(2000);
  });

  it('reaches paths longer than the kernel takes at once', () => {
    let path = rawPath(directory) as string;
    for (let depth = 0; depth < 40; depth += 1) {
      path += `/${'d'.repeat(240)}`;
      libc.makeDirectory(path as RawPath, 0o700);
    }
    const file = `${path}/end` as RawPath;
    expect(file.length).toBeGreaterThan(9000);
    libc.makeNode(file, 0o010000, 0o600);
    libc.link(file, `${path}/twin` as RawPath);
    expect(libc.status(file).mode & 0o170000).toBe(0o010000);
    expect(libc.readDirectory(path as RawPath).sort()).toEqual(['end', 'twin']);
  });

  it('finds holes', () => {
    const fd = libc.open(at('sparse'), libc.openFlags.readWrite | libc.openFlags.create, 0o600);
    const buffer = new NativeBuffer(4096);
    buffer.bytes.fill(1);
    libc.truncate(fd, 10_000_000);
    libc.writeAt(fd, buffer.pointer, 4096, 4_096_000);
    expect(libc.seekData(fd, 0)).toBeGreaterThan(0);
    expect(libc.seekHole(fd, 4_096_000)).toBeLessThan(10_000_000);
    expect(libc.seekData(fd, 9_000_000)).toBe(-1);
    libc.close(fd);
  });

  it('sets and reads extended attributes', () => {
    writeFileSync(join(directory, 'x'), '');
    libc.setXattr(at('x'), 'user.zwei', Buffer.from([0, 1, 255]));
    libc.setXattr(at('x'), 'user.eins', new Uint8Array(0));
    expect(libc.readXattrs(at('x')).map(({ name, value }) => [name, [...value]])).toEqual([
      ['user.eins', []],
      ['user.zwei', [0, 1, 255]],
    ]);
    libc.removeXattr(at('x'), 'user.eins');
    expect(libc.readXattrs(at('x'))).toHaveLength(1);
  });

  it('locks one opener out while another holds', () => {
    const first = libc.open(at('lock'), libc.openFlags.readWrite | libc.openFlags.create, 0o600);
    const second = libc.open(at('lock'), libc.openFlags.readWrite);
    expect(libc.tryLock(first, 'exclusive')).toBe(true);
    expect(libc.tryLock(second, 'exclusive')).toBe(false);
    libc.close(first);
    expect(libc.tryLock(second, 'exclusive')).toBe(true);
    libc.close(second);
  });

  it('says what failed, on what', () => {
    const missing = at('not-there');
    expect(() => libc.status(missing)).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'statx', path: join(directory, 'not-there') }),
    );
    expect(() => libc.status('a\0b' as RawPath)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(readFileSync('/proc/self/comm')).toBeTruthy();
  });
});
