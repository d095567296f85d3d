import type { z } from 'zod';
import type { rootFileSystemSchema } from '../contract/machine.ts';

/** A file system that a root can lie on. */
export type RootFileSystem = z.infer<typeof rootFileSystemSchema>;

/** The module with which GRUB reads it. */
export const grubModuleOf: Readonly<Record<RootFileSystem, string>> = { ext4: 'ext2', xfs: 'xfs', btrfs: 'btrfs' };
