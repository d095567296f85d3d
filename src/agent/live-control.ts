import { type LiveReply, type LiveRequest, liveRequestSchema } from '../contract/live-control.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { LiveOrders } from './live-orders.ts';

/** What answers requests; see `LiveOrders`. */
export type AnsweringOrders = Pick<LiveOrders, 'status' | 'plan' | 'install' | 'follow' | 'goOn'>;

/** Answers one line from the socket of a live system. Never rejects: what goes wrong is an answer. */
export async function answerLive(
  orders: AnsweringOrders,
  line: string,
  send: (line: string) => void,
  gone: AbortSignal,
): Promise<void> {
  const reply = (value: LiveReply) => send(JSON.stringify(value));
  try {
    await answer(orders, parse(line), reply, gone);
  } catch (thrown) {
    reply({ kind: 'error', error: toImprintError(thrown).toValue() });
  }
}

async function answer(
  orders: AnsweringOrders,
  request: LiveRequest,
  reply: (value: LiveReply) => void,
  gone: AbortSignal,
): Promise<void> {
  const event: Parameters<AnsweringOrders['follow']>[0] = (each) => reply({ kind: 'event', event: each });
  if (request.kind === 'status') return reply({ kind: 'status', status: await orders.status() });
  if (request.kind === 'plan') return reply({ kind: 'plan', plan: await orders.plan(request) });
  if (request.kind === 'install') await orders.install(request, event, gone);
  else if (request.kind === 'go-on') await orders.goOn(event, gone);
  else await orders.follow(event, gone);
  reply({ kind: 'done' });
}

function parse(line: string): LiveRequest {
  try {
    const { data } = liveRequestSchema.safeParse(JSON.parse(line));
    if (data !== undefined) return data;
  } catch {
    // Told as what is no request.
  }
  throw new ImprintError('input-invalid', { field: 'the request', problem: 'it is none that this system knows' });
}
