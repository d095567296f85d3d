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
  input: z.object({
    /** Puts right what can be put right. */
    repair: z.boolean().default(false),
    /** Where lost content may still be: directories or URLs of stores, directories that hold what a version holds. */
    from: z.array(z.string().min(1)).default([]),
  }),
  output: z.object({
    store: z.string(),
    versions: z.number(),
    /** What is wrong; after a repair, what is left. */
    defects: z.array(storeDefectSchema),
    /** What a repair has put right, and how. */
    repaired: z.array(z.object({ path: z.string(), how: z.string() })).optional(),
  }),
  errors: ['store-not-found', 'store-damaged', 'store-unreachable', 'store-locked', 'disk-full', 'read-only'],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});

export const storeCollect = defineOperation({
  name: 'store.gc',
  summary: 'Free what nobody needs any longer',
  input: z.object({
    /** Milliseconds for which packs that nobody needs stay for those who read over HTTP. */
    grace: z.number().min(0).default(3_600_000),
    dryRun: z.boolean().default(false),
  }),
  output: z.object({
    store: z.string(),
    manifestsDeleted: z.number(),
    packsDeleted: z.number(),
    /** Of the packs that went. */
    bytesFreed: z.number(),
    packsWaiting: z.number(),
    bytesWaiting: z.number(),
    /** ISO 8601: when the grace period of the last of them ends; absent where none waits for that. */
    waitingUntil: z.string().optional(),
    packsRewritten: z.number(),
    bytesWritten: z.number(),
    bytesUnreferenced: z.number(),
  }),
  errors: ['store-not-found', 'store-locked', 'corrupt-record', 'corrupt-manifest', 'disk-full', 'read-only'],
  effect: 'destroy',
  runsOn: 'anywhere',
  long: true,
});

/** What a version takes. */
export const versionUsageSchema = z.object({
  reference: z.string(),
  created: z.string(),
  /** As plain files. */
  contentBytes: z.number(),
  /** Of content that no older version has: as plain bytes, and as it is stored. */
  addedBytes: z.number(),
  addedStoredBytes: z.number(),
  /** Stored bytes that no other version needs: what removing it would free in the end. */
  ownStoredBytes: z.number(),
});
export type VersionUsage = z.infer<typeof versionUsageSchema>;

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
    /** Bytes of all different chunks that versions need: as they are, and as they are stored. */
    uniqueBytes: z.number(),
    storedBytes: z.number(),
    packs: z.number(),
    packBytes: z.number(),
    manifestBytes: z.number(),
    /** Of packs: what no version needs. A collection frees most of it. */
    unneededBytes: z.number(),
    /** Oldest first. */
    perVersion: z.array(versionUsageSchema),
    /** Free on its file system. */
    freeBytes: z.number().optional(),
  }),
  errors: ['store-not-found', 'corrupt-record', 'corrupt-manifest'],
  effect: 'read',
  runsOn: 'anywhere',
  long: true,
});
