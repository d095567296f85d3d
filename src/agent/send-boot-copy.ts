import { readFile } from 'node:fs/promises';
import { bootCopyLimit } from '../contract/boot-copy.ts';
import type { ImagerBootCopy } from '../contract/imager-protocol.ts';
import { formatBytes } from '../foundation/bytes.ts';
import type { Clock } from '../foundation/clock.ts';
import { postJson } from './post-json.ts';

const tries = 5;
const patience = 60_000;

/**
 * Has the server keep the safety copy in a file (`POST /imager/v1/boot-copy`). A server that is away is asked again for half a minute. Resolves with where it
 * is, in words; throws an `Error` that says why it is not kept.
 */
export async function sendBootCopy(
  url: string,
  { file, machine, ...asked }: { file: string; machine: string } & Omit<ImagerBootCopy, 'content'>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<string> {
  const content = await readFile(file);
  if (content.length > bootCopyLimit) {
    const sizes = `it has ${formatBytes(content.length)}, and the server takes ${formatBytes(bootCopyLimit)}`;
    throw new Error(`the copy is too large: ${sizes}`);
  }
  const server = url.replace(/\/+$/, '');
  const body: ImagerBootCopy = { ...asked, content: content.toString('base64') };
  for (let attempt = 1; ; attempt += 1) {
    let problem: string;
    try {
      const limits = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
      const { status, text } = await postJson(`${server}/imager/v1/boot-copy`, body, limits);
      if (status === 200) return `kept by the server: copy ${numberIn(text)} of ${machine}`;
      problem = `it answered ${status} ${text.slice(0, 300)}`.trim();
      // What it refuses now it refuses again.
      if (status >= 400 && status < 500) attempt = tries;
    } catch (thrown) {
      signal.throwIfAborted();
      problem = thrown instanceof Error ? thrown.message : String(thrown);
    }
    if (attempt >= tries) throw new Error(`the server ${server} does not keep it (${problem})`);
    await clock.sleep(3000 * attempt, signal);
  }
}

function numberIn(text: string): number {
  return Number((JSON.parse(text) as { number?: unknown }).number);
}
