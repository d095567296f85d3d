import { describe, expect, it } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import { compressionOf, recogniseContent } from './content-kind.ts';
import { tarHeaders } from './tar-writer.ts';

const bytes = (...values: number[]) => Buffer.concat([Buffer.from(values), Buffer.alloc(4096)]);

describe('recogniseContent', () => {
  it('knows archives by their first bytes', () => {
    const mtime = { seconds: 0, nanoseconds: 0 };
    const header = tarHeaders({ path: '' as RawPath, type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime });
    expect(recogniseContent(header)).toEqual({ kind: 'tar' });
    expect(recogniseContent(bytes(0x1f, 0x8b))).toEqual({ kind: 'compressed', compression: 'gzip' });
    expect(compressionOf(bytes(0x42, 0x5a, 0x68))).toBe('bzip2');
    expect(compressionOf(bytes(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0))).toBe('xz');
    expect(compressionOf(bytes(0x28, 0xb5, 0x2f, 0xfd))).toBe('zstd');
    expect(compressionOf(bytes(0x5a, 0x2a, 0x4d, 0x18))).toBe('zstd');
    expect(compressionOf(bytes(0x04, 0x22, 0x4d, 0x18))).toBe('lz4');
  });

  it('knows disks', () => {
    const mbr = Buffer.alloc(4096);
    mbr.set([0x55, 0xaa], 510);
    expect(recogniseContent(mbr)).toEqual({ kind: 'disk' });
    expect(recogniseContent(Buffer.from('QFI\xfb....', 'latin1'))).toEqual({ kind: 'disk' });
  });

  it('knows nothing of anything else', () => {
    expect(recogniseContent(Buffer.alloc(0))).toBeUndefined();
    expect(recogniseContent(Buffer.alloc(4096))).toBeUndefined();
    expect(recogniseContent(Buffer.from('#!/bin/sh\n'))).toBeUndefined();
  });
});
