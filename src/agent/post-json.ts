import type { IncomingMessage } from 'node:http';

/** A server's answer, read to its end. */
export interface PostAnswer {
  status: number;
  text: string;
}

/**
 * Posts JSON, on a connection of its own: no answer is ever that of a connection which the server has just given up. By `node:http`, since `fetch` takes
 * eight megabytes more of a process that is there all the time. Redirections are not followed. Throws what the network threw, or the signal's reason.
 */
export async function postJson(url: string, body: unknown, signal: AbortSignal): Promise<PostAnswer> {
  signal.throwIfAborted();
  const { request } = url.startsWith('https:') ? await import('node:https') : await import('node:http');
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, { method: 'POST', headers, agent: false, signal }, resolve).on('error', reject).end(text);
    });
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    return { status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() };
  } catch (thrown) {
    // Node says of all ends by a signal that somebody wished them; which one it was is the reason.
    throw signal.aborted ? signal.reason : thrown;
  }
}
