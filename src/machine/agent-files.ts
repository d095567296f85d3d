import { agentPaths } from './installed-layout.ts';

/**
 * Files of the agent in an installed system, relative to its root. The programs lie in `agentPaths.program`: `node`, and the bundle (`imprint.mjs`,
 * `agent.mjs`, and each `*-worker.mjs`); `boot/` beside them, where the boot addition finds its scripts.
 */
export const agentFiles = {
  node: `${agentPaths.program}/node`,
  agent: `${agentPaths.program}/agent.mjs`,
  commandLine: `${agentPaths.program}/imprint.mjs`,
  wanted: 'etc/systemd/system/multi-user.target.wants/imprint-agent.service',
  settings: `${agentPaths.settings}/agent.yaml`,
  /** Public key of the server, whose signed answers are believed. Absent: no server is asked. */
  serverKey: `${agentPaths.settings}/server.pub`,
  /** What the server last said of this machine's own paths (`MachineRules`). */
  serverRules: `${agentPaths.settings}/server-rules.json`,
  /** The machine's own key (Ed25519, PKCS 8, PEM), by which the server knows whose objects it gets. */
  machineKey: `${agentPaths.settings}/machine.key`,
  /** Whom to trust for versions (`pinned`), and what was seen of them. */
  trust: `${agentPaths.settings}/trust`,
  /** Programs that a version on trial must pass. */
  health: `${agentPaths.settings}/health.d`,
} as const;

/**
 * Hooks of Debian's kernel packages and of update-initramfs: a kernel that is installed in the running system goes to the boot partition. Each stands where
 * the directory that it needs (`where`) is.
 */
export const kernelHooks = [
  { path: 'etc/kernel/postinst.d/zz-imprint', where: 'etc/kernel/postinst.d' },
  { path: 'etc/kernel/postrm.d/zz-imprint', where: 'etc/kernel/postrm.d' },
  { path: 'etc/initramfs/post-update.d/zz-imprint', where: 'etc/initramfs-tools' },
] as const;

/** Such a hook: all that it does lies with the agent's programs, and goes with them. */
export function renderKernelHook(): string {
  const script = `/${agentPaths.program}/boot/kernel-hook.sh`;
  return `#!/bin/sh
# Imprint: what changed in /boot goes to the boot partition.
[ -r ${script} ] || exit 0
exec sh ${script}
`;
}

/** Flags of Node: small nurseries, and compilers that are never loaded, for a process that mostly waits. */
const agentFlags = [
  '--disable-warning=ExperimentalWarning',
  ...['--max-semi-space-size=1', '--optimize-for-size'],
  ...['--no-opt', '--no-maglev', '--no-sparkplug'],
];
const commandFlags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4'];

/**
 * The unit of the agent, for `agentPaths.unit`. It starts with `multi-user.target` and waits for nothing: whether the system came up
 * is one of the things that it looks at. It comes back whatever ends it.
 */
export function renderAgentUnit(): string {
  return [
    '[Unit]',
    'Description=Imprint agent: updates, trials and reports of this machine',
    `ConditionPathExists=/${agentFiles.agent}`,
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    `ExecStart=/${agentFiles.node} ${agentFlags.join(' ')} /${agentFiles.agent}`,
    'Restart=always',
    'RestartSec=10',
    'OOMScoreAdjust=-500',
    'Nice=5',
    // What it mounts meanwhile is nobody else's: a service that starts then would keep it.
    'PrivateMounts=yes',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

/** The command `imprint`, for `agentPaths.command` (mode 0755): the program of the bundle on the Node beside it. */
export function renderAgentCommand(): string {
  return `#!/bin/sh
exec /${agentFiles.node} ${commandFlags.join(' ')} /${agentFiles.commandLine} "$@"
`;
}
