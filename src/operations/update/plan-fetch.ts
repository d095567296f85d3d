import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '../../foundation/brand.ts';
import type { ChunkLocation } from '../../store/store.ts';
import { type FetchRequest, readBase } from './fetch-update.ts';
import { FetchedPacks } from './fetched-packs.ts';
import { LocalChunks } from './local-chunks.ts';

/** What `fetchUpdate` would take over the wire. */
export interface FetchPlan {
  /** At most; exactly where a bundle lies ready. */
  bytes: number;
  requests: number;
  /** Whether the store has a bundle for it, or makes one when it is asked. */
  bundle: 'ready' | 'later' | 'none';
}

/** Looks what is missing, and fetches none of it. Errors: `store-unreachable`, `corrupt-manifest`, `chunk-missing`, `interrupted`. */
export async function planFetch({ store, version, base, task }: Omit<FetchRequest, 'place'>): Promise<FetchPlan> {
  const digest = version.record.digest as Digest;
  const bundle = base === undefined || base.digest === digest ? undefined : await store.findBundle(base.digest, digest);
  if (bundle !== undefined && bundle !== 'later') return { bytes: bundle.length, requests: 2, bundle: 'ready' };
  const local = base === undefined ? undefined : await LocalChunks.read(base.root, await readBase(base), task.signal);
  const scratch = await mkdtemp(join(tmpdir(), 'imprint-plan-'));
  try {
    const missing = new Set<string>();
    for await (const batch of store.entries(digest)) {
      task.signal.throwIfAborted();
      for (const { chunks } of batch) {
        for (const { hash } of chunks ?? [])
          if (local?.has(hash) !== true) missing.add(Buffer.from(hash).toString('hex'));
      }
    }
    const places = missing.size === 0 ? new Map<string, ChunkLocation>() : await store.locate(missing, digest);
    const ranges = (await FetchedPacks.open(scratch)).missing(places.values());
    const bytes = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
    return { bytes, requests: ranges.length + 2, bundle: bundle === 'later' ? 'later' : 'none' };
  } finally {
    local?.close();
    await rm(scratch, { recursive: true, force: true });
  }
}
