import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import type { trustSign } from '../../contract/operations/trust.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { FormatError } from '../../image/format-error.ts';
import { readSigner, readSigners } from '../../store/keys.ts';
import type { Context } from '../context.ts';
import { signBy } from './change-trust.ts';
import { describeDraft, pendingPath, publishDraft, readDraft, signDraft, writeDraft } from './pending-trust.ts';
import { newestTrust } from './release-signer.ts';

/**
 * Adds signatures to a trust document: to the one that waits here, which is published once it has enough; or, for who holds a root key
 * somewhere else, to a copy of it in a file, whose signatures are then carried back.
 */
export async function signTrust(
  context: Context,
  input: z.output<typeof trustSign.input>,
): Promise<z.input<typeof trustSign.output>> {
  const current = input.file === undefined ? await newestTrust(context) : undefined;
  if (input.file === undefined && !existsSync(pendingPath(context)))
    throw new ImprintError('usage', {
      problem: 'No trust document waits for signatures.',
      hint: 'Begin one: imprint trust change; or name a copy of the one that waits elsewhere: imprint trust sign FILE',
    });
  let draft = await readDraft(input.file ?? pendingPath(context));
  if (current !== undefined && draft.document.version !== current.version + 1) {
    const problem = `document ${draft.document.version} waits here, but ${current.version} is the newest already`;
    throw new ImprintError('trust-wrong', { document: draft.path, problem });
  }
  for (const path of input.signatures) draft = signDraft(draft, await readSignatureFile(path), current);
  for (const path of input.keys) draft = signBy(draft, await readSigner(path), current, true);
  if (input.keys.length + input.signatures.length === 0)
    for (const signer of await readSigners(context.paths.data)) draft = signBy(draft, signer, current, false);
  if (!input.dryRun) await writeDraft(draft);
  const pending = await describeDraft(context, draft, current);
  return {
    published: !input.dryRun && current !== undefined && (await publishDraft(context, draft, current)),
    pending,
  };
}

/** The text of a file of signatures. Throws `input-invalid`. */
export async function readSignatureFile(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8');
    const { parseSignatures } = await import('../../image/signature.ts');
    parseSignatures(text);
    return text;
  } catch (error) {
    const problem = error instanceof FormatError ? `${path}: ${error.message}` : `${path} cannot be read`;
    throw new ImprintError('input-invalid', { field: 'signature', problem }, { cause: error });
  }
}
