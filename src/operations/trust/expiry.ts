import { ImprintError } from '../../foundation/errors.ts';
import { parseUntil } from '../../foundation/until.ts';

/** When something ends that people gave the end of (`90d`, a date); undefined where it was not given, or `never`. Throws `input-invalid`. */
export function expiryOf(text: string | undefined, now: number): string | undefined {
  if (text === undefined || text === 'never') return undefined;
  const time = parseUntil(text, now);
  if (time !== undefined) return time;
  const problem = `“${text}” is no time to come; write 90d, 8w, 1y, or a date such as 2027-01-31`;
  throw new ImprintError('input-invalid', { field: 'expires', problem });
}
