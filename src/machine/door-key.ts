import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';

/**
 * The token of a one-time door (`imprint prepare`): all that the capturing side needs, to be typed or pasted. Base64url (RFC 4648) of the
 * byte 1, the 32 bytes seed of the ed25519 key that opens the door, and the 32 bytes ed25519 public key of the host behind it.
 */
export interface DoorKeys {
  /** Seed of the key that opens the door (RFC 8032). */
  seed: Uint8Array;
  /** The host's public key: whoever answers with another one is somebody else. */
  host: Uint8Array;
}

/** A private key as OpenSSH wants it in a file. */
export interface OpensshKey {
  /** Text of the private key file. */
  privateKey: string;
  /** `ssh-ed25519 AAAA…`, as in `authorized_keys` and `known_hosts`. */
  publicKey: string;
}

const tokenVersion = 1;
const keyBytes = 32;
/** PKCS #8 (RFC 8410) of an ed25519 seed, up to the seed. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export function doorToken({ seed, host }: DoorKeys): string {
  return Buffer.concat([Buffer.of(tokenVersion), seed, host]).toString('base64url');
}

/** What a token says; undefined where it is none. */
export function parseDoorToken(token: string): DoorKeys | undefined {
  if (!/^[\w-]+$/.test(token)) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== 1 + 2 * keyBytes || bytes[0] !== tokenVersion) return undefined;
  return { seed: bytes.subarray(1, 1 + keyBytes), host: bytes.subarray(1 + keyBytes) };
}

/** The ed25519 public key (32 bytes) of a seed. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

/** `ssh-ed25519 AAAA…` of a public key. */
export function opensshPublicKey(key: Uint8Array): string {
  return `ssh-ed25519 ${publicBlob(key).toString('base64')}`;
}

/** A seed as OpenSSH's own key files have it (PROTOCOL.key of OpenSSH: openssh-key-v1, no passphrase). */
export function opensshKey(seed: Uint8Array): OpensshKey {
  const key = publicKeyOf(seed);
  const check = randomBytes(4);
  const secret = Buffer.concat([
    ...[check, check, text('ssh-ed25519'), text(key), text(Buffer.concat([seed, key]))],
    text('imprint door'),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0', 'latin1'),
    ...[text('none'), text('none'), text(''), Buffer.of(0, 0, 0, 1)],
    text(publicBlob(key)),
    text(Buffer.concat([secret, padding])),
  ]);
  const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
  return {
    privateKey: `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`,
    publicKey: opensshPublicKey(key),
  };
}

function publicBlob(key: Uint8Array): Buffer {
  return Buffer.concat([text('ssh-ed25519'), text(key)]);
}

/** A string as SSH writes it (RFC 4251): its length in four bytes, then itself. */
function text(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as string, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
