/** Entry of the agent: the service of an installed machine (docs/agent.md). `imprint-agent.service` starts it. */
import { readFile } from 'node:fs/promises';
import { toImprintError } from '../foundation/errors.ts';
import { agentFiles } from '../machine/agent-files.ts';
import { parseAgentSettings } from '../machine/agent-settings.ts';

async function main(): Promise<void> {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort());
  // Nothing else keeps the process alive while it waits.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const path = `/${agentFiles.settings}`;
    const settings = parseAgentSettings(await readFile(path, 'utf8').catch(() => undefined), path);
    process.stdout.write(`the agent starts; server: ${settings.server ?? 'none'}\n`);
    await new Promise<void>((resolve) => end.signal.addEventListener('abort', () => resolve()));
  } catch (thrown) {
    process.stderr.write(`${toImprintError(thrown).message}\n`);
    process.exitCode = 1;
  } finally {
    clearInterval(alive);
  }
}

await main();
