import { describe, expect, it } from 'vitest';
import { type Choice, chooseChange, type DriftMode, type LocalState, type PathSituation } from './choose-change.ts';

type Row = [
  what: string,
  versions: [before: boolean, after: boolean, differs: boolean],
  local: LocalState,
  // In the order of `columns`.
  choices: [Choice, Choice, Choice, Choice],
];

const columns: [DriftMode, PathSituation['area']][] = [
  ['keep', 'program'],
  ['merge', 'program'],
  ['merge', 'configuration'],
  ['overwrite', 'configuration'],
];
const same: Row[1] = [true, true, false];
const changed: Row[1] = [true, true, true];
const added: Row[1] = [false, true, true];
const removed: Row[1] = [true, false, true];

const table: Row[] = [
  ['nothing changes', same, 'same', ['nothing', 'nothing', 'nothing', 'nothing']],
  ['only the machine changed it', same, 'changed', ['keep', 'keep', 'keep', 'put']],
  ['only the machine removed it', same, 'missing', ['keep', 'keep', 'keep', 'put']],
  ['the version changed it', changed, 'same', ['put', 'put', 'put', 'put']],
  ['both changed it', changed, 'changed', ['keep', 'put', 'merge', 'put']],
  ['the machine removed what the version changed', changed, 'missing', ['keep', 'put', 'keep', 'put']],
  ['both changed it alike', changed, 'wanted', ['nothing', 'nothing', 'nothing', 'nothing']],
  ['the version added it', added, 'missing', ['put', 'put', 'put', 'put']],
  ['both added it', added, 'changed', ['keep', 'put', 'beside', 'put']],
  ['the version removed it', removed, 'same', ['remove', 'remove', 'remove', 'remove']],
  ['the version removed what the machine changed', removed, 'changed', ['keep', 'remove', 'keep', 'remove']],
  ['both removed it', removed, 'missing', ['nothing', 'nothing', 'nothing', 'nothing']],
  ['only the machine has it', [false, false, false], 'changed', ['nothing', 'nothing', 'nothing', 'nothing']],
];

describe('what an update in place does with a path', () => {
  for (const [what, [before, after, differs], local, choices] of table) {
    for (const [index, [mode, area]] of columns.entries()) {
      it(`${what}: ${mode}, ${area}`, () => {
        expect(chooseChange({ before, after, differs, local, area }, mode)).toBe(choices[index]);
      });
    }
  }
});
