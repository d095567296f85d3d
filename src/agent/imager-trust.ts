import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseTrustStart, type TrustDocument } from '../image/trust-document.ts';
import { openTrustMemory } from '../store/trust-memory.ts';
import type { TrustMemory } from '../store/version-guard.ts';

/** Whom an imager was made to trust for versions, with what its server had seen of them by then. */
export interface ImagerTrust {
  start: TrustDocument;
  memory: TrustMemory;
}

/** From the directory that `media netboot` put into the imager; undefined where it put none there, and the server's key is all. */
export async function readImagerTrust(directory: string): Promise<ImagerTrust | undefined> {
  try {
    const start = parseTrustStart(await readFile(join(directory, 'pinned'), 'utf8'));
    return { start, memory: openTrustMemory(directory, start) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
