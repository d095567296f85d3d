import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { ImprintError } from '../foundation/errors.ts';

type Ffi = typeof import('node:ffi');

/** `node:ffi`. Throws `runtime-unfit` where this Node lacks it. */
export function requireFfi(): Ffi {
  const ffi = process.getBuiltinModule('node:ffi') as Ffi | undefined;
  if (ffi === undefined) throw unfit('node:ffi');
  return ffi;
}

/** The error for a Node that cannot do what we need. */
export function unfit(feature: string): ImprintError {
  return new ImprintError('runtime-unfit', { version: process.version, feature });
}

/**
 * A failed system call in the form that Node's own have (`code`, `errno`, `syscall`, `path`), so that `toImprintError`
 * understands both. `errno` is positive, as the kernel's headers have it; `path` is for people.
 */
export function systemError(syscall: string, errno: number, path?: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const place = path === undefined ? '' : ` '${path}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${getSystemErrorMessage(-errno)}, ${syscall}${place}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  return error;
}
