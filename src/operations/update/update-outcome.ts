import type { UpdateResult } from '../../contract/operations/updates.ts';

/** What was done, and the restart that is left to do. */
export interface UpdateOutcome {
  result: UpdateResult;
  /** Restarts the machine as the result says, and tells where it goes another way; nothing where it says `none`. Does not come back where it worked. */
  restart(tell: (message: string) => void): Promise<void>;
}
