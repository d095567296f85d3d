import type { ErrorCode } from '../foundation/error-catalogue.ts';
import { toImprintError } from '../foundation/errors.ts';

/** One thing that is wrong with a store. */
export interface Defect {
  kind:
    | 'store'
    | 'index'
    | 'record'
    | 'signature'
    | 'tag'
    | 'manifest'
    | 'pack-list'
    | 'uses'
    | 'content'
    | 'pack'
    | 'mark'
    | 'hints'
    | 'bundle'
    | 'trust';
  /** The file, relative to the store. */
  path: string;
  code: ErrorCode;
  /** What is wrong, for people: part of a sentence. */
  problem: string;
  /** Versions that it touches: `web:3`. Empty where none is, as with hints. */
  affects: string[];
}

/** The defect that an error of exit status 5 stands for; any other error is thrown on, for it says nothing of the store. */
export function defectOf(error: unknown, kind: Defect['kind'], path: string, affects: string[]): Defect {
  const known = toImprintError(error);
  if (known.exitStatus !== 5) throw known;
  return { kind, path, code: known.code, problem: String(known.details.problem ?? known.message), affects };
}
