import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { SealedSecret } from '../contract/imager-protocol.ts';

/**
 * A secret for one boot of one imager, over a network on which anybody may listen: X25519 with a key of each side made for it alone, HKDF-SHA256,
 * AES-256-GCM. That the answer is the server's, its signature says.
 */
export interface SecretReader {
  /** SPKI, base64: whoever has it can seal, and only we can open. */
  readonly publicKey: string;
  /** Throws an `Error` for what was not sealed for us. */
  open(sealed: SealedSecret): Buffer;
}

export function secretReader(): SecretReader {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const own = textOf(publicKey);
  return {
    publicKey: own,
    open({ key, iv, sealed }) {
      const bytes = Buffer.from(sealed, 'base64');
      const secret = keyOf(privateKey, key, [key, own]);
      const decipher = createDecipheriv('aes-256-gcm', secret, Buffer.from(iv, 'base64'));
      decipher.setAuthTag(bytes.subarray(-tagLength));
      return Buffer.concat([decipher.update(bytes.subarray(0, -tagLength)), decipher.final()]);
    },
  };
}

/** Seals a secret for whoever has this public key. Throws an `Error` for what is no such key. */
export function sealSecret(secret: Uint8Array, publicKey: string): SealedSecret {
  const own = generateKeyPairSync('x25519');
  const key = textOf(own.publicKey);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(own.privateKey, publicKey, [key, publicKey]), iv);
  const sealed = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  return { key, iv: iv.toString('base64'), sealed: sealed.toString('base64') };
}

const tagLength = 16;

function keyOf(privateKey: KeyObject, other: string, both: readonly string[]): Buffer {
  const publicKey = createPublicKey({ key: Buffer.from(other, 'base64'), format: 'der', type: 'spki' });
  const shared = diffieHellman({ privateKey, publicKey });
  return Buffer.from(hkdfSync('sha256', shared, both.join(' '), 'imprint secret 1', 32));
}

function textOf(key: KeyObject): string {
  return key.export({ format: 'der', type: 'spki' }).toString('base64');
}
