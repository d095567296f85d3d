import { readFile } from 'node:fs/promises';

/** Ticks since the kernel began, of all processors together. */
export interface ProcessorTime {
  /** With nothing to do, and nothing to wait for. */
  idle: number;
  total: number;
}

/** How busy this machine's processors were so far; proc_stat(5). Errors: those of reading. */
export async function processorTime(file = '/proc/stat'): Promise<ProcessorTime> {
  const [first = ''] = (await readFile(file, 'utf8')).split('\n', 1);
  // cpu user nice system idle iowait irq softirq steal; a guest's time is in user's already.
  const ticks = first.split(/ +/).slice(1, 9).map(Number);
  return { idle: ticks[3] ?? 0, total: ticks.reduce((sum, each) => sum + each, 0) };
}
