import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { ifThere } from '../store/directory-files.ts';

/** What the server keeps of a machine, one thing after the other: `NUMBER.json` says what it is, a file beside it is the thing itself. */

/** The records in a directory, the newest first; what is none is passed over. Errors: `io-failed`. */
export async function readNumbered<Kept extends { number: number }>(
  directory: string,
  schema: z.ZodType<Kept>,
): Promise<Kept[]> {
  const names = (await ifThere(readdir(directory))) ?? [];
  const found: Kept[] = [];
  for (const name of names.filter((each) => /^[1-9]\d{0,8}\.json$/.test(each))) {
    const parsed = schema.safeParse(parseJson(await readFile(join(directory, name), 'utf8')));
    if (parsed.success) found.push(parsed.data);
  }
  return found.sort((one, other) => other.number - one.number);
}

/** Removes these, with what lies beside each. `suffix`: `.object`. */
export async function removeNumbered(
  directory: string,
  records: readonly { number: number }[],
  suffix: string,
): Promise<void> {
  for (const { number } of records)
    for (const each of ['.json', suffix]) await rm(join(directory, `${number}${each}`), { force: true });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
