import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RawPath, rawPath } from '../foundation/brand.ts';
import type { Entry } from '../image/entry.ts';
import { close, open, openFlags } from '../native/files.ts';
import { status } from '../native/status.ts';
import { hasAttributes, putAttributes } from './entry-attributes.ts';

let directory: string;
let path: RawPath;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'imprint-attributes-'));
  path = `${rawPath(directory)}/file` as RawPath;
  writeFileSync(join(directory, 'file'), '');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const entry = (mode: number): Entry => {
  const { uid, gid } = status(path);
  return { path: 'file' as RawPath, type: 'file', mode, uid, gid, mtime: { seconds: 1, nanoseconds: 2 } };
};

describe('attributes that are put', () => {
  const modes = [0, 0o400, 0o644, 0o755, 0o4755, 0o6711, 0o1777];
  it.each(modes)('are the entry’s, whatever was there before: mode %o', (mode) => {
    for (const before of modes) {
      for (const opened of [false, true]) {
        chmodSync(join(directory, 'file'), 0o600);
        const fd = opened ? open(path, openFlags.readOnly) : undefined;
        chmodSync(join(directory, 'file'), before);
        expect(putAttributes(entry(mode), path, fd)).toEqual([]);
        if (fd !== undefined) close(fd);
        expect(hasAttributes(entry(mode), path, status(path))).toBe(true);
      }
    }
  });

  it.skipIf(process.geteuid?.() !== 0)(
    'are another owner, with its set-user-id bit, and extended attributes in place of others',
    () => {
      const wanted = { ...entry(0o4755), uid: 12, gid: 13, xattrs: [{ name: 'trusted.b', value: Buffer.from('two') }] };
      putAttributes({ ...entry(0o4755), xattrs: [{ name: 'trusted.a', value: Buffer.from('one') }] }, path);
      putAttributes(wanted, path);
      expect(hasAttributes(wanted, path, status(path))).toBe(true);
    },
  );
});
