import { type TrustDocumentValue, trustDocumentSchema } from '../contract/trust.ts';
import { canonicalJson, parseCanonicalJson } from './canonical-json.ts';
import { FormatError } from './format-error.ts';
import { formatPublicKey, type PublicKey, parsePublicKey, signersOf } from './signature.ts';

/** Keys of a role, and how many of them must have signed. */
export interface TrustRole {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
}

/**
 * Which keys speak for an image server: those of `root` sign the next document, those of `release` sign versions
 * (`docs/trust.md`). A single public key is the document of version 0, in which that key is both.
 */
export interface TrustDocument {
  readonly version: number;
  readonly created?: string;
  /** ISO 8601, UTC; absent: never. */
  readonly expires?: string;
  readonly root: TrustRole;
  readonly release: TrustRole;
  /** What its signatures cover: canonical JSON, or the key's line for version 0. */
  readonly text: string;
}

export const trustTextLimit = 1 << 16;

/** The document of version 0. */
export function trustOfKey(key: PublicKey): TrustDocument {
  const role = { keys: [key], threshold: 1 };
  return { version: 0, root: role, release: role, text: publicKeyLine(key) };
}

/** A document from its file's text. Throws a `FormatError`. */
export function parseTrustDocument(text: string): TrustDocument {
  const parsed = trustDocumentSchema.safeParse(parseCanonicalJson(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new FormatError(`it is not a trust document (${issue?.path.join('.')}: ${issue?.message})`);
  }
  const { version, created, expires } = parsed.data;
  const root = readRole(parsed.data.root, 'root');
  const release = readRole(parsed.data.release, 'release');
  requireOneKeyForEachId([...root.keys, ...release.keys]);
  return { version, created, ...(expires === undefined ? {} : { expires }), root, release, text };
}

/** What to begin with: a trust document, or a minisign public key file. Throws a `FormatError`. */
export function parseTrustStart(text: string): TrustDocument {
  return text.startsWith('{') ? parseTrustDocument(text) : trustOfKey(parsePublicKey(text));
}

/** The text of a document. Throws a `FormatError` for one that no reader would take. */
export function formatTrustDocument(document: Omit<TrustDocument, 'text'>): string {
  const role = ({ keys, threshold }: TrustRole) => ({ keys: keys.map(publicKeyLine), threshold });
  const value: Omit<TrustDocumentValue, 'expires' | 'created'> & { created?: string; expires?: string } = {
    format: 1,
    kind: 'imprint-trust',
    version: document.version,
    ...(document.created === undefined ? {} : { created: document.created }),
    ...(document.expires === undefined ? {} : { expires: document.expires }),
    root: role(document.root),
    release: role(document.release),
  };
  const text = canonicalJson(value);
  parseTrustDocument(text);
  return text;
}

/**
 * The document that follows `current`: one higher in version, and signed by as many root keys as `current` asks for, and as many
 * of its own as it asks for itself. Throws a `FormatError` that says what is amiss.
 */
export function succeedTrust(current: TrustDocument, text: string, signatures: string): TrustDocument {
  const next = parseTrustDocument(text);
  if (next.version !== current.version + 1)
    throw new FormatError(`it has the version ${next.version}, not ${current.version + 1}`);
  const [lacking] = missingSignatures(current, next, signatures);
  if (lacking !== undefined) throw new FormatError(lacking);
  return next;
}

/** What a document lacks to follow `current`: a line for each; none where it is complete. `signatures` may be empty. Throws a `FormatError`. */
export function missingSignatures(current: TrustDocument, next: TrustDocument, signatures: string): string[] {
  const data = Buffer.from(next.text, 'utf8');
  const lines: string[] = [];
  for (const { root, version } of [current, next]) {
    const { length } = signatures === '' ? [] : signersOf(signatures, data, root.keys);
    if (length >= root.threshold) continue;
    const whose = version === 0 ? 'the key that is trusted' : `the root keys of document ${version}`;
    lines.push(`${length} of the ${root.threshold} signatures that it needs by ${whose}`);
  }
  return lines;
}

/** Whether a time of ISO 8601 has come. */
export function hasPassed(time: string | undefined, now: number): boolean {
  return time !== undefined && !(Date.parse(time) > now);
}

/** The second line of a public key file. */
export function publicKeyLine(key: PublicKey): string {
  return formatPublicKey(key).split('\n')[1] ?? '';
}

function readRole(role: TrustDocumentValue['root'], name: string): TrustRole {
  const keys = role.keys.map((line) => parsePublicKey(line));
  // Two entries of one key would let its owner sign for two.
  if (keys.some((key, index) => keys.findIndex((other) => other.key.equals(key.key)) !== index))
    throw new FormatError(`its role ${name} names a key twice`);
  if (role.threshold > keys.length)
    throw new FormatError(`its role ${name} asks for ${role.threshold} signatures of ${keys.length} keys`);
  return { keys, threshold: role.threshold };
}

function requireOneKeyForEachId(keys: readonly PublicKey[]): void {
  for (const { id, key } of keys) {
    if (keys.some((other) => other.id === id && !other.key.equals(key)))
      throw new FormatError(`two of its keys have the id ${id}`);
  }
}
