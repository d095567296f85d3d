import type { Digest } from '../foundation/brand.ts';
import { digestHex } from '../foundation/brand.ts';

/** Where each thing of a store lies, relative to its root; the same in a directory and in a URL (docs/image-format.md). */
export const storeFile = 'imprint-store.json';
export const indexFile = 'index.json';
export const lockFile = 'lock';
export const temporaryDirectory = 'tmp';

/** Exactly what `imprint-store.json` holds. */
export const storeFileText = '{"format":1,"kind":"imprint-store"}\n';

export function packPath(pack: string): string {
  return `packs/${pack.slice(0, 2)}/${pack}.pack`;
}

/** An empty file beside a pack that `store check` found damaged. */
export function damagedMarkPath(pack: string): string {
  return `packs/${pack.slice(0, 2)}/${pack}.damaged`;
}

/** Beside a pack that nobody needs any longer: when, and who used it until then. */
export function retiredMarkPath(pack: string): string {
  return `packs/${pack.slice(0, 2)}/${pack}.retired`;
}

export function manifestPath(digest: Digest): string {
  return `manifests/${digestHex(digest)}.manifest`;
}

/** The list of packs that hold the chunks of a manifest. */
export function packListPath(digest: Digest): string {
  return `manifests/${digestHex(digest)}.packs`;
}

/** Which chunks of which packs a manifest needs, for the collection of garbage. */
export function usesPath(digest: Digest): string {
  return `uses/${digestHex(digest)}.uses`;
}

export const bundlesDirectory = 'bundles';
/** Held by who makes a bundle, and what it writes until that is whole. */
export const bundleLockPath = 'bundles/lock';
export const bundlePartPath = 'bundles/making.part';

/** What leads from one version to another, for machines that have the first. */
export function bundlePath(from: Digest, to: Digest): string {
  return `${bundlesDirectory}/${digestHex(from)}-${digestHex(to)}.bundle`;
}

export function recordPath(image: string, number: number): string {
  return `images/${image}/${number}.json`;
}

export function signaturePath(image: string, number: number): string {
  return `${recordPath(image, number)}.minisig`;
}

/** An empty file that keeps the number of a removed version from coming again. */
export function tombstonePath(image: string, number: number): string {
  return `images/${image}/${number}.removed`;
}

export function tagPath(image: string, tag: string): string {
  return `images/${image}/tags/${tag}`;
}

/** A trust document; `version` counts from 1. */
export function trustPath(version: number): string {
  return `trust/${version}.json`;
}

export function trustSignaturePath(version: number): string {
  return `${trustPath(version)}.minisig`;
}

export function hintsPath(digest: Digest): string {
  return `hints/${digestHex(digest)}.hints`;
}

/** 64 hexadecimal digits: the name of a pack, or a chunk's hash as text. */
export function isHexHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
