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
  requireWritable(location);
  return DirectoryStore.open(location, options);
}

/** Errors: `usage` for a store that can only be read. */
export function requireWritable(location: string): void {
  if (!isUrl(location)) return;
  throw new ImprintError('usage', {
    problem: `The store ${location} can only be read: it is behind HTTP.`,
    hint: 'Name a directory with --store, or do it on the image server.',
  });
}

/** Errors: `usage` for a store whose files are not at hand. */
export function requireCopyable(location: string): void {
  if (!isUrl(location)) return;
  throw new ImprintError('usage', {
    problem: `The store ${location} is behind HTTP: its files cannot be copied from here.`,
    hint: 'Do it on the image server, or name a copy of the store: --store DIR',
  });
}

/** True for a store behind HTTP. */
export function isUrl(location: string): boolean {
  return /^https?:\/\//i.test(location);
}
