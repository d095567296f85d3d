import { agentPaths } from './installed-layout.ts';

const directory = `${agentPaths.state}/first-boot`;

/** What runs scripts at the first boot: all of it goes when the last has ended well, but for the log. Relative to the root. */
export const firstBootScriptPaths = {
  directory,
  scripts: `${directory}/scripts`,
  /** There as long as anything is to be run. */
  runner: `${directory}/run`,
  variables: `${directory}/variables.txt`,
  /** An empty file for each script that ended well. */
  done: `${directory}/done`,
  /** Name of the script that runs. */
  running: `${directory}/running`,
  /** Name, exit status, and the last lines of the one that failed. */
  failed: `${directory}/failed`,
  /** All are done, whatever else is still there. */
  finished: `${directory}/finished`,
  log: `${directory}/log`,
  unit: 'etc/systemd/system/imprint-first-boot-scripts.service',
  wanted: 'etc/systemd/system/multi-user.target.wants/imprint-first-boot-scripts.service',
} as const;

/** Seconds that one script may take. */
export const scriptPatience = 3600;

/** Where the network is up, as far as it ever is. */
export function renderFirstBootScriptsUnit(): string {
  return [
    '[Unit]',
    'Description=Scripts of the first boot, by Imprint',
    `ConditionPathExists=/${firstBootScriptPaths.runner}`,
    'Wants=network-online.target',
    'After=network-online.target local-fs.target',
    '',
    '[Service]',
    'Type=oneshot',
    `ExecStart=/bin/sh /${firstBootScriptPaths.runner}`,
    'TimeoutStartSec=infinity',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

/**
 * The script that runs them, POSIX sh. One that ended well is written down at once and never run again; one that failed, or that a power cut ended,
 * is run again from its beginning at the next boot, and those behind it wait.
 *
 * @param root where the system lies; another than '' is for tests
 */
export function renderFirstBootRunner(root = ''): string {
  const path = (name: keyof typeof firstBootScriptPaths) => `'${root}/${firstBootScriptPaths[name]}'`;
  return `#!/bin/sh
# Written by Imprint at the install. Runs what lies in scripts/, each once, and removes itself.
cd ${path('directory')} || exit 1
set -f
if [ ! -e finished ]; then
  set -a
  . ./variables.txt
  IMPRINT_PHASE=first-boot
  set +a
fi
mkdir -p done scripts
limit=
if command -v timeout > /dev/null; then limit='timeout -k 10 ${scriptPatience}'; fi

one() {
  IFS= read -r first < "$1" || :
  # Also where /var is mounted noexec.
  file=$PWD/$1
  set -- \${first#??}
  $limit "$@" "$file" < /dev/null
}

for script in $(ls scripts | LC_ALL=C sort); do
  [ -e "done/$script" ] && continue
  rm -f failed
  echo "$script" > running
  echo "$script" "($(date -u +%Y-%m-%dT%H:%M:%SZ))" >> log
  one "scripts/$script" > output 2>&1
  status=$?
  cat output >> log
  cat output
  if [ $status -ne 0 ]; then
    [ $status -eq 124 ] && echo 'no end after ${scriptPatience} s' >> output
    { echo "$script"; echo $status; tail -n 20 output; } > failed.new
    sync
    mv failed.new failed
    rm -f running
    echo "$script failed with status $status" | tee -a log
    exit 1
  fi
  # Before the next one begins: whatever happens then, this one is not run again.
  sync
  : > "done/$script"
  sync
done

[ -e finished ] || echo "done ($(date -u +%Y-%m-%dT%H:%M:%SZ))" >> log
# From here on nothing is run, wherever the power may go.
: > finished
sync
rm -f running output failed ${path('wanted')} ${path('unit')}
rm -rf scripts done variables.txt
sync
rm -f run
exit 0
`;
}

/** How the scripts of the first boot are: what the agent tells. */
export interface FirstBootState {
  state: 'running' | 'failed';
  script?: string;
  status?: number;
  /** The last lines. */
  log?: string;
}

/** From the texts of the files `running` and `failed`, where `run` is there. */
export function readFirstBootState(running: string | undefined, failed: string | undefined): FirstBootState {
  if (failed === undefined) {
    const script = running?.trim();
    return { state: 'running', ...(script && { script: script.slice(0, 100) }) };
  }
  const [script = '', status = '', ...lines] = failed.split('\n');
  return {
    state: 'failed',
    script: script.slice(0, 100),
    status: Number.parseInt(status, 10) || 0,
    log: lines.join('\n').trim().slice(-2000),
  };
}
