import type { PendingTrust, ShownTrust } from '../../contract/trust.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Invocation } from '../command.ts';
import { formatDate } from '../format-time.ts';
import type { Session } from '../session.ts';

/** Rows for `printFields` that tell what a trust document says. */
export function trustFields(session: Session, document: ShownTrust): [string, string | undefined][] {
  const { version, expires, created } = document;
  return [
    ['document', version === 0 ? 'none yet: one key is all' : String(version)],
    ['made', created === undefined ? undefined : formatDate(Date.parse(created))],
    ['expires', version === 0 ? undefined : expiryWords(session, expires)],
    ['root', roleWords(document.root)],
    ['release', roleWords(document.release)],
  ];
}

/** What became of a document that was changed or signed. */
export function pendingWords(session: Session, { document, missing, path }: PendingTrust, published: boolean): string {
  if (published) return `trust document ${document.version} is published\n`;
  const lines = missing.map((line) => `  ${line}\n`).join('');
  const hint = `Carry ${path} to the keys (imprint trust sign FILE), and its signatures back.`;
  return `trust document ${document.version} waits for signatures; it has\n${lines}${session.stdout.paint('dim', hint)}\n`;
}

/** A whole number from an option; undefined where it was not given. Throws `usage`. */
export function numberOption(invocation: Invocation, name: string, flag: string): number | undefined {
  const text = invocation.text(name);
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const hint = `See how it is used: imprint ${invocation.command} --help`;
  throw new ImprintError('usage', { problem: `“${text}” is no number for ${flag}.`, hint });
}

/** Until when something is good, and whether that is over or soon. */
export function expiryWords(session: Session, expires: string | undefined): string {
  if (expires === undefined) return 'never';
  const time = Date.parse(expires);
  const left = time - session.clock.now();
  if (left <= 0) return session.stdout.paint('red', `${formatDate(time)}: it has expired`);
  return left < 30 * 86_400_000 ? session.stdout.paint('yellow', `${formatDate(time)}: soon`) : formatDate(time);
}

function roleWords({ threshold, keys }: ShownTrust['root']): string {
  const lines = keys.map(({ id, here }) => `${id}${here ? '  (here)' : ''}`);
  return [`${threshold} of ${keys.length}`, ...lines].join('\n');
}
