import type { Task } from '../../foundation/task.ts';
import type { StepOf } from '../../planning/step.ts';
import type { InstallAgent, InstallContext } from './install-context.ts';
import { installAgent, nodeProblem, removeAgent, writeKeptVersion } from './write-agent.ts';
import { writeFirstBoot } from './write-system-files.ts';

/** Restores the version, and keeps with it what the next update starts from: while all of it is still the version's. */
export async function restoreVersion(_step: StepOf<'restore'>, context: InstallContext, task: Task): Promise<void> {
  await context.restore(context.target, task);
  await keepVersion(context);
}

/** What the next update starts from. */
export async function keepVersion({ target, content, keptVersion }: InstallContext): Promise<void> {
  // Where no agent can run, nothing will ever look at it.
  const version = content.systemd && content.runsNode ? await keptVersion?.() : undefined;
  if (version !== undefined) await writeKeptVersion(target, version);
}

/**
 * Installs the agent, which reports how the system comes up, and sees that its Node runs there. Where it does not, or where there is no
 * agent to install, a unit of plain sh reports the first boot.
 */
export async function writeAgent(step: StepOf<'write-agent'>, context: InstallContext, task: Task): Promise<void> {
  const { agent } = context;
  const { server, order, session, digest } = step;
  if (agent !== undefined && (await putAgent(agent, server, context, task))) return;
  if (server !== undefined && order !== undefined && session !== undefined) {
    await writeFirstBoot({ server, order, session, digest }, context);
  }
}

/** Whether the agent is there and runs. */
async function putAgent(
  { program, publicKey, trust }: InstallAgent,
  server: string | undefined,
  context: InstallContext,
  task: Task,
): Promise<boolean> {
  const { target } = context;
  const settings = {
    ...(server === undefined || publicKey === undefined ? {} : { server: { url: server, publicKey } }),
    ...(trust === undefined ? {} : { trust }),
  };
  await installAgent(target, { program, settings });
  const problem = await nodeProblem(context.processes, target, task);
  if (problem === undefined) return true;
  task.warn(`the agent cannot run in this image, which can then only be updated by installing it anew: ${problem}`);
  await removeAgent(target);
  return false;
}
