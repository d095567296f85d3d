import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failed } from '../e2e/prepared.ts';
import { type UpdatedMachine, UpdateLaboratory, type UpdateRow } from '../e2e/update-story.ts';
import { type SabotageName, sabotages } from '../lab/sabotage.ts';
import { badStartsCase, badVersionsCase } from './bad-versions-case.ts';
import { fileCases } from './file-cases.ts';
import { inPlaceCases } from './in-place-cases.ts';
import { record } from './table.ts';
import { expectToRun, type UpdateCase } from './update-case.ts';

/** Which release it is, and who. */
const lookAtRelease = '. /etc/os-release; echo $VERSION_CODENAME; hostname';

async function becomesTrixie(machine: UpdatedMachine): Promise<void> {
  await machine.updateOff('trixie');
  await machine.isUp();
  await machine.settles('settled');
  expect(await machine.shell(lookAtRelease)).toBe(`trixie\n${machine.name}`);
}

/** Every kind of machine has these. */
const everywhere = {
  commit: {
    title: 'update, commit, revert by command',
    async story(machine: UpdatedMachine) {
      await machine.updateOff('good3');
      await expectToRun(machine, 'web:3');
      expect(await machine.shell('cat /etc/imprint-version; hostname')).toBe(`v3\n${machine.name}`);
      await machine.imprint('revert --reboot none');
      await machine.reboot();
      await expectToRun(machine, 'web:2');
      return 'web:3 was committed, web:2 runs again';
    },
  },
  inOne: {
    title: 'update, commit, revert by command, and then a version whose init is broken',
    async story(machine: UpdatedMachine) {
      await machine.updateOff('good3');
      await expectToRun(machine, 'web:3');
      expect(await machine.shell('cat /etc/imprint-version; hostname')).toBe(`v3\n${machine.name}`);
      await machine.imprint('revert --reboot none');
      const reason = await machine.survives('brokenInit');
      expect(reason).not.toBe('');
      expect(await machine.runs()).toBe('web:2');
      return `web:3 was committed, web:2 is good again and stays so: ${reason}`;
    },
  },
  release: {
    title: 'another release of the distribution, and from there to a version of the first',
    async story(machine: UpdatedMachine) {
      await becomesTrixie(machine);
      await machine.updateOff('good3');
      await expectToRun(machine, 'web:3');
      expect(await machine.shell(lookAtRelease)).toBe(`bookworm\n${machine.name}`);
      return 'trixie was committed; web:3, which is bookworm, was tried on it and committed';
    },
  },
  releaseReverted: {
    title: 'another release of the distribution, and back by command',
    async story(machine: UpdatedMachine) {
      await becomesTrixie(machine);
      await machine.imprint('revert --reboot none');
      await machine.reboot();
      await expectToRun(machine, 'web:2');
      expect(await machine.shell(lookAtRelease)).toBe(`bookworm\n${machine.name}`);
      return 'trixie, then bookworm';
    },
  },
  badVersions: badVersionsCase,
  badStarts: badStartsCase,
  ...Object.fromEntries(Object.keys(sabotages).map((name) => [name, survives(name as SabotageName)])),
} as { readonly [Name in EverywhereName | SabotageName]: UpdateCase };

type EverywhereName = 'commit' | 'inOne' | 'release' | 'releaseReverted' | 'badVersions' | 'badStarts';

function survives(name: SabotageName): UpdateCase {
  return {
    title: sabotages[name].title,
    async story(machine) {
      const reason = await machine.survives(name);
      expect(reason).not.toBe('');
      if (name === 'serviceFails') expect(reason).toMatch(/nginx/);
      expect(await machine.runs()).toBe('web:2');
      return reason;
    },
  };
}

const allCases = { ...everywhere, ...fileCases, ...inPlaceCases };
type CaseName = keyof typeof allCases;

/**
 * These cases of one kind of machine, each a test of its own. Every one begins with a copy of the same disk, so that they can be run alone and in any
 * order; what they share is made without a virtual machine.
 */
/** A machine whose versions are image files lives through all that such machines can: the same on each file system. */
export function fileRow({
  fileSystem,
  ...row
}: Omit<UpdateRow, 'options'> & { fileSystem: 'ext4' | 'xfs' | 'btrfs' }): void {
  testRow({ ...row, options: { layout: 'files', fileSystem } }, [
    ...(['inOne', 'badVersions', 'byHand', 'droppedBroken', 'agentless', 'release'] as const),
  ]);
}

export function testRow(row: UpdateRow, cases: readonly CaseName[]): void {
  const { options, firmware } = row;
  const title = `${options.layout} on ${options.fileSystem}, ${firmware === 'bios' ? 'BIOS' : 'UEFI'}`;
  describe(title, () => {
    let laboratory: UpdateLaboratory;
    let settled: UpdatedMachine;

    beforeAll(async () => {
      laboratory = await UpdateLaboratory.open([row]);
      settled = await laboratory.install(row);
      await settled.whileOff([
        ...([{ act: 'boot' }, { act: 'update', version: 'good2' }, { act: 'shutDown' }] as const),
        ...([{ act: 'boot' }, { act: 'commit' }] as const),
      ]);
    });

    afterAll(async () => {
      await laboratory?.[Symbol.asyncDispose]();
    });

    for (const name of cases) {
      const { title: what, story }: UpdateCase = allCases[name];
      it(`${name}: ${what}`, async () => {
        const began = performance.now();
        const seconds = () => (performance.now() - began) / 1000;
        try {
          await using machine = await settled.copy(name);
          record({ row: title, name: `${name}: ${what}`, seconds, outcome: await story(machine) });
        } catch (error) {
          record({
            row: title,
            name: `${name}: ${what}`,
            seconds,
            outcome: `FAILED: ${String(error).split('\n', 1)[0]?.slice(0, 200)}`,
          });
          await failed(laboratory.lab, error);
          throw error;
        }
      });
    }
  });
}
