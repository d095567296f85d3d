import type { LivePhase, LiveRecord } from '../machine/live-record.ts';

/** Devices of a live system, below `/dev/mapper`. */
export const liveDevices = {
  base: 'imprint-base',
  changes: 'imprint-changes',
  top: 'imprint-top',
  root: 'imprint-root',
} as const;
export type LiveDevice = keyof typeof liveDevices;

/** A device-mapper table: one line for each run of sectors. */
export interface LiveTable {
  readonly device: LiveDevice;
  readonly table: string;
}

/** Bytes of one exception of a snapshot: the least that the kernel has. */
export const liveChunk = 4096;

/** What the tables are made of, beside the record. */
export interface LivePlaces {
  /** Block device that has the source; absent once it was copied. */
  source?: string;
  disk: string;
  /**
   * Runs of the source, in sectors, that lie on the disk already, rising and apart: what was copied before the last start, and what somebody
   * changed in memory before the move began.
   */
  copied?: readonly { start: number; length: number }[];
}

/**
 * The tables of a phase, each after what it lies on. At a start all are made; where a phase follows another one in a system that runs, the
 * ones that differ are loaded and resumed, in this order. Throws a `RangeError` where the source is needed and not there.
 */
export function liveTables(record: LiveRecord, places: LivePlaces): LiveTable[] {
  const { phase, size, start, length, changesAt, changesLength } = record;
  const { disk } = places;
  const whole = { device: 'root', table: `0 ${length} linear ${disk} ${start}` } as const;
  if (phase === 'done') return [whole];
  const device = (name: LiveDevice) => `/dev/mapper/${liveDevices[name]}`;
  const type = phase === 'merging' ? 'snapshot-merge' : 'snapshot';
  return [
    { device: 'base', table: baseTable(record, places) },
    { device: 'changes', table: `0 ${changesLength} linear ${disk} ${start + changesAt}` },
    { device: 'top', table: `0 ${size} ${type} ${device('base')} ${device('changes')} P ${liveChunk / 512}` },
    {
      device: 'root',
      // Where changes are kept, the file system has no room until they are merged.
      table: lines([
        `0 ${size} linear ${device('top')} 0`,
        changesAt > size ? `${size} ${changesAt - size} linear ${disk} ${start + size}` : undefined,
      ]),
    },
  ];
}

/** The phase behind another one, in which nothing but these tables is others. */
export function nextLivePhase(phase: LivePhase): LivePhase | undefined {
  return ({ copying: 'copied', copied: 'merging', merging: 'done', done: undefined } as const)[phase];
}

function baseTable({ phase, size, start }: LiveRecord, { source, disk, copied = [] }: LivePlaces): string {
  if (phase !== 'copying') return `0 ${size} linear ${disk} ${start}`;
  if (source === undefined) throw new RangeError('the source is not there, and not all of it was copied');
  const rows: string[] = [];
  let at = 0;
  for (const run of [...copied, { start: size, length: 0 }]) {
    if (run.start < at || run.start + run.length > size)
      throw new RangeError('what was copied lies outside of the source');
    if (run.start > at) rows.push(`${at} ${run.start - at} linear ${source} ${at}`);
    if (run.length > 0) rows.push(`${run.start} ${run.length} linear ${disk} ${start + run.start}`);
    at = run.start + run.length;
  }
  return lines(rows);
}

function lines(rows: readonly (string | undefined)[]): string {
  return rows.filter((row) => row !== undefined).join('\n');
}
