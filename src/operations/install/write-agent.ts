import { chmod, copyFile, cp, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../../foundation/brand.ts';
import { toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import {
  agentFiles,
  kernelHooks,
  renderAgentCommand,
  renderAgentUnit,
  renderKernelHook,
} from '../../machine/agent-files.ts';
import { renderAgentSettings } from '../../machine/agent-settings.ts';
import { agentPaths } from '../../machine/installed-layout.ts';
import { type RootFiles, rootFiles } from '../../system/root-files.ts';
import type { Processes } from '../../system/run.ts';
import { keepConfiguration } from '../update/kept-configuration.ts';

/** The agent's programs, as they lie where this program runs; see `runningAgentProgram`. */
export interface AgentProgram {
  /** The Node that runs it: a program, not a script. */
  node: string;
  /** Directory of the bundle: `imprint.mjs`, `agent.mjs`, the workers. */
  bundle: string;
  /** The directory `boot/` of the program: what runs before Node can. */
  boot?: string;
}

/** The version that lies in a slot, kept with it as what the next update starts from. */
export interface KeptVersion {
  /** Canonical JSON of the record. */
  recordText: string;
  signature?: string;
  /** The manifest in the form of the store: its bytes, or a file. */
  manifest: Uint8Array | { file: string };
}

export interface AgentInstallation {
  program: AgentProgram;
  /** Written at an install; a slot that is filled later gets the settings of the running system instead. */
  settings?: {
    /** URL of the server, and the text of its public key. */
    server?: { url: string; publicKey: string };
    /** Directory whose content becomes `/etc/imprint/trust`: whom to trust for versions, and what was seen of them. */
    trust?: string;
  };
  version?: KeptVersion;
}

/**
 * Puts the agent into the system below `root`, which does not run: programs, command, unit (enabled), and what is given of settings and version.
 * What was there of the programs is replaced. Errors: `disk-full`, `io-failed`.
 */
export async function installAgent(root: string, { program, settings, version }: AgentInstallation): Promise<void> {
  const files = rootFiles(root);
  await writePrograms(files, program);
  await files.write(agentPaths.command, renderAgentCommand(), 0o755);
  await files.write(agentPaths.unit, renderAgentUnit());
  await files.remove(agentFiles.wanted);
  await files.makeDirectory(dirname(agentFiles.wanted));
  await symlink(`/${agentPaths.unit}`, await files.resolve(agentFiles.wanted));
  await writeKernelHooks(files);
  if (settings !== undefined) await writeSettings(files, settings);
  if (version !== undefined) await writeKeptVersion(root, version);
}

/** Keeps the record, its signature and the manifest of the version that lies below `root`. */
export async function writeKeptVersion(root: string, version: KeptVersion): Promise<void> {
  const files = rootFiles(root);
  const { state } = agentPaths;
  await files.makeDirectory(state);
  const directory = await files.resolve(state);
  const { manifest } = version;
  const temporary = join(directory, 'manifest.new');
  if ('file' in manifest) await copyFile(manifest.file, temporary);
  else await writeFile(temporary, manifest);
  await rename(temporary, join(directory, 'manifest'));
  await keepForMerges(root, version, join(directory, 'manifest'));
  await files.write(`${state}/version.json`, version.recordText);
  if (version.signature === undefined) await files.remove(`${state}/version.json.minisig`);
  else await files.write(`${state}/version.json.minisig`, version.signature);
}

/** Of what is still the version's. Where it cannot be kept, an update in place keeps what people edited instead of merging it. */
async function keepForMerges(root: string, { recordText }: KeptVersion, manifestFile: string): Promise<void> {
  try {
    const { digest } = JSON.parse(recordText) as { digest: Digest };
    await keepConfiguration({ root, digest, manifestFile });
  } catch (thrown) {
    if (toImprintError(thrown).code === 'disk-full') throw thrown;
  }
}

/** Has package managers bring the kernels that they install to the boot partition, where this is a system of the kind that we know. */
export async function writeKernelHooks(files: RootFiles): Promise<void> {
  for (const { path, where } of kernelHooks) {
    if (!(await files.exists(where))) continue;
    await files.makeDirectory(dirname(path));
    await files.write(path, renderKernelHook(), 0o755);
  }
}

/** Takes the agent's programs, unit and command away again; settings and version stay. */
export async function removeAgent(root: string): Promise<void> {
  const files = rootFiles(root);
  const hooks = kernelHooks.map(({ path }) => path);
  for (const path of [agentFiles.wanted, agentPaths.unit, agentPaths.command, ...hooks]) await files.remove(path);
  await rm(await files.resolve(agentPaths.program), { recursive: true, force: true });
}

/** Why Node does not run in a system: undefined where it does. */
export async function nodeProblem(processes: Processes, root: string, task: Task): Promise<string | undefined> {
  try {
    await processes.run('chroot', [root, `/${agentFiles.node}`, '--version'], {
      timeout: 120_000,
      signal: task.signal,
    });
    return undefined;
  } catch (thrown) {
    task.signal.throwIfAborted();
    return toImprintError(thrown).message;
  }
}

async function writePrograms(files: RootFiles, program: AgentProgram): Promise<void> {
  await files.makeDirectory(agentPaths.program);
  const directory = await files.resolve(agentPaths.program);
  await rm(directory, { recursive: true });
  await mkdir(directory);
  for (const name of (await readdir(program.bundle)).sort()) {
    if (name.endsWith('.mjs') && name !== 'imager.mjs') await copyProgram(join(program.bundle, name), directory, name);
  }
  if (program.boot !== undefined) await cp(program.boot, join(directory, 'boot'), { recursive: true });
  const missing = await missingLibraries(files);
  if (missing.length === 0) return copyProgram(program.node, directory, 'node', 0o755);
  // The system lacks some of what Node needs: they go beside it, and a script names the place.
  await copyProgram(program.node, directory, 'node.bin', 0o755);
  await mkdir(join(directory, 'lib'));
  for (const name of missing) {
    const source = await firstThere([join(dirname(program.node), 'lib'), ...hostLibraries], name);
    if (source !== undefined) await copyProgram(join(source, name), join(directory, 'lib'), name);
  }
  await writeFile(join(directory, 'node'), renderNodeScript(), { mode: 0o755 });
}

async function copyProgram(from: string, directory: string, name: string, mode = 0o644): Promise<void> {
  await copyFile(from, join(directory, name));
  await chmod(join(directory, name), mode);
}

/** What Node's own builds are linked with beside the C library. */
const nodeLibraries = ['libatomic.so.1', 'libstdc++.so.6', 'libgcc_s.so.1'] as const;
const libraryDirectories = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib64', 'lib64', 'usr/lib', 'lib'];
const hostLibraries = libraryDirectories.map((directory) => `/${directory}`);

async function missingLibraries(files: RootFiles): Promise<string[]> {
  const missing: string[] = [];
  for (const name of nodeLibraries) {
    const there = await Promise.all(libraryDirectories.map((directory) => files.exists(`${directory}/${name}`)));
    if (!there.includes(true)) missing.push(name);
  }
  return missing;
}

async function firstThere(directories: readonly string[], name: string): Promise<string | undefined> {
  for (const directory of directories) {
    if ((await readdir(directory).catch((): string[] => [])).includes(name)) return directory;
  }
  return undefined;
}

function renderNodeScript(): string {
  const { program } = agentPaths;
  return `#!/bin/sh
# This system lacks libraries that Node needs; they lie beside it.
LD_LIBRARY_PATH=/${program}/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec /${program}/node.bin "$@"
`;
}

async function writeSettings(files: RootFiles, settings: NonNullable<AgentInstallation['settings']>): Promise<void> {
  const { server, trust } = settings;
  await files.makeDirectory(agentFiles.health);
  await files.write(agentFiles.settings, renderAgentSettings(server === undefined ? {} : { server: server.url }));
  if (server !== undefined) await files.write(agentFiles.serverKey, server.publicKey);
  if (trust === undefined) return;
  await files.makeDirectory(agentFiles.trust);
  await cp(trust, await files.resolve(agentFiles.trust), { recursive: true });
}
