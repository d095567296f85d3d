import { displayPath, type RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { setMode, setModifiedTime, setOwner, setXattr } from '../native/attributes.ts';
import type { Attributes } from './restore-message.ts';

/** Who creates files, and with what mask: what need not be set after that. */
export interface Creator {
  uid: number;
  gid: number;
  umask: number;
}

/** Name spaces that every file system for Linux keeps; others belong to one file system alone. */
const commonXattr = /^(user|trusted|security)\.|^system\.posix_acl_(access|default)$/;

/** The mode to create a file with: never more than it shall have in the end, never set-uid before it has its owner. */
export function creationMode(mode: number): number {
  return mode & 0o777;
}

/**
 * Gives what was just created its attributes; the time comes last, for all others change it not. `place` is the open file, or
 * the path of what cannot be opened. Returns what could not be kept on this file system though it need not be.
 */
export function setAttributes(
  place: number | RawPath,
  path: RawPath,
  attributes: Attributes,
  creator: Creator,
  kind: 'file' | 'symlink' | 'other',
): string[] {
  const { mode, uid, gid, seconds, nanoseconds, xattrs } = attributes;
  const warnings: string[] = [];
  try {
    if (uid !== creator.uid || gid !== creator.gid) setOwner(place, uid, gid);
    if (kind === 'other' || (kind === 'file' && (mode & (creator.umask | 0o7000)) !== 0)) setMode(place, mode);
    for (const { name, value } of xattrs ?? []) setOne(place, path, name, value, warnings);
    setModifiedTime(place, seconds, nanoseconds);
  } catch (error) {
    throw explain(error, path);
  }
  return warnings;
}

/** An error about an open file gets its path; what only root may do says so. */
export function explain(error: unknown, path: RawPath): unknown {
  if (error instanceof ImprintError) return error;
  const failure = error as NodeJS.ErrnoException;
  failure.path ??= displayPath(path);
  if (failure.code === 'EPERM' && process.geteuid?.() !== 0) {
    return new ImprintError('not-root', { action: 'Restoring owners, devices and all attributes' }, { cause: error });
  }
  return failure;
}

function setOne(place: number | RawPath, path: RawPath, name: string, value: Uint8Array, warnings: string[]): void {
  try {
    setXattr(place, name, value);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EOPNOTSUPP' || commonXattr.test(name)) throw error;
    warnings.push(`${displayPath(path)}: ${name} belongs to another file system and was left out`);
  }
}
