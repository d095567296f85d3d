import { z } from 'zod';
import { defineOperation } from '../operation.ts';

/** One thing that is wrong in a store. */
export const storeDefectSchema = z.object({
  /** Path in the store. */
  file: z.string(),
  problem: z.string(),
  /** Versions that it touches: `web:3`. */
  versions: z.array(z.string()),
});
export type StoreDefect = z.infer<typeof storeDefectSchema>;

export const storeCheck = defineOperation({
  name: 'store.check',
  summary: 'Check every byte of the store',
  input: z.object({
    /** Tables of contents, manifests, records and signatures only, not the content of packs. */
    fast: z.boolean().default(false),
  }),
  output: z.object({
    versions: z.number(),
    manifests: z.number(),
    packs: z.number(),
    chunks: z.number(),
    /** Read and checked. */
    bytes: z.number(),
    defects: z.array(storeDefectSchema),
  }),
  errors: ['store-not-found', 'store-damaged', 'store-unreachable'],
  effect: 'read',
  runsOn: 'anywhere',
  long: true,
});

export const storeStat = defineOperation({
  name: 'store.stat',
  summary: 'Say what the store holds and what it takes',
  input: z.object({}),
  output: z.object({
    location: z.string(),
    images: z.number(),
    versions: z.number(),
    /** Bytes that all versions would take as plain files. */
    contentBytes: z.number(),
    packs: z.number(),
    packBytes: z.number(),
    manifestBytes: z.number(),
    /** Free on its file system. */
    freeBytes: z.number().optional(),
  }),
  errors: ['store-not-found'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});
