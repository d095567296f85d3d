import { z } from 'zod';
import { defineOperation } from '../operation.ts';

/** One thing that is wrong in a store. */
export const storeDefectSchema = z.object({
  kind: z.string(),
  /** The file, from the store. */
  path: z.string(),
  /** Of the error catalogue. */
  code: z.string(),
  problem: z.string(),
  /** Versions that it touches: `web:3`. */
  affects: z.array(z.string()),
});
export type StoreDefect = z.infer<typeof storeDefectSchema>;

export const storeCheck = defineOperation({
  name: 'store.check',
  summary: 'Check every byte of the store',
  input: z.object({}),
  output: z.object({ store: z.string(), versions: z.number(), defects: z.array(storeDefectSchema) }),
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
