import { hash } from 'node:crypto';
import { requireFfi } from './library.ts';

/** Puts the SHA-256 (32 bytes) of the `length` bytes at the address `source` to the address `target`. */
export type Sha256 = (source: bigint, length: number, target: bigint) => void;

/** SHA-256 by OpenSSL's own call, without a copy; by `node:crypto` where this Node does not show it. */
export function bindSha256(): Sha256 {
  const ffi = requireFfi();
  try {
    const { functions } = ffi.dlopen(null, {
      SHA256: { arguments: ['pointer', 'u64', 'pointer'], return: 'pointer' },
    });
    return (source, length, target) => void functions.SHA256(source, BigInt(length), target);
  } catch {
    return (source, length, target) => {
      const digest = hash('sha256', ffi.toBuffer(source, length, false), 'buffer');
      ffi.toBuffer(target, digest.length, false).set(digest);
    };
  }
}
