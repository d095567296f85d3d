import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { FormatError } from './format-error.ts';

/**
 * Signatures and public keys as minisign (https://jedisct1.github.io/minisign/) writes and reads them: ed25519, and over
 * the BLAKE2b-512 hash of the data (`ED`). The older form over the data itself (`Ed`) is read, not written.
 */
export interface PublicKey {
  /** 16 upper-case hexadecimal digits, as minisign prints it. */
  readonly id: string;
  readonly key: KeyObject;
}

/** Who can sign. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** Text of a signature file over `data`; `comment` is signed with it and must be one line. */
  sign(data: Uint8Array, comment: string): string;
  /** The 64 bytes of a plain ed25519 signature over `data`: for answers on the wire, which begin with `{`. */
  signRaw(data: Uint8Array): Uint8Array;
}

/** Signatures in one file, at most. */
const signatureLimit = 128;
const commentHead = 'untrusted comment: ';
const trustedHead = 'trusted comment: ';
const ed25519Head = Buffer.from('302a300506032b6570032100', 'hex');

/** A signer from an ed25519 private key. */
export function createSigner(privateKey: KeyObject): Signer {
  const publicKey = publicKeyOf(createPublicKey(privateKey));
  return {
    publicKey,
    sign: (data, comment) => makeSignature(privateKey, publicKey, data, comment),
    signRaw: (data) => sign(null, data, privateKey),
  };
}

/** A public key with its id: the first eight bytes of the SHA-256 of its 32 bytes. */
export function publicKeyOf(key: KeyObject): PublicKey {
  return { id: keyIdText(createHash('sha256').update(rawPublicKey(key)).digest().subarray(0, 8)), key };
}

/** The text of a public key file. */
export function formatPublicKey(publicKey: PublicKey): string {
  const bytes = Buffer.concat([Buffer.from('Ed'), keyIdBytes(publicKey.id), rawPublicKey(publicKey.key)]);
  return `${commentHead}minisign public key ${publicKey.id}\n${bytes.toString('base64')}\n`;
}

/** A public key from the text of its file, or from its second line alone. Throws a `FormatError`. */
export function parsePublicKey(text: string): PublicKey {
  const lines = text.trim().split(/\r?\n/);
  const line =
    lines.length === 2 && lines[0]?.startsWith(commentHead) ? lines[1] : lines.length === 1 ? lines[0] : undefined;
  const bytes = line === undefined ? undefined : decodeBase64(line, 42);
  if (bytes === undefined || bytes.toString('latin1', 0, 2) !== 'Ed')
    throw new FormatError('it is not a minisign public key');
  const key = createPublicKey({ key: Buffer.concat([ed25519Head, bytes.subarray(10)]), format: 'der', type: 'spki' });
  return { id: keyIdText(bytes.subarray(2, 10)), key };
}

/** A signature file, taken apart. */
export interface Signature {
  keyId: string;
  /** Over the BLAKE2b-512 of the data rather than the data. */
  prehashed: boolean;
  signature: Buffer;
  untrustedComment: string;
  trustedComment: string;
  globalSignature: Buffer;
}

/** The parts of a signature file's text. Throws a `FormatError`. */
export function parseSignature(text: string): Signature {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const [untrusted = '', body = '', trusted = '', global = ''] = lines;
  const bytes = decodeBase64(body, 74);
  const globalSignature = decodeBase64(global, 64);
  const algorithm = bytes?.toString('latin1', 0, 2);
  if (
    lines.length !== 4 ||
    !untrusted.startsWith(commentHead) ||
    !trusted.startsWith(trustedHead) ||
    bytes === undefined ||
    globalSignature === undefined ||
    (algorithm !== 'ED' && algorithm !== 'Ed')
  )
    throw new FormatError('it is not a minisign signature');
  return {
    keyId: keyIdText(bytes.subarray(2, 10)),
    prehashed: algorithm === 'ED',
    signature: bytes.subarray(10),
    untrustedComment: untrusted.slice(commentHead.length),
    trustedComment: trusted.slice(trustedHead.length),
    globalSignature,
  };
}

/**
 * The signatures of a file that may hold several: one after the other, four lines each. minisign reads the first. Throws a
 * `FormatError` where one is not a signature, or there is none.
 */
export function parseSignatures(text: string): Signature[] {
  return signatureTexts(text).map(parseSignature);
}

/** The same as texts, each that of a file with one signature. */
export function signatureTexts(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0 || lines.length % 4 !== 0 || lines.length > 4 * signatureLimit)
    throw new FormatError('it is not a minisign signature');
  return Array.from(
    { length: lines.length / 4 },
    (_, index) => `${lines.slice(index * 4, index * 4 + 4).join('\n')}\n`,
  );
}

/**
 * Those of the keys that signed `data`, each once however often and under however many ids its signature is there. Throws a
 * `FormatError` for a text that holds no signatures.
 */
export function signersOf(text: string, data: Uint8Array, keys: readonly PublicKey[]): PublicKey[] {
  const signers: PublicKey[] = [];
  for (const signature of parseSignatures(text)) {
    const key = verifySignature(signature, data, keys);
    if (key !== undefined && !signers.some((known) => known.key.equals(key.key))) signers.push(key);
  }
  return signers;
}

/** Whether one of the keys signed `data`; a text that holds no signatures is none. */
export function isSignedBy(text: string, data: Uint8Array, keys: readonly PublicKey[]): boolean {
  try {
    return signersOf(text, data, keys).length > 0;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/**
 * A file of signatures with more of them, the new ones in front, where minisign looks. What the same keys made before is replaced, so that
 * signing twice changes nothing. Throws a `FormatError`.
 */
export function addSignatures(text: string | undefined, added: string): string {
  const ids = new Set(parseSignatures(added).map(({ keyId }) => keyId));
  const others = text === undefined ? [] : signatureTexts(text).filter((each) => !ids.has(parseSignature(each).keyId));
  return [...signatureTexts(added), ...others].join('');
}

/** Several signers as one, who signs once for each of them. The first one is who signs answers. */
export function joinSigners(signers: readonly [Signer, ...Signer[]]): Signer {
  const [first] = signers;
  return { ...first, sign: (data, comment) => signers.map((signer) => signer.sign(data, comment)).join('') };
}

/** Whether `signature` was made over `data`, comment included, by one of the keys: then that key. */
export function verifySignature(
  signature: Signature,
  data: Uint8Array,
  keys: readonly PublicKey[],
): PublicKey | undefined {
  const message = signature.prehashed ? createHash('blake2b512').update(data).digest() : data;
  const whole = Buffer.concat([signature.signature, Buffer.from(signature.trustedComment, 'utf8')]);
  return keys.find(
    (candidate) =>
      candidate.id === signature.keyId &&
      verify(null, message, candidate.key, signature.signature) &&
      verify(null, whole, candidate.key, signature.globalSignature),
  );
}

function makeSignature(privateKey: KeyObject, publicKey: PublicKey, data: Uint8Array, comment: string): string {
  if (/[\r\n]/.test(comment)) throw new RangeError('a trusted comment is one line');
  const signature = sign(null, createHash('blake2b512').update(data).digest(), privateKey);
  const body = Buffer.concat([Buffer.from('ED'), keyIdBytes(publicKey.id), signature]);
  const global = sign(null, Buffer.concat([signature, Buffer.from(comment, 'utf8')]), privateKey);
  return [
    `${commentHead}signature of Imprint, key ${publicKey.id}`,
    body.toString('base64'),
    trustedHead + comment,
    `${global.toString('base64')}\n`,
  ].join('\n');
}

/** The 32 bytes of an ed25519 public key: the end of its SPKI form. */
function rawPublicKey(key: KeyObject): Buffer {
  if (key.asymmetricKeyType !== 'ed25519') throw new FormatError('it is not an ed25519 key');
  return key.export({ format: 'der', type: 'spki' }).subarray(ed25519Head.length);
}

/** minisign prints the eight bytes as one little-endian number. */
function keyIdText(bytes: Uint8Array): string {
  return Buffer.from(bytes).reverse().toString('hex').toUpperCase();
}

function keyIdBytes(id: string): Buffer {
  return Buffer.from(id, 'hex').reverse();
}

/** Strict base64 of a known length: one spelling only, so that no bit of the text is free. */
function decodeBase64(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined;
}
