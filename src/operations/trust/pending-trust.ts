import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PendingTrust } from '../../contract/trust.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { FormatError } from '../../image/format-error.ts';
import {
  addSignatures,
  type PublicKey,
  parseSignatures,
  signatureTexts,
  verifySignature,
} from '../../image/signature.ts';
import { missingSignatures, parseTrustDocument, type TrustDocument } from '../../image/trust-document.ts';
import { writeFilesDurably } from '../../store/durable.ts';
import { makeDirectories } from '../../store/make-directories.ts';
import { openWritableStore } from '../../store/open-store.ts';
import type { Context } from '../context.ts';
import { requireTrust } from './find-guard.ts';
import { shownTrust } from './shown-trust.ts';

/** A trust document that is being signed, in its two files. */
export interface TrustDraft {
  path: string;
  document: TrustDocument;
  signatures: string;
}

/** Where the document that lacks signatures waits for them. */
export function pendingPath({ paths }: Pick<Context, 'paths'>): string {
  return join(paths.trust, 'next.json');
}

export function signaturePathOf(path: string): string {
  return `${path}.minisig`;
}

/** The draft in a file. Errors: `input-invalid` where there is none, `trust-wrong` where it is none. */
export async function readDraft(path: string): Promise<TrustDraft> {
  const text = await readFile(path, 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    throw new ImprintError('input-invalid', { field: 'file', problem: `${path} is not there` });
  });
  const signatures = await readFile(signaturePathOf(path), 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    return '';
  });
  try {
    // An editor, or whoever carried it, may have put a line feed at the end.
    const document = parseTrustDocument(text.trimEnd());
    if (signatures !== '') parseSignatures(signatures);
    return { path, document, signatures };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ImprintError('trust-wrong', { document: path, problem: error.message }, { cause: error });
  }
}

/** Writes a draft, or only its signatures. */
export async function writeDraft({ path, document, signatures }: TrustDraft): Promise<void> {
  const directory = dirname(path);
  await makeDirectories(directory);
  const aside = join(directory, `.${randomUUID()}`);
  await mkdir(aside, { mode: 0o700 });
  try {
    await writeFilesDurably(
      [
        { path, content: document.text },
        ...(signatures === '' ? [] : [{ path: signaturePathOf(path), content: signatures }]),
      ],
      aside,
    );
    if (signatures === '') await rm(signaturePathOf(path), { force: true });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** The draft that waits here and follows `current`; one that something else has overtaken waits for nothing. */
export async function readPending(context: Context, current: TrustDocument): Promise<PendingTrust | undefined> {
  const draft = await readDraft(pendingPath(context)).catch((error: unknown) => {
    if (error instanceof ImprintError && error.code === 'input-invalid') return undefined;
    throw error;
  });
  if (draft === undefined || draft.document.version !== current.version + 1) return undefined;
  return describeDraft(context, draft, current);
}

/** What a draft has, and what it lacks to follow `current` (absent: an offline signer, who knows no other document). */
export async function describeDraft(
  context: Pick<Context, 'paths'>,
  { path, document, signatures }: TrustDraft,
  current?: TrustDocument,
): Promise<PendingTrust> {
  return {
    document: await shownTrust(context, document),
    signedBy: signatures === '' ? [] : parseSignatures(signatures).map(({ keyId }) => keyId),
    missing: lacking(current ?? document, document, signatures),
    path,
    signaturePath: signaturePathOf(path),
  };
}

/**
 * Adds to a draft what signatures of a text are good and by root keys of the document or of the one before. Their untrusted comments,
 * which nothing covers, are written as we write them, so that no byte of what is published is free. Throws `signature-wrong` where one is
 * of somebody else. `others` are keys that are believed to be root keys of the one before, where that is not at hand.
 */
export function signDraft(
  draft: TrustDraft,
  text: string,
  current?: TrustDocument,
  others: readonly PublicKey[] = [],
): TrustDraft {
  const keys = [...draft.document.root.keys, ...(current?.root.keys ?? []), ...others];
  const data = Buffer.from(draft.document.text, 'utf8');
  let { signatures } = draft;
  for (const each of signatureTexts(text)) {
    const [signature] = parseSignatures(each);
    const key = signature && verifySignature(signature, data, keys);
    if (signature === undefined || key === undefined) {
      const what = `trust document ${draft.document.version}`;
      throw new ImprintError('signature-wrong', {
        what,
        key: `${signature?.keyId ?? ''} is no root key of it, or signed another`,
      });
    }
    const [, ...rest] = each.split('\n');
    const plain = [`untrusted comment: signature of Imprint, key ${key.id}`, ...rest].join('\n');
    signatures = addSignatures(signatures === '' ? undefined : signatures, plain);
  }
  return { ...draft, signatures };
}

/** Publishes a draft in the store where it lacks nothing; true where it did. */
export async function publishDraft(context: Context, draft: TrustDraft, current: TrustDocument): Promise<boolean> {
  if (lacking(current, draft.document, draft.signatures).length > 0) return false;
  const store = await openWritableStore(context.storeLocation, { create: true });
  try {
    const { text, version } = draft.document;
    await store.publishTrust(version, { text, signatures: draft.signatures });
  } finally {
    await store.close();
  }
  await (await requireTrust(context)).memory.keepDocument(draft.document);
  await rm(draft.path, { force: true });
  await rm(signaturePathOf(draft.path), { force: true });
  return true;
}

function lacking(current: TrustDocument, next: TrustDocument, signatures: string): string[] {
  return [...new Set(missingSignatures(current, next, signatures))];
}
