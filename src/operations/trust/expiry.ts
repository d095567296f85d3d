import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { parseUntil } from '../../foundation/until.ts';
import type { Context } from '../context.ts';
import { newestTrust } from './release-signer.ts';

const soon = 30 * 86_400_000;

/** What there is to say of a trust document that has expired or soon will, or cannot be read; undefined where all is well. */
export async function expiringTrust(context: Context): Promise<string | undefined> {
  try {
    const { version, expires } = await newestTrust(context);
    if (expires === undefined || Date.parse(expires) - context.clock.now() > soon) return undefined;
    const verb = Date.parse(expires) > context.clock.now() ? 'expires' : 'expired';
    return `Trust document ${version} ${verb} on ${expires}; its root keys sign a new one: imprint trust change`;
  } catch (error) {
    return toImprintError(error).message;
  }
}

/** When something ends that people gave the end of (`90d`, a date); undefined where it was not given, or `never`. Throws `input-invalid`. */
export function expiryOf(text: string | undefined, now: number): string | undefined {
  if (text === undefined || text === 'never') return undefined;
  const time = parseUntil(text, now);
  if (time !== undefined) return time;
  const problem = `“${text}” is no time to come; write 90d, 8w, 1y, or a date such as 2027-01-31`;
  throw new ImprintError('input-invalid', { field: 'expires', problem });
}
