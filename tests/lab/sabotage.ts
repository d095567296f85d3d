/** A way in which a version of an image can be bad although it looks good: what a shell does to its tree, and how the machine shows it. */
export interface Sabotage {
  /** What a person would say about it. */
  readonly title: string;
  /** Run by `sh -ec` in an edit of the image. */
  readonly script: string;
  /** What the machine's console says when the bad version has met its end; absent: it says nothing more. */
  readonly shows?: RegExp;
  /** Nothing within the machine ends it: somebody (or a hardware watchdog) has to reset it. */
  readonly needsReset?: true;
}

/** Writes a unit, and has it started. */
function unit(name: string, lines: readonly string[], wantedBy = 'multi-user.target'): string {
  const text = [...lines, '[Install]', `WantedBy=${wantedBy}`].join('\\n');
  return `printf '${text}\\n' > /etc/systemd/system/${name}\nsystemctl enable --quiet ${name}\n`;
}

/** Replaces init, which is a link to systemd, by a script. */
function init(script: string): string {
  return `rm -f /usr/sbin/init\nprintf '#!/bin/sh\\n${script}\\n' > /usr/sbin/init\nchmod 755 /usr/sbin/init\n`;
}

/** All that the tests break an image by. The image is the laboratory's golden machine. */
export const sabotages = {
  brokenInit: {
    title: 'init ends at once: the kernel panics',
    script: init('echo SABOTAGE broken init; exit 1'),
    shows: /Kernel panic - not syncing: Attempted to kill init/,
  },
  panic: {
    title: 'the kernel panics when a service starts',
    script: unit('sabotage.service', [
      '[Unit]',
      'DefaultDependencies=no',
      '[Service]',
      'Type=oneshot',
      'ExecStart=/bin/sh -c "echo SABOTAGE panic >/dev/console; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger"',
    ]),
    shows: /Kernel panic - not syncing: sysrq triggered crash/,
  },
  serviceFails: {
    title: 'nginx does not start',
    script: "printf 'this is no configuration\\n' > /etc/nginx/nginx.conf\n",
    // Of a long line systemd leaves the middle out: “nginx.serv…server”.
    shows: /Failed to start .*nginx/,
  },
  startHangs: {
    title: 'the start never ends: a service waits for ever before the login is there',
    script: unit('sabotage.service', [
      '[Unit]',
      'Before=multi-user.target',
      '[Service]',
      'Type=oneshot',
      'TimeoutStartSec=infinity',
      'ExecStart=/bin/sh -c "echo SABOTAGE waits >/dev/console; exec sleep infinity"',
    ]),
    shows: /SABOTAGE waits/,
  },
  initHangs: {
    title: 'init does nothing: no systemd, no timer, no agent',
    script: init('echo SABOTAGE init hangs; while :; do sleep 1000; done'),
    shows: /SABOTAGE init hangs/,
    needsReset: true,
  },
  kernelHangs: {
    title: 'the kernel stands still',
    script: unit('sabotage.service', [
      '[Unit]',
      'DefaultDependencies=no',
      '[Service]',
      'Type=oneshot',
      'ExecStart=/bin/sh -c "echo SABOTAGE kernel hangs >/dev/console; echo 0 >/proc/sys/kernel/panic; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger"',
    ]),
    shows: /SABOTAGE kernel hangs/,
    needsReset: true,
  },
} as const satisfies Record<string, Sabotage>;

export type SabotageName = keyof typeof sabotages;
