import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemProcesses } from '../../src/system/run.ts';

/** An ssh server of the test's own, on a free port of 127.0.0.1. Needs root. */
export interface TestSshd extends AsyncDisposable {
  readonly port: number;
  /** Private key that may log in as root. */
  readonly identity: string;
  /** What `ssh -o` needs to trust it. */
  readonly options: string[];
  /** Ends the server and all of its connections at once, as a machine that goes down. */
  kill(): Promise<void>;
}

/** @param wrapper a shell line run instead of each command, with the command in `$SSH_ORIGINAL_COMMAND`. */
export async function startSshd(wrapper?: string): Promise<TestSshd> {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-sshd-'));
  const hostKey = join(directory, 'host_key');
  const identity = join(directory, 'identity');
  for (const path of [hostKey, identity]) {
    await systemProcesses.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
  }
  const authorized = join(directory, 'authorized_keys');
  await writeFile(authorized, await readFile(`${identity}.pub`));
  await chmod(directory, 0o700);
  const port = await freePort();
  const config = join(directory, 'sshd_config');
  await mkdir('/run/sshd', { recursive: true });
  await writeFile(
    config,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${authorized}`,
      `PidFile ${join(directory, 'pid')}`,
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'StrictModes no',
      'UsePAM no',
      ...(wrapper === undefined ? [] : [`ForceCommand ${wrapper}`]),
      '',
    ].join('\n'),
  );
  const known = join(directory, 'known_hosts');
  const [type, key] = (await readFile(`${hostKey}.pub`, 'utf8')).split(' ');
  await writeFile(known, `[127.0.0.1]:${port} ${type} ${key}\n`);
  // It ends with the tests even where they are killed.
  const words = ['--pdeathsig', 'TERM', '/usr/sbin/sshd', '-D', '-e', '-f', config];
  const server = spawn('setpriv', words, { stdio: 'ignore', detached: true });
  while (!(await answers(port))) {
    if (server.exitCode !== null) throw new Error(`sshd ended with status ${server.exitCode}`);
    await delay(30);
  }
  return {
    port,
    identity,
    options: [`UserKnownHostsFile=${known}`, 'StrictHostKeyChecking=yes'],
    kill: () => end(server),
    async [Symbol.asyncDispose]() {
      await end(server);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function end(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  // The connections before what runs in them: a machine without power does not tell how its programs ended.
  for (const pid of await descendants(server.pid)) killQuietly(pid);
  await ended;
}

/** The server and the processes of its connections, which make sessions of their own. */
async function descendants(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const below = await Promise.all(children.trim().split(' ').filter(Boolean).map(Number).map(descendants));
  return [pid, ...below.flat()];
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** A TCP port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function answers(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'data', { signal: AbortSignal.timeout(1000) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** True where the programs that the tests over ssh need are here, and we are root. */
export async function canRunSshd(): Promise<boolean> {
  const there = await Promise.all(
    ['/usr/sbin/sshd', '/usr/bin/ssh', '/usr/bin/ssh-keygen'].map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return process.getuid?.() === 0 && there.every(Boolean);
}
