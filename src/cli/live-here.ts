import {
  type LiveReply,
  type LiveRequest,
  type LiveStatus,
  liveControlPath,
  liveReplySchema,
} from '../contract/live-control.ts';
import { ImprintError } from '../foundation/errors.ts';
import { recogniseRoot } from '../planning/recognise-root.ts';
import { askLines } from '../system/line-socket.ts';
import { readRootFacts } from '../system/root-facts.ts';
import { systemProcesses } from '../system/run.ts';
import type { Session } from './session.ts';

/** Asks whoever serves the root of this live system. Errors: what was answered; `live-not-here` where nobody answers. */
export async function* askLive(session: Session, request: LiveRequest): AsyncGenerator<LiveReply> {
  try {
    for await (const line of askLines(liveControlPath, JSON.stringify(request), session.signal)) {
      const { data } = liveReplySchema.safeParse(JSON.parse(line));
      if (data === undefined) continue;
      if (data.kind === 'error') throw ImprintError.fromValue(data.error);
      yield data;
    }
  } catch (error) {
    session.signal.throwIfAborted();
    if (error instanceof ImprintError) throw error;
    const { problem, hint } = recogniseRoot(await readRootFacts(systemProcesses));
    throw new ImprintError('live-not-here', { problem, hint });
  }
}

/** How this live system is. Errors: those of `askLive`. */
export async function liveStatus(session: Session): Promise<LiveStatus> {
  for await (const reply of askLive(session, { kind: 'status' })) if (reply.kind === 'status') return reply.status;
  throw new ImprintError('internal', { problem: 'what serves this system said nothing' });
}
