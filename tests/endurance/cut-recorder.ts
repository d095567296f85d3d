/**
 * Run by tests of power cuts: FILE DIRECTORY STORE LAYOUT [LAST]. Lives the story of the layout on the disk FILE, up to the chapter LAST, and leaves the log
 * beside it; each chapter is a mark in it.
 */
import { RecordedDisk } from '../lab/recorded-disk.ts';
import { playMachine } from '../lab/simulated-machine.ts';
import { storyOf } from './cut-story.ts';

const [file = '', directory = '', store = '', layout = '', last] = process.argv.slice(2);
await using disk = await RecordedDisk.attach(file);
await playMachine(disk.device, directory, async (machine) => {
  await machine.boot();
  for (const { name, act } of storyOf(layout)) {
    disk.mark(name);
    await act(machine, store);
    if (name === last) break;
  }
  await machine.shutDown();
});
