import { DirectoryStore } from '../../src/store/directory-store.ts';
import { type Kind, work } from './store-work.ts';

/**
 * A process to be killed: does one kind of thing over and over, saying `begin` and `done` each time, once it was told
 * to. Started before it is needed, for starting costs more than what it does.
 */
const [directory = '', tree = '', copy = ''] = process.argv.slice(2);
process.once('message', async (kind: Kind | 'warm up') => {
  const store = await DirectoryStore.open(directory);
  if (kind === 'warm up') {
    // Ends by itself, and so leaves what it compiled to the others.
    await work('edit', { store, tree, copy });
    process.disconnect?.();
    return;
  }
  for (;;) {
    process.send?.('begin');
    await work(kind, { store, tree, copy });
    process.send?.('done');
  }
});
process.send?.('ready');
