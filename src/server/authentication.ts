import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FastifyRequest } from 'fastify';
import { ImprintError } from '../foundation/errors.ts';
import { makeDirectories } from '../store/make-directories.ts';

/**
 * Who may ask. The admin token (`Authorization: Bearer …`) may do everything. A page that was shown the token once has a
 * cookie instead, which may only read: whatever another site makes the browser do with it changes nothing.
 */
export interface Authentication {
  /** Throws `not-authorised`. */
  check(request: FastifyRequest, effect: 'read' | 'change'): void;
  /** The value of a new page's cookie, undefined where the token is wrong. */
  login(token: string): string | undefined;
  logout(request: FastifyRequest): void;
}

export const sessionCookie = 'imprint-session';
/** So many pages stay logged in; the oldest goes first. */
const mostSessions = 1000;

export function createAuthentication(adminToken: string): Authentication {
  const sessions = new Set<string>();
  const isAdmin = (token: string) => sameText(token, adminToken);
  return {
    check: (request, effect) => {
      const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
      if (bearer !== undefined && isAdmin(bearer)) return;
      const cookie = readCookie(request);
      if (effect === 'read' && bearer === undefined && cookie !== undefined && sessions.has(cookie)) return;
      throw new ImprintError('not-authorised', {});
    },
    login: (token) => {
      if (!isAdmin(token)) return undefined;
      const session = randomBytes(32).toString('base64url');
      sessions.add(session);
      const oldest = sessions.size > mostSessions ? sessions.values().next().value : undefined;
      if (oldest !== undefined) sessions.delete(oldest);
      return session;
    },
    logout: (request) => {
      const cookie = readCookie(request);
      if (cookie !== undefined) sessions.delete(cookie);
    },
  };
}

/** The admin token in its file (mode 0600), made where there is none yet. */
export async function ensureAdminToken(path: string): Promise<{ token: string; created: boolean }> {
  const existing = await readToken(path);
  if (existing !== undefined) return { token: existing, created: false };
  await makeDirectories(dirname(path));
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flush: true });
  try {
    // Never over another's: two servers that start at once agree on one token.
    await link(temporary, path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  } finally {
    await rm(temporary, { force: true });
  }
  const token = await readToken(path);
  if (token === undefined) throw new ImprintError('internal', { problem: `${path} is empty` });
  return { token, created: true };
}

async function readToken(path: string): Promise<string | undefined> {
  try {
    const token = (await readFile(path, 'utf8')).trim();
    return token === '' ? undefined : token;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

/** Compares in a time that tells nothing of where they differ, nor of their lengths. */
function sameText(left: string, right: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(left), hash(right));
}

function readCookie(request: FastifyRequest): string | undefined {
  const cookies = request.headers.cookie?.split(';').map((part) => part.trim().split('='));
  return cookies?.find(([name]) => name === sessionCookie)?.[1];
}
