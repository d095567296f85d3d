/** Types that carry meaning: a string or number that was checked once and need not be checked again. */

declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** `sha256:` and 64 lower-case hexadecimal digits: the name of a version. */
export type Digest = Brand<string, 'Digest'>;
/** A path below `/dev` that names a block device. */
export type DevicePath = Brand<string, 'DevicePath'>;
/** A MAC address, lower case, separated by colons. */
export type MacAddress = Brand<string, 'MacAddress'>;
/**
 * A path, or part of one, as the bytes that the kernel knows, one UTF-16 unit per byte (`latin1`): any name survives,
 * and comparing two such strings compares their bytes.
 */
export type RawPath = Brand<string, 'RawPath'>;

const digestPattern = /^sha256:[0-9a-f]{64}$/;
const macPattern = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** True where `text` has the form of a digest. */
export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

/** A digest from 64 hexadecimal digits, as `crypto.hash('sha256', …, 'hex')` gives them. */
export function digestFromHex(hex: string): Digest {
  return `sha256:${hex}` as Digest;
}

/** The 64 hexadecimal digits of a digest: what its files are called. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** A device path from text, undefined where it does not lie below `/dev` or contains `..`. */
export function parseDevicePath(text: string): DevicePath | undefined {
  return /^\/dev\/[\w./:@+-]+$/.test(text) && !text.split('/').includes('..') ? (text as DevicePath) : undefined;
}

/** A MAC address from any usual spelling (`:`, `-`, or none; any case); undefined where it is none. */
export function parseMacAddress(text: string): MacAddress | undefined {
  const digits = text.toLowerCase().replaceAll(/[:-]/g, '');
  if (!/^[0-9a-f]{12}$/.test(digits)) return undefined;
  const mac = digits.replaceAll(/(..)(?!$)/g, '$1:');
  return macPattern.test(mac) ? (mac as MacAddress) : undefined;
}

/** A path as text (UTF-8) turned into its raw bytes. */
export function rawPath(path: string): RawPath {
  let raw = '';
  for (const byte of new TextEncoder().encode(path)) raw += String.fromCharCode(byte);
  return raw as RawPath;
}

/** A raw path for people: UTF-8 where it is valid, each other byte as `\xNN`; control characters likewise. */
export function displayPath(path: RawPath): string {
  return decodeUtf8(path).replaceAll(/[\x00-\x1f\x7f]/g, hexEscape);
}

function decodeUtf8(path: RawPath): string {
  if (!/[\x80-\xff]/.test(path)) return path;
  try {
    const bytes = Uint8Array.from(path, (unit) => unit.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return path.replaceAll(/[\x80-\xff]/g, hexEscape);
  }
}

function hexEscape(unit: string): string {
  return `\\x${unit.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
