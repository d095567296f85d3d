import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import { FormatError } from '../../image/format-error.ts';
import { parseTrustStart, type TrustDocument } from '../../image/trust-document.ts';
import { isUrl } from '../../store/open-store.ts';
import { type FileMemory, openTrustMemory } from '../../store/trust-memory.ts';
import { createGuard, type GuardOptions, refusingGuard, type VersionGuard } from '../../store/version-guard.ts';
import type { Context } from '../context.ts';

/** What is trusted in this place, and what it has seen. */
export interface LocalTrust {
  start: TrustDocument;
  /** The file that says so. */
  path: string;
  /** Somebody said whom to trust, by `--trust` or `trust pin`; it is not merely the key that is there. */
  chosen: boolean;
  memory: FileMemory;
}

/** Where `trust pin` keeps what it was given. */
export function pinnedPath({ paths }: Pick<Context, 'paths'>): string {
  return join(paths.trust, 'pinned');
}

/**
 * Whom this place trusts: what `--trust` names, else what was pinned, else the server's own key. Undefined where there is none of these.
 * Errors: `input-invalid` where `--trust` names no such file, `trust-wrong` where one cannot be read.
 */
export async function findTrust(context: Pick<Context, 'paths' | 'trust'>): Promise<LocalTrust | undefined> {
  const { paths, trust } = context;
  const places = [
    ...(trust === undefined ? [{ path: pinnedPath(context), chosen: true }] : [{ path: trust, chosen: true }]),
    ...(trust === undefined ? [{ path: join(paths.keys, 'server.pub'), chosen: false }] : []),
  ];
  for (const { path, chosen } of places) {
    const text = await readIfThere(path);
    if (text === undefined) continue;
    const start = parseStart(text, path);
    return { start, path, chosen, memory: openTrustMemory(paths.trust, start) };
  }
  if (trust === undefined) return undefined;
  throw new ImprintError('input-invalid', { field: '--trust', problem: `${trust} is not there` });
}

/**
 * The guard of this place's store. Undefined where nothing is to be checked: with `--trust none`, or for a directory where no key is
 * known. A store behind HTTP gives out nothing without one.
 */
export async function findGuard(context: Context): Promise<VersionGuard | undefined> {
  if (context.trust === 'none') return undefined;
  const remote = isUrl(context.storeLocation);
  const trust = await findTrust(context);
  if (trust === undefined) return remote ? refusingGuard() : undefined;
  return createGuard({
    ...guardOptions(context, trust),
    tolerateUnsigned: !remote && !trust.chosen,
    warn: (message) => context.warn(message),
  });
}

/** The guard for machines: it lets nothing through that an imager would refuse. Makes the server's key where there is none. */
export async function strictGuard(context: Context): Promise<VersionGuard> {
  const trust = await requireTrust(context);
  return createGuard(guardOptions(context, trust));
}

/** As `findTrust`; where nobody is trusted yet, the server's key is made and trusted. */
export async function requireTrust(context: Context): Promise<LocalTrust> {
  const chosen = context.trust === 'none' ? { paths: context.paths, trust: undefined } : context;
  const found = await findTrust(chosen);
  if (found !== undefined) return found;
  await context.key();
  const made = await findTrust(chosen);
  if (made !== undefined) return made;
  throw new ImprintError('internal', { problem: 'the server’s key is gone again' });
}

export function guardOptions(context: Pick<Context, 'clock'>, { start, memory }: LocalTrust): GuardOptions {
  return { start, memory, clock: context.clock };
}

/** A beginning of trust from its text. Throws `trust-wrong`. */
export function parseStart(text: string, path: string): TrustDocument {
  try {
    return parseTrustStart(text);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ImprintError('trust-wrong', { document: path, problem: error.message }, { cause: error });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another user's keys are no keys of ours: a store of a machine may be read by all who can read its files.
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
