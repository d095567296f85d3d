import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { trustPin } from '../../contract/operations/trust.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { writeFileDurably } from '../../store/durable.ts';
import { makeDirectories } from '../../store/make-directories.ts';
import type { Context } from '../context.ts';
import { parseStart, pinnedPath } from './find-guard.ts';
import { shownTrust } from './shown-trust.ts';

/** Trusts from now on whom a trust document, or a public key, names: whatever this place trusted before. */
export async function pinTrust(
  context: Context,
  { file, dryRun }: z.output<typeof trustPin.input>,
): Promise<z.input<typeof trustPin.output>> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new ImprintError('input-invalid', { field: 'file', problem: `${file} cannot be read` }, { cause });
  });
  const start = parseStart(text.trimEnd(), file);
  const path = pinnedPath(context);
  const output = { path, current: await shownTrust(context, start) };
  if (dryRun) return output;
  const aside = join(context.paths.trust, `.${randomUUID()}`);
  await makeDirectories(aside);
  try {
    await writeFileDurably(path, `${text.trimEnd()}${start.version === 0 ? '\n' : ''}`, aside);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return output;
}
