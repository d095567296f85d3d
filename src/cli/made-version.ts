import type { Session } from './session.ts';

/** What a version that was just made is called. */
export interface MadeVersion {
  reference: string;
  digest: string;
  tags: readonly string[];
  signed: boolean;
}

/** The first lines of what is told of a version that was just made. */
export function madeVersionFields(made: MadeVersion, { stdout }: Session): [label: string, value: string][] {
  const unsigned = `no; sign it: imprint image sign ${made.reference}`;
  return [
    ['version', stdout.paint('bold', made.reference)],
    ['digest', made.digest],
    ['tags', made.tags.join(' ')],
    ['signed', made.signed ? 'yes' : stdout.paint('yellow', unsigned)],
  ];
}

/** A whole number with commas. `toLocaleString` would load the tables of all languages first: a tenth of a capture of what did not change. */
export function formatCount(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}
