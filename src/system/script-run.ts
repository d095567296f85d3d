import { text } from 'node:stream/consumers';
import { ImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';
import { tellLines, tied } from './tied-process.ts';

export interface ScriptRun {
  /** As the script's own root names it. */
  script: string;
  /** The tree whose root it gets; absent: that of this machine. */
  root?: string;
  /** Where the tree's `resolv.conf` lies, relative to it; absent: it has none. */
  resolvConf?: string;
  env: Readonly<Record<string, string>>;
  onLine(line: string): void;
  /** Milliseconds after which it is killed. */
  limit: number;
  signal: AbortSignal;
}

export type ScriptEnd = { kind: 'ended'; status: number } | { kind: 'too-long' };

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Process 1 of the script's namespaces: the mounts that a chroot wants, then the script. Whatever that leaves running, and all the mounts, end with this shell, so that
 * the tree can be unmounted. Number 3 is told that all is ready, or what went wrong. POSIX sh.
 *
 * Arguments: the root, or nothing; where its `resolv.conf` lies; the script.
 */
const inner = `set -eu
root=$1 resolv=$2 script=$3
exec 5>&2 2>&3
if [ -n "$root" ]; then
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
  # udev's, by which programs find out what disks are.
  if [ -d /run/udev ]; then mkdir "$root/run/udev"; mount --bind /run/udev "$root/run/udev"; fi
  if [ -n "$resolv" ] && [ -s /etc/resolv.conf ]; then
    case $resolv in
      run/*) mkdir -p "$root/\${resolv%/*}"; cat /etc/resolv.conf > "$root/$resolv" ;;
      *) cat /etc/resolv.conf > "$root/run/imprint-resolv.conf"; mount --bind "$root/run/imprint-resolv.conf" "$root/$resolv" ;;
    esac
  fi
  set -- chroot "$root" "$script"
else
  set -- "$script"
fi
echo ready >&3
exec 2>&1 3>&- 5>&-
status=0
"$@" < /dev/null || status=$?
exit $status
`;

/**
 * Runs a script as people's scripts are run in an install: in a namespace of processes of its own, in a tree with `/proc`, `/sys`, `/dev` and an empty `/run`, or in this
 * machine. What it started ends with it; what it mounted in a tree is gone with it.
 *
 * Errors: `process-failed` where the mounts cannot be made, `tool-missing`, `interrupted`.
 */
export async function runScript(processes: Processes, run: ScriptRun): Promise<ScriptEnd> {
  const { script, root = '', resolvConf = '', env, limit } = run;
  const late = AbortSignal.timeout(limit);
  const attached = processes.attach('setpriv', tied([], ['sh', '-c', inner, 'imprint', root, resolvConf, script]), {
    streams: ['ignore', 'pipe', 'ignore', 'pipe'],
    env: { PATH: path, LC_ALL: 'C', HOME: '/root', ...env },
    signal: AbortSignal.any([run.signal, late]),
  });
  const words = attached.pipes.get(3);
  const [status, said] = await Promise.all([
    attached.ended,
    words === undefined ? '' : text(words).catch(() => ''),
    tellLines(attached.pipes, run.onLine),
  ]);
  run.signal.throwIfAborted();
  if (late.aborted) return { kind: 'too-long' };
  if (said.endsWith('ready\n')) return { kind: 'ended', status };
  throw new ImprintError('process-failed', {
    command: `unshare --mount --pid sh ${script}`,
    status: `status ${status}`,
    stderr: said.trim() || 'the namespaces could not be made',
  });
}
