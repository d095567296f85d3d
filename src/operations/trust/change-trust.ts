import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import type { trustChange } from '../../contract/operations/trust.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { FormatError } from '../../image/format-error.ts';
import { type PublicKey, parsePublicKey, type Signer } from '../../image/signature.ts';
import {
  formatTrustDocument,
  parseTrustDocument,
  type TrustDocument,
  type TrustRole,
} from '../../image/trust-document.ts';
import { readSigner, readSigners } from '../../store/keys.ts';
import type { Context } from '../context.ts';
import { expiryOf } from './expiry.ts';
import { describeDraft, pendingPath, publishDraft, signDraft, type TrustDraft, writeDraft } from './pending-trust.ts';
import { isIn, newestTrust } from './release-signer.ts';

type Input = z.output<typeof trustChange.input>;
type Output = z.input<typeof trustChange.output>;

/**
 * Makes the next trust document from the newest one, signs it with every root key that is at hand, and publishes it in the store where that
 * is enough. Else it waits in `DATA/trust/next.json` for others (`signTrust`). The first document is made from the server's key alone.
 */
export async function changeTrust(context: Context, input: Input): Promise<Output> {
  const current = await newestTrust(context);
  const document = parseTrustDocument(await textOf(context, input, current));
  let draft: TrustDraft = { path: pendingPath(context), document, signatures: '' };
  const given = await Promise.all(input.keys.map(readSigner));
  for (const signer of [...(await readSigners(context.paths.data)), ...given])
    draft = signBy(draft, signer, current, given.includes(signer));
  if (input.dryRun) return { published: false, pending: await describeDraft(context, draft, current) };
  await writeDraft(draft);
  const pending = await describeDraft(context, draft, current);
  return { published: await publishDraft(context, draft, current), pending };
}

/**
 * Signs a draft where the key may; one that was asked for by name and may not is `input-invalid`. Where the document before is not at hand, a key
 * named may be one of its root keys, which the next does not have any longer.
 */
export function signBy(
  draft: TrustDraft,
  signer: Signer,
  current: TrustDocument | undefined,
  named: boolean,
): TrustDraft {
  const { version, text, root } = draft.document;
  const unknown = current === undefined && named;
  if (unknown || isIn(signer, [...root.keys, ...(current?.root.keys ?? [])])) {
    const signature = signer.sign(Buffer.from(text, 'utf8'), `imprint trust ${version}`);
    return signDraft(draft, signature, current, unknown ? [signer.publicKey] : []);
  }
  if (!named) return draft;
  const problem = `${signer.publicKey.id} is no root key of this document, nor of the one before`;
  throw new ImprintError('input-invalid', { field: 'key', problem });
}

async function textOf(context: Context, input: Input, current: TrustDocument): Promise<string> {
  const now = context.clock.now();
  const change = {
    root: await changeRole(current.root, input.addRoot, input.removeRoot, input.rootThreshold),
    release: await changeRole(current.release, input.addRelease, input.removeRelease, input.releaseThreshold),
  };
  const expires = nextExpiry(input.expires, current, now);
  try {
    return formatTrustDocument({
      version: current.version + 1,
      created: new Date(now).toISOString(),
      ...(expires === undefined ? {} : { expires }),
      ...change,
    });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ImprintError('input-invalid', { field: 'trust document', problem: error.message }, { cause: error });
  }
}

/** As given; else as long as the one before was good for. */
function nextExpiry(given: string | undefined, { created, expires }: TrustDocument, now: number): string | undefined {
  if (given !== undefined) return expiryOf(given, now);
  if (created === undefined || expires === undefined) return undefined;
  return new Date(now + Date.parse(expires) - Date.parse(created)).toISOString();
}

async function changeRole(
  role: TrustRole,
  added: readonly string[],
  removed: readonly string[],
  threshold: number | undefined,
): Promise<TrustRole> {
  const ids = new Set(removed.map((id) => id.toUpperCase()));
  for (const id of ids) {
    if (role.keys.some((key) => key.id === id)) continue;
    throw new ImprintError('input-invalid', {
      field: '--remove-root or --remove-release',
      problem: `no key ${id} has that role`,
    });
  }
  const kept = role.keys.filter(({ id }) => !ids.has(id));
  const fresh = await Promise.all(added.map(readPublicKey));
  return { keys: [...kept, ...fresh], threshold: threshold ?? role.threshold };
}

/** A public key from its file, or from the line itself. */
async function readPublicKey(given: string): Promise<PublicKey> {
  try {
    if (/^[A-Za-z0-9+/]{56}$/.test(given)) return parsePublicKey(given);
    return parsePublicKey(await readFile(given, 'utf8'));
  } catch (error) {
    const problem = error instanceof FormatError ? `${given}: ${error.message}` : `${given} cannot be read`;
    throw new ImprintError('input-invalid', { field: 'key', problem }, { cause: error });
  }
}
