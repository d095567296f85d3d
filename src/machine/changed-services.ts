/** A process that uses files which an update replaces. */
export interface UsingProcess {
  pid: number;
  /** `postgres`; at most 15 characters. */
  name: string;
  /** systemd unit that it belongs to; absent where it belongs to none, or to a session of a user. */
  unit?: string;
  /** Those of them that it uses, absolute. */
  files: string[];
}

/** Files that `/proc/PID/maps` names, those that are gone too. */
export function mappedFiles(maps: string): string[] {
  const found = new Set<string>();
  for (const line of maps.split('\n')) {
    const path = /^\S+ \S+ \S+ \S+ \d+\s+(\/.*?)(?: \(deleted\))?$/.exec(line)?.[1];
    if (path !== undefined) found.add(path);
  }
  return [...found];
}

/** The systemd service of a process by its `/proc/PID/cgroup`; undefined for sessions of users and for what is in none. */
export function unitOfCgroup(cgroup: string): string | undefined {
  const path = cgroup.split('\n').findLast((line) => line.startsWith('0::') || /^\d+:name=systemd:/.test(line));
  if (path === undefined || path.includes('/user.slice/')) return undefined;
  // The innermost: a service may have groups of its own below it.
  const names = path.slice(path.indexOf(':', path.indexOf(':') + 1) + 1).split('/');
  return names.findLast((name) => name.endsWith('.service'))?.replaceAll(/\\x([0-9a-f]{2})/g, unescapeHex);
}

/** The unit that a path is the definition of, or a part of one (`NAME.service.d/`). */
export function unitOfPath(path: string): string | undefined {
  const match =
    /^\/?(?:usr\/)?(?:lib|etc)\/systemd\/system\/([^/]+\.(?:service|socket|timer|mount|path))(?:\.d\/[^/]+)?$/;
  return match.exec(path)?.[1];
}

/** The service whose configuration a path is by its name: `etc/NAME.conf`, `etc/default/NAME`, anything below `etc/NAME/`. */
export function unitOfConfiguration(path: string): string | undefined {
  const name = /^\/?etc\/(?:default\/([^/]+)$|([^/]+?)(?:\.d)?\/|([^/]+)\.conf$)/.exec(path);
  const found = name?.[1] ?? name?.[2] ?? name?.[3];
  return found === undefined ? undefined : `${found}.service`;
}

/** Services that must not be restarted behind people's backs: they take sessions, networks or Imprint's own work with them. */
const untouchable =
  /^(dbus(-broker)?|systemd-logind|display-manager|gdm\d?|sddm|lightdm|lxdm|xdm|getty@.*|serial-getty@.*|user@.*|user-runtime-dir@.*|imprint-agent|emergency|rescue|systemd-(shutdownd|.*-sleep|suspend.*))\.service$/;

export interface ServiceChoice {
  restart: string[];
  /** Need new files as well, and get them by a reboot only. */
  afterReboot: string[];
}

/** Which services can be restarted and which cannot; both sorted, each once. */
export function chooseServices(units: Iterable<string>): ServiceChoice {
  const all = [...new Set(units)].sort();
  return {
    restart: all.filter((unit) => !untouchable.test(unit)),
    afterReboot: all.filter((unit) => untouchable.test(unit) && unit !== 'imprint-agent.service'),
  };
}

function unescapeHex(_: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 16));
}
