import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ImprintError } from '../../foundation/errors.ts';
import { imagerRecordName } from '../build-imager.ts';
import type { Context } from '../context.ts';

/** The imager as `media netboot` made it. */
export interface ImagerParts {
  kernel: Buffer;
  initrd: Buffer;
  /** SHA-256 of both, hexadecimal. */
  fingerprint: string[];
}

const recordSchema = z.looseObject({ key: z.string() });

/**
 * Reads kernel and initrd from `DATA/netboot`. Throws `imager-unbuilt` where there are none, or where they trust another key than this server signs with: that would
 * show only in front of the machine.
 */
export async function readImager({ paths, key }: Pick<Context, 'paths' | 'key'>): Promise<ImagerParts> {
  await requireOwnKey(join(paths.netboot, imagerRecordName), key);
  const read = (name: string) =>
    readFile(join(paths.netboot, name)).catch((cause: unknown) => {
      const problem = `there is no ${join(paths.netboot, name)}`;
      throw new ImprintError('imager-unbuilt', { problem, hint: 'Make it: imprint media netboot' }, { cause });
    });
  const kernel = await read('vmlinuz');
  const initrd = await read('initrd.img');
  return { kernel, initrd, fingerprint: [kernel, initrd].map((bytes) => hash('sha256', bytes, 'hex')) };
}

async function requireOwnKey(path: string, key: Context['key']): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const { key: trusted } = recordSchema.parse(JSON.parse(text));
  const own = (await key()).signer.publicKey.id;
  if (trusted === own) return;
  const problem = `it trusts the key ${trusted}, and this server signs with ${own}`;
  throw new ImprintError('imager-unbuilt', { problem, hint: 'Make it again: imprint media netboot' });
}

/** Seconds since 1970 of everything on a medium: `SOURCE_DATE_EPOCH`, else 2000-01-01. See https://reproducible-builds.org/specs/source-date-epoch/ */
export function mediumTime(environment: Readonly<Record<string, string | undefined>> = process.env): number {
  const given = environment.SOURCE_DATE_EPOCH;
  return given !== undefined && /^\d{1,10}$/.test(given) ? Number(given) : 946_684_800;
}
