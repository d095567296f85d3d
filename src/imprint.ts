import packageInformation from '../package.json' with { type: 'json' };
import { runCommandLine } from './cli/main.ts';

/*
 * The program's composition root: the one place that knows the command line, the server and the agent, which never import each
 * other. What a command needs is loaded when it runs.
 */
await runCommandLine(process.argv.slice(2), packageInformation.version, {
  serve: async (options) => {
    const { serve } = await import('./server/serve.ts');
    await serve(options);
  },
  agent: async (signal) => {
    const { runAgentHere } = await import('./agent/agent-composition.ts');
    await runAgentHere(packageInformation.version, signal);
  },
});
