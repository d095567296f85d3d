import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ScriptsAnswer, scriptsAnswerSchema } from '../contract/imager-protocol.ts';
import { mediumScriptsSchema, type Script, scriptPhases } from '../contract/scripts.ts';
import { ImprintError } from '../foundation/errors.ts';
import { isSignedBy, type PublicKey } from '../image/signature.ts';
import { mediumPaths } from '../machine/medium-names.ts';
import { chooseScripts, type ScriptReader } from '../machine/scripts.ts';
import { ifThere } from '../store/directory-files.ts';
import { isUrl } from '../store/open-store.ts';
import { signedWire } from './signed-wire.ts';

/**
 * The scripts for a machine that installs itself from a store: those that lie signed beside a medium's versions, or those that the server of the store gives out. Errors:
 * `signature-missing`, `signature-wrong`, `server-unreachable`, `interrupted`.
 */
export async function findScripts(
  store: string,
  reader: ScriptReader,
  { key, signal }: { key: PublicKey; signal: AbortSignal },
): Promise<Script[]> {
  if (!isUrl(store)) return chosenOf(await readMediumScripts(store, key), reader);
  const wire = signedWire<ScriptsAnswer>(store.replace(/\/store\/?$/, ''), 'imager/v1', key, scriptsAnswerSchema);
  const question = { ...reader, waitSeconds: 0 };
  const { scripts } = await wire.ask(question, signal, 'scripts');
  return scripts;
}

function chosenOf(scripts: readonly Script[], reader: ScriptReader): Script[] {
  return scriptPhases.flatMap((phase) => chooseScripts(scripts, phase, reader));
}

/** Nothing where the medium has none. */
async function readMediumScripts(store: string, key: PublicKey): Promise<Script[]> {
  const path = join(store, mediumPaths.scripts);
  const text = await ifThere(readFile(path));
  if (text === undefined) return [];
  const what = 'the scripts of the medium';
  const signature = await ifThere(readFile(`${path}.minisig`, 'utf8'));
  if (signature === undefined) throw new ImprintError('signature-missing', { reference: what });
  const parsed = isSignedBy(signature, text, [key]) ? mediumScriptsSchema.safeParse(parseJson(text)) : undefined;
  if (parsed?.success !== true) throw new ImprintError('signature-wrong', { what, key: `key ${key.id}` });
  return parsed.data.scripts;
}

function parseJson(text: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(text).toString('utf8'));
  } catch {
    return undefined;
  }
}
