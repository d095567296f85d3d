import type { z } from 'zod';
import { machineStates } from '../contract/machine.ts';
import type { netbootStatusSchema, serverStatus } from '../contract/operations/server.ts';
import { toImprintError } from '../foundation/errors.ts';
import type { Context } from './context.ts';

/** What only the running server knows about itself. */
export interface ServerFacts {
  version: string;
  started: number;
  url: string;
  netboot(): Promise<z.infer<typeof netbootStatusSchema> | undefined>;
}

export async function readServerStatus(
  context: Context,
  facts: ServerFacts,
): Promise<z.input<typeof serverStatus.output>> {
  const { machines, tasks } = await context.database();
  const all = await machines.all();
  const counts = Object.fromEntries(machineStates.map((state) => [state, all.filter((m) => m.state === state).length]));
  const storeProblem = await context.store().then(
    () => undefined,
    (thrown) => toImprintError(thrown).message,
  );
  const netboot = await facts.netboot();
  return {
    version: facts.version,
    started: facts.started,
    url: facts.url,
    data: context.paths.data,
    store: context.storeLocation,
    ...(storeProblem !== undefined && { storeProblem }),
    key: (await context.key()).signer.publicKey.id,
    machines: counts as z.input<typeof serverStatus.output>['machines'],
    runningTasks: (await tasks.list({ state: 'running', limit: 1000 })).length,
    ...(netboot && { netboot }),
  };
}
