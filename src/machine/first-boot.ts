import { firstBootScriptPaths } from './first-boot-scripts.ts';

/** The small unit that tells the server that an installed machine came up, and then removes itself. */
export interface FirstBootReport {
  /** URL of the server, `http://10.0.0.1:8080`. */
  server: string;
  session: string;
  order: string;
  digest: string;
}

/** Where it is put, relative to the root. */
export const firstBootPaths = {
  script: 'usr/lib/imprint/first-boot',
  unit: 'etc/systemd/system/imprint-first-boot.service',
  wanted: 'etc/systemd/system/multi-user.target.wants/imprint-first-boot.service',
} as const;

/** The systemd unit. It holds nothing up: the boot is complete whether or not the server is there. */
export function renderFirstBootUnit(): string {
  return [
    '[Unit]',
    'Description=Report the first boot to the Imprint server',
    `ConditionPathExists=/${firstBootPaths.script}`,
    'After=imprint-first-boot-scripts.service',
    '',
    '[Service]',
    'Type=simple',
    `ExecStart=/bin/sh /${firstBootPaths.script}`,
    'Nice=10',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

/**
 * The script: waits until the system is up, then tells the server, by whichever of curl, wget and bash is there. Answered with
 * 2xx it takes unit and script away. Without an answer it gives up after about ten minutes and tries again at the next boot.
 */
export function renderFirstBootScript(report: FirstBootReport): string {
  const url = new URL('/imager/v1/outcome', report.server);
  const { session, order, digest } = report;
  const body = JSON.stringify({ session, order, outcome: { kind: 'healthy', digest } });
  if (body.includes("'")) throw new RangeError('a first-boot report holds no quotes');
  const port = url.port || '80';
  return `#!/bin/sh
# Written by Imprint at the install. Removes itself once the server has heard.
body='${body}'
url='${url.href}'

by_curl() { curl -fsS -m 20 -H 'Content-Type: application/json' --data "$body" "$url" >/dev/null; }
by_wget() { wget -q -T 20 -t 1 -O /dev/null --header 'Content-Type: application/json' --post-data "$body" "$url"; }
by_bash() {
  bash -c '
    exec 3<>/dev/tcp/${url.hostname.replace(/^\[|\]$/g, '')}/${port} || exit 1
    printf "POST ${url.pathname} HTTP/1.0\\r\\nHost: ${url.host}\\r\\nContent-Type: application/json\\r\\nContent-Length: %s\\r\\n\\r\\n%s" "\${#1}" "$1" >&3
    IFS= read -r -t 20 status <&3
    case $status in HTTP/1.?" 2"*) exit 0 ;; esac
    exit 1' report "$body"
}
report() {
  if command -v curl; then by_curl && return; fi
  if command -v wget; then by_wget && return; fi
  if command -v bash; then by_bash && return; fi
  return 1
}

# Scripts of the first boot that are not all done: not yet.
[ -e '/${firstBootScriptPaths.runner}' ] && [ ! -e '/${firstBootScriptPaths.finished}' ] && exit 0

# Healthy is a system that reached its target, not one that merely started this script.
tries=0
while [ $tries -lt 150 ]; do
  [ "$(systemctl is-active multi-user.target 2>/dev/null)" = active ] && break
  tries=$((tries + 1))
  sleep 2
done

tries=0
while [ $tries -lt 60 ]; do
  if report >/dev/null 2>&1; then
    rm -f '/${firstBootPaths.wanted}' '/${firstBootPaths.unit}' '/${firstBootPaths.script}'
    rmdir /usr/lib/imprint 2>/dev/null
    exit 0
  fi
  tries=$((tries + 1))
  if [ $tries -lt 15 ]; then sleep 2; else sleep 12; fi
done
exit 0
`;
}
