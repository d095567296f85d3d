import { open } from 'node:fs/promises';

/** Where the superblock lies, and in it its magic and its state (kernel documentation, ext4/super.rst). */
const superblock = { at: 1024, magic: 0x38, state: 0x3a, magicNumber: 0xef53, hasErrors: 2 } as const;

/** Whether the ext4 on a device or in a file was found to be damaged, by the kernel or by fsck. False for what is no ext4. */
export async function hasExt4Errors(path: string): Promise<boolean> {
  await using handle = await open(path, 'r');
  const block = Buffer.alloc(1024);
  const { bytesRead } = await handle.read(block, 0, block.length, superblock.at);
  if (bytesRead < block.length || block.readUInt16LE(superblock.magic) !== superblock.magicNumber) return false;
  return (block.readUInt16LE(superblock.state) & superblock.hasErrors) !== 0;
}
