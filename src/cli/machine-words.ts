import type { Machine, MachineState } from '../contract/machine.ts';
import type { Style, Terminal } from './terminal.ts';

const stateStyles: Record<MachineState, Style> = {
  discovered: 'yellow',
  registered: 'dim',
  assigned: 'blue',
  installing: 'cyan',
  installed: 'green',
  healthy: 'green',
  failed: 'red',
};

/** A state in its colour. */
export function stateText(terminal: Terminal, state: MachineState): string {
  return terminal.paint(stateStyles[state], state);
}

/** `web:3 (ordered)`, `web:3`, `web (set)`. */
export function imageText(terminal: Terminal, machine: Machine): string {
  const { order, installed, image } = machine;
  if (order) return `${order.image} ${terminal.paint('dim', '(ordered)')}`;
  if (installed) return installed.image;
  return image === undefined ? terminal.paint('dim', '–') : `${image} ${terminal.paint('dim', '(set)')}`;
}
