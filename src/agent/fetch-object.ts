import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';

const tries = 5;
const patience = 60_000;

/**
 * Fetches what the server kept of the machine that is installed (`POST /imager/v1/object`); the caller holds it against the hash of its signed order.
 * A server that is away is asked again for half a minute. Errors: `server-unreachable`, `interrupted`.
 */
export async function fetchObject(
  url: string,
  asked: { order: string; session: string; number: number },
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Uint8Array> {
  const server = url.replace(/\/+$/, '');
  for (let attempt = 1; ; attempt += 1) {
    let problem: string;
    try {
      const response = await fetch(`${server}/imager/v1/object`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(asked),
        signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
      });
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      problem = `it answered ${response.status}`;
    } catch (thrown) {
      problem = thrown instanceof Error ? thrown.message : String(thrown);
    }
    if (signal.aborted) throw new ImprintError('interrupted', {});
    if (attempt >= tries) throw new ImprintError('server-unreachable', { server, problem });
    await clock.sleep(3000 * attempt, signal);
  }
}
