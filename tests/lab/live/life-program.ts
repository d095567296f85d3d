import { setTimeout as sleep } from 'node:timers/promises';
import { systemProcesses } from '../../../src/system/run.ts';
import { LiveDisk } from './live-disk.ts';
import { device, findDamage, mounted, readSource, root, say, source, words } from './live-machine.ts';
import { findLosses, Work } from './work.ts';

/** One start of a machine with a live system: looks at what is there, and goes on with the move and the work until its power is cut, or to the end. */
const number = (word: string) => Number(words.get(word) ?? 0);
const acknowledged = { files: number('live.files'), churn: number('live.churn') };
const files = await readSource();
const live = await LiveDisk.begin('/dev/vdb', source);
say(`BEGUN ${live.fresh ? 'fresh' : live.record.phase} ${live.map.copied}`);
const losses = [...(await mounted(() => findLosses(root, acknowledged, files))), ...(await findDamage())];
say(losses.length === 0 ? 'WHOLE' : `LOSS ${losses.length}: ${losses.slice(0, 5).join('; ')}`);
await mounted(async () => {
  const work = new Work(root, acknowledged, async (said) => say(`ACK ${said.files} ${said.churn}`), 10);
  await systemProcesses.run('resize2fs', [device], { timeout: 120_000 });
  await sleep(2000);
  await live.move({ released: () => sleep(4000), pause: 20, tell: say });
  await sleep(2000);
  await work.stop();
});
await live[Symbol.asyncDispose]();
say('FINISHED');
