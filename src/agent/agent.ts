/** Entry of the agent: the service of an installed machine (docs/agent.md). `imprint-agent.service` starts it. */
import packageInformation from '../../package.json' with { type: 'json' };
import { toImprintError } from '../foundation/errors.ts';
import { runAgentHere } from './agent-composition.ts';

async function main(): Promise<void> {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort());
  // Nothing else keeps the process alive while it waits.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    await runAgentHere(packageInformation.version, end.signal);
  } catch (thrown) {
    if (end.signal.aborted) return;
    const { message, hint } = toImprintError(thrown);
    process.stderr.write(`${message}\n${hint}\n`);
    process.exitCode = 1;
  } finally {
    clearInterval(alive);
  }
}

await main();
