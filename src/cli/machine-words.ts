import type { Machine, MachineState } from '../contract/machine.ts';
import type { Style, Terminal } from './terminal.ts';

const stateStyles: Record<MachineState, Style> = {
  discovered: 'yellow',
  registered: 'dim',
  assigned: 'blue',
  installing: 'cyan',
  installed: 'green',
  healthy: 'green',
  updating: 'cyan',
  trial: 'cyan',
  reverted: 'yellow',
  failed: 'red',
};

const updateWords = { waiting: '(ordered)', running: '(on its way)', trial: '(on trial)' } as const;

/** A state in its colour. */
export function stateText(terminal: Terminal, state: MachineState): string {
  return terminal.paint(stateStyles[state], state);
}

/** `web:3 (ordered)`, `web:3`, `web:3 → web:4 (on trial)`, `web (set)`. */
export function imageText(terminal: Terminal, machine: Machine): string {
  const { order, update, installed, image } = machine;
  if (order) return `${order.image} ${terminal.paint('dim', '(ordered)')}`;
  if (update) return `${installed?.image ?? '?'} → ${update.image} ${terminal.paint('dim', updateWords[update.phase])}`;
  if (installed) return installed.image;
  return image === undefined ? terminal.paint('dim', '–') : `${image} ${terminal.paint('dim', '(set)')}`;
}
