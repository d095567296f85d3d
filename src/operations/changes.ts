import type { StoredEvent } from '../database/task-repository.ts';
import type { MachineRecord } from '../machine/machine-state.ts';

/** What others may want to know at once: open pages, machines that wait for an order, the DHCP hosts file. */
export type Change =
  | { kind: 'machine'; machine: MachineRecord }
  | { kind: 'machine-removed'; name: string }
  | { kind: 'task-event'; stored: StoredEvent }
  /** A task that was placed, or whose state changed. */
  | { kind: 'task'; id: string };

export type ChangeListener = (change: Change) => void;

/** Tells everyone in this process what changed, after it was written down. */
export interface Changes {
  publish(change: Change): void;
  /** Answers with the way to stop listening. */
  subscribe(listener: ChangeListener): () => void;
}

/** A listener that throws does not keep the others from hearing; `failed` is told. */
export function createChanges(failed: (thrown: unknown) => void): Changes {
  const listeners = new Set<ChangeListener>();
  return {
    publish: (change) => {
      for (const listener of listeners) {
        try {
          listener(change);
        } catch (thrown) {
          failed(thrown);
        }
      }
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
