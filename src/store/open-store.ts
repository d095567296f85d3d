import { ImprintError } from '../foundation/errors.ts';
import { type DirectoryOptions, DirectoryStore } from './directory-store.ts';
import type { HttpOptions } from './http-files.ts';
import { HttpStore } from './http-store.ts';
import type { Store } from './store.ts';
import type { WritableStore } from './transaction.ts';

export type OpenOptions = DirectoryOptions & HttpOptions;

/**
 * Opens the store at a directory, or for reading at an http(s) URL. Throws `store-not-found`, `store-unreachable`,
 * `corrupt-record`.
 */
export async function openStore(location: string, options: OpenOptions = {}): Promise<Store> {
  return isUrl(location) ? HttpStore.open(location, options) : DirectoryStore.open(location, options);
}

/** Opens a store that can be changed; a URL is a `usage` error. */
export async function openWritableStore(location: string, options: DirectoryOptions = {}): Promise<WritableStore> {
  if (!isUrl(location)) return DirectoryStore.open(location, options);
  throw new ImprintError('usage', {
    problem: `The store ${location} can only be read: it is behind HTTP.`,
    hint: 'Name a directory with --store, or do it on the image server.',
  });
}

/** True for a store behind HTTP. */
export function isUrl(location: string): boolean {
  return /^https?:\/\//i.test(location);
}
