import { readFile } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';

/** A layout from the command line: the text of a file, or a name alone. Errors: `source-not-found`. */
export async function readNamedLayout(name: string): Promise<{ name: string; text?: string }> {
  const text = await readFile(name, 'utf8').catch((cause: unknown) => {
    // A name that looks like a file must be one; any other may be built in.
    if (/[/]|\.(ya?ml|json)$/.test(name)) throw new ImprintError('source-not-found', { source: name }, { cause });
    return undefined;
  });
  return text === undefined ? { name } : { name, text };
}
