/** Run by `whileOff`: DISK DIRECTORY STORE STEPS. Prints an `OffLook`. */
import { join } from 'node:path';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import type { OffLook, OffStep } from './machine-off.ts';
import { attachDisk } from './partition-file.ts';
import { playMachine, type SimulatedMachine } from './simulated-machine.ts';

const [file = '', directory = '', store = '', steps = '[]'] = process.argv.slice(2);
await using disk = await attachDisk(file);
await playMachine(disk.device, directory, async (machine) => {
  for (const step of JSON.parse(steps) as OffStep[]) await take(machine, step);
  await machine.shutDown();
  console.log(JSON.stringify(await look(machine)));
});

async function take(machine: SimulatedMachine, step: OffStep): Promise<unknown> {
  switch (step.act) {
    case 'boot':
      return machine.boot();
    case 'shutDown':
      return machine.shutDown();
    case 'update': {
      const { act: _, version, ...options } = step;
      return machine.update(`${store}#web:${version}`, { ...options, agent: true });
    }
    case 'commit':
      return machine.commit();
    case 'revert':
      return machine.revert();
    case 'shell': {
      const env = { ROOT: machine.root, HOST: join(machine.root, 'hostpart') };
      return systemProcesses.run('sh', ['-ec', step.script], { env, timeout: 300_000 });
    }
  }
}

async function look(machine: SimulatedMachine): Promise<OffLook> {
  await using boot = await BootPartition.open(systemProcesses, machine.bootDevice, { readOnly: true });
  const versions = (await boot.entries()).map(({ id, reference }) => [id, reference] as const);
  return { pointer: await boot.pointer(), failure: await boot.failure(), versions: Object.fromEntries(versions) };
}
