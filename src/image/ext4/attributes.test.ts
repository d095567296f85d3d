import { describe, expect, it } from 'vitest';
import { attributeRoom, storeAttributes } from './attributes.ts';

const value = (length: number) => Buffer.alloc(length, 'v');

describe('extended attributes on ext4', () => {
  it('lie in the inode where there is room', () => {
    const { inode, block } = storeAttributes([{ name: 'security.capability', value: value(20) }]);
    expect(block).toBeUndefined();
    expect(inode).toHaveLength(attributeRoom);
    expect(inode?.readUInt32LE(0)).toBe(0xea020000);
    // name length, name space “security.”, and the value at the very end
    expect([...(inode?.subarray(4, 6) ?? [])]).toEqual([10, 6]);
    expect(inode?.subarray(-20)).toEqual(value(20));
  });

  it('lie in a block of their own where there is not, sorted as the kernel sorts them', () => {
    const { inode, block } = storeAttributes([
      { name: 'security.x', value: value(1) },
      { name: 'user.long name', value: value(2000) },
      { name: 'user.b', value: value(4) },
    ]);
    expect(inode).toBeUndefined();
    const names: string[] = [];
    for (let at = 32; block?.[at] !== 0; at += (16 + (block?.[at] ?? 0) + 3) & ~3) {
      names.push(`${block?.[at + 1]}:${block?.toString('latin1', at + 16, at + 16 + (block[at] ?? 0))}`);
    }
    expect(names).toEqual(['1:b', '1:long name', '6:x']);
  });

  it('hold ACLs in ext4’s short form', () => {
    const acl = Buffer.from(
      '0200000001000600ffffffff02000700e903000004000400ffffffff10000700ffffffff20000400ffffffff',
      'hex',
    );
    const { inode } = storeAttributes([{ name: 'system.posix_acl_access', value: acl }]);
    const short = Buffer.from('010000000100060002000700e9030000040004001000070020000400', 'hex');
    expect(inode?.subarray(-short.length)).toEqual(short);
  });

  it('are refused where they are too many, of no name space that is known, or no ACL', () => {
    expect(() => storeAttributes([{ name: 'user.x', value: value(5000) }])).toThrow('ext4 holds 4096');
    expect(() => storeAttributes([{ name: 'ntfs.x', value: value(1) }])).toThrow('no place');
    expect(() => storeAttributes([{ name: 'system.posix_acl_default', value: value(3) }])).toThrow('ACL');
  });
});
