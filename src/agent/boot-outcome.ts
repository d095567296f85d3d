import type { AgentOutcome } from '../contract/agent-protocol.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { MachineView } from '../operations/update/this-machine.ts';

/** How the update that was noted before this boot stands. */
export type NotedUpdate =
  /** It goes on: it is being proven, or waits for the restart. */
  | { kind: 'going-on'; order: string | undefined }
  /** It has ended; the server is to hear it where it was its order. */
  | { kind: 'ended'; order: string | undefined; outcome: AgentOutcome['outcome'] }
  /** There is no note, or one of an update that never came to anything. */
  | { kind: 'none' };

/** What became of the noted update, by what boots and what runs. Pure. */
export function notedUpdate({ note, situation, pointer, running, failure, systems }: MachineView): NotedUpdate {
  if (note === undefined) return { kind: 'none' };
  const { order, entry, to } = note;
  if (pointer.trial === entry) return { kind: 'going-on', order };
  if (running?.id === entry && situation.kind !== 'stray') {
    return { kind: 'ended', order, outcome: { kind: 'committed', version: to } };
  }
  if (failure?.entry === entry) {
    const error = new ImprintError('trial-failed', { reference: to.image, reason: failure.reason }).toValue();
    return { kind: 'ended', order, outcome: { kind: 'fell-back', error } };
  }
  // Another system starts by itself: it was committed, and may run no longer.
  if (systems.some(({ good, standard }) => !standard && good === entry)) {
    return { kind: 'ended', order, outcome: { kind: 'committed', version: to } };
  }
  // The pointer has it as the good one, but somebody has not restarted yet (a revert that waits), or chose another in the menu.
  if (pointer.good === entry) return { kind: 'going-on', order };
  return { kind: 'none' };
}
