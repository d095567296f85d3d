/**
 * Run by tests of power cuts: FILE DIRECTORY STORE VERSION TREE. Starts the machine whose disk is FILE after a cut and has it brought to VERSION once more, as
 * its agent or an administrator would: what runs on trial is committed, and where another version runs the update is done again. Prints how often it was
 * started, or what is wrong with it in the end; TREE is the version as it must be.
 */
import { lookAtMachine } from '../../src/operations/update/this-machine.ts';
import { attachDisk } from '../lab/partition-file.ts';
import { playMachine, type SimulatedMachine } from '../lab/simulated-machine.ts';
import { treeProblems } from '../lab/tree-problems.ts';

const [file = '', directory = '', store = '', version = '', tree = ''] = process.argv.slice(2);
const mostBoots = 4;
await using disk = await attachDisk(file);
await playMachine(disk.device, directory, async (machine) => {
  console.log(await finish(machine));
  await machine.shutDown();
});

async function finish(machine: SimulatedMachine): Promise<string> {
  for (let boots = 1; boots <= mostBoots; boots += 1) {
    await machine.boot();
    const { running, situation } = await lookAtMachine(await machine.machine());
    if (situation.kind === 'trial') await machine.commit();
    if (running?.reference === version) {
      const problems = await treeProblems(tree, machine.root);
      return problems.length === 0 ? `started ${boots} times` : `it is not whole: ${problems.join('; ')}`;
    }
    await machine.update(`${store}#${version}`);
    await machine.shutDown();
  }
  return `it was started ${mostBoots} times and is not ${version} yet`;
}
