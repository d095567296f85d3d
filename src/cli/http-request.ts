import { request as httpRequest, type IncomingMessage } from 'node:http';
import { ImprintError } from '../foundation/errors.ts';

export interface HttpRequest {
  url: URL;
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
  /** For people: the server as it was named. */
  server: string;
  /** Milliseconds until the first byte of the answer must be there. */
  timeout: number;
}

/**
 * One HTTP request by `node:http`, whose answers may be silent for hours (`fetch` gives up on an idle stream after five
 * minutes). Throws `server-unreachable` where there is no answer, the signal's reason when it is aborted.
 */
export async function sendRequest(options: HttpRequest): Promise<IncomingMessage> {
  const send = options.url.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
  return new Promise((resolve, reject) => {
    const { url, method, headers, signal, body } = options;
    const fail = (error: Error) => reject(signal.aborted ? signal.reason : unreachable(options.server, error));
    const request = send(url, { method, headers, signal, agent: false }, (response) => {
      request.setTimeout(0);
      resolve(response);
    });
    request.setTimeout(options.timeout, () =>
      request.destroy(new Error(`no answer within ${Math.round(options.timeout / 1000)} seconds`)),
    );
    request.on('error', fail);
    request.end(body);
  });
}

/** The whole body as text. */
export async function readBody(response: IncomingMessage, server: string, signal: AbortSignal): Promise<string> {
  try {
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    return Buffer.concat(parts).toString('utf8');
  } catch (thrown) {
    throw signal.aborted ? signal.reason : unreachable(server, thrown as Error);
  }
}

/** `server-unreachable` with the reason in words. */
export function unreachable(server: string, error: NodeJS.ErrnoException): ImprintError {
  const problems: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there',
    ECONNRESET: 'it broke off the connection',
    ENOTFOUND: 'there is no host of that name',
    EAI_AGAIN: 'the name service does not answer',
    EHOSTUNREACH: 'there is no way to that host',
    ENETUNREACH: 'there is no way to that network',
    ETIMEDOUT: 'the connection timed out',
  };
  const problem = problems[error.code ?? ''] ?? error.message;
  return new ImprintError('server-unreachable', { server, problem }, { cause: error });
}
