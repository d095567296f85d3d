import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { ImprintError } from '../foundation/errors.ts';

const schema = z.object({
  url: z.string(),
  pid: z.int().positive(),
  /** Field 22 of `/proc/PID/stat`: tells the process from a later one with its number. */
  processStart: z.string().optional(),
});

/**
 * Says in `DATA/server.json` that a server runs here, for the command line to find. Refused (`server-running`) while the
 * process that says so already lives; a file that a killed server left is replaced. Answers with the way to take it away.
 */
export async function announceRunning(path: string, data: string, url: string): Promise<() => Promise<void>> {
  await refuseSecond(path, data);
  const own = { url, pid: process.pid, processStart: await processStart(process.pid) };
  await writeFile(`${path}.${process.pid}.tmp`, `${JSON.stringify(own)}\n`, { mode: 0o644 });
  await rename(`${path}.${process.pid}.tmp`, path);
  return async () => {
    if ((await readRunning(path))?.pid === process.pid) await rm(path, { force: true });
  };
}

/** Throws `server-running` where a server runs on this data directory. */
export async function refuseSecond(path: string, data: string): Promise<void> {
  const running = await readRunning(path);
  if (!running || running.pid === process.pid) return;
  const start = await processStart(running.pid);
  if (start === undefined || (running.processStart !== undefined && running.processStart !== start)) return;
  throw new ImprintError('server-running', { data, url: running.url, pid: running.pid });
}

async function readRunning(path: string): Promise<z.infer<typeof schema> | undefined> {
  try {
    return schema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch {
    // Absent, or torn by a crash: nobody runs by it.
    return undefined;
  }
}

async function processStart(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the command's name in brackets and may hold anything.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
