import { z } from 'zod';

/** What lies on a partition of a disk, as far as its type and its first sectors tell (`machine/partition-kind.ts`). */
export const partitionKindSchema = z.enum([
  ...(['linux', 'raid', 'lvm', 'luks', 'esp', 'windows'] as const),
  ...(['recovery', 'vendor', 'other', 'unknown', 'empty'] as const),
]);
export type PartitionKind = z.infer<typeof partitionKindSchema>;

const words = ['all', ...partitionKindSchema.options].join('|');
/** What an install by a built-in layout may erase beside Linux: kinds with commas between, or `all`. */
export const eraseKindsSchema = z
  .string()
  .regex(new RegExp(`^(${words})(,(${words}))*$`), `must be of ${words.replaceAll('|', ', ')}, with commas between`);
