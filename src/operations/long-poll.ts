import type { AgentOrder } from '../contract/agent-protocol.ts';
import type { ImagerOrder, ScriptsAnswer, SignedAnswer } from '../contract/imager-protocol.ts';
import type { MachineRecord } from '../machine/machine-state.ts';
import type { Context } from './context.ts';

/** An answer, signed by the server's key: what machines act on. */
export async function signAnswer(
  context: Context,
  answer: ImagerOrder | AgentOrder | ScriptsAnswer,
): Promise<SignedAnswer> {
  const payload = JSON.stringify(answer);
  const { signer } = await context.key();
  return { payload, signature: Buffer.from(signer.signRaw(Buffer.from(payload, 'utf8'))).toString('base64') };
}

/** A wait that began before the question was looked at, so that no change slips in between. */
export interface MachineChange {
  stop(): void;
  /** Resolves when the machine called `name` has changed so, or is gone, and at the latest after `milliseconds`. */
  within(milliseconds: number, name: string): Promise<void>;
}

/** Waits until a machine is changed so that `counts`, removed or renamed. */
export function nextMachineChange(
  context: Context,
  signal: AbortSignal,
  counts: (machine: MachineRecord) => boolean,
): MachineChange {
  let seen: () => void = () => {};
  let watched: string | undefined;
  const missed = new Set<string>();
  const stop = context.changes.subscribe((change) => {
    const name =
      change.kind === 'machine' && counts(change.machine)
        ? change.machine.name
        : change.kind === 'machine-removed'
          ? change.name
          : undefined;
    if (name === undefined) return;
    if (watched === undefined) missed.add(name);
    else if (name === watched) seen();
  });
  return {
    stop,
    within: async (milliseconds, name) => {
      if (missed.has(name)) return;
      watched = name;
      const woken = new AbortController();
      seen = () => woken.abort();
      await context.clock.sleep(milliseconds, AbortSignal.any([woken.signal, signal])).catch(() => {});
    },
  };
}
