/**
 * Run by tests of power cuts: FILE DIRECTORY STORE LAYOUT [LAST]. Lives the story of the layout on the disk FILE, up to the chapter LAST, and leaves the log
 * beside it; each chapter is a mark in it.
 */
import { RecordedDisk } from '../lab/recorded-disk.ts';
import { SimulatedMachine } from '../lab/simulated-machine.ts';
import { storyOf } from './cut-story.ts';

const [file = '', directory = '', store = '', layout = '', last] = process.argv.slice(2);
await using disk = await RecordedDisk.attach(file);
const machine = new SimulatedMachine(disk.device, directory);
try {
  await machine.boot();
  for (const { name, act } of storyOf(layout)) {
    disk.mark(name);
    await act(machine, store);
    if (name === last) break;
  }
  await machine.shutDown();
} catch (error) {
  // Before the disk goes, which may have its own to say then.
  console.error(error);
  process.exitCode = 1;
} finally {
  await machine.abandon();
}
