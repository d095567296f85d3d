import { DirectoryStore } from '../../src/store/directory-store.ts';
import { type Kind, work } from './store-work.ts';

/**
 * A process to be killed: does one kind of thing over and over, saying `begin` and `done` each time, once it was told
 * to. Started before it is needed, for starting costs more than what it does.
 */
const [directory = '', tree = '', copy = ''] = process.argv.slice(2);
process.once('message', async (kind: Kind) => {
  const store = await DirectoryStore.open(directory);
  for (;;) {
    process.send?.('begin');
    await work(kind, { store, tree, copy });
    process.send?.('done');
  }
});
process.send?.('ready');
