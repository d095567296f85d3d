import { ipv4ToNumber } from '../foundation/node-range.ts';
import { localVariables, passedOver } from './local-variables.ts';
import { nearestWord } from './nearest-word.ts';

/**
 * `local.cfg`: what a person tells the imager on the medium itself, as `VARIABLE=value` lines (docs/media.md). It looks like shell, and SystemImager
 * had a shell read it; here nothing is ever executed.
 */
export interface LocalSettings {
  hostName?: string;
  /** For looking up names. */
  domain?: string;
  /** A fixed address; absent: DHCP. */
  network?: LocalNetwork;
  /** Interface to use, by name or MAC address. */
  device?: string;
  mac?: string;
  /** URL. */
  server?: string;
  /** `web`, `web:3`, `web:stable`. */
  image?: string;
  /** Groups whose scripts it gets. */
  groups?: string[];
  /** Whether a person is asked before the disk is written. Absent: nothing is installed by this file. */
  install?: 'confirm' | 'unattended';
  disk?: string;
  layout?: 'single' | 'slots' | 'files' | 'multi';
  slots?: number;
  fileSystem?: 'ext4' | 'xfs' | 'btrfs';
  /** Bytes. */
  swap?: number;
  kernelOptions?: string;
  /** What may be lost without a word from somebody at the machine, beside Linux. */
  erase?: string;
  /** No copy of what boots from the disk is kept before it is written. */
  bootCopy?: 'none';
  /** `remove`: wait until the medium is pulled out, then restart. */
  afterwards?: 'reboot' | 'poweroff' | 'wait' | 'remove';
}

/** IPv4, dotted. */
export interface LocalNetwork {
  address: string;
  prefix: number;
  gateway?: string;
  dns: string[];
}

/** What is wrong, and in which line (counted from 1; 0: of the file as a whole). */
export interface LocalProblem {
  line: number;
  problem: string;
}

export type LocalAnswer =
  | { kind: 'settings'; settings: LocalSettings; remarks: LocalProblem[] }
  | { kind: 'problems'; problems: LocalProblem[] };

/** What stood in a line. */
interface Assignment {
  line: number;
  value: string;
}

const byteLimit = 64 << 10;

/** The settings of a file's bytes, or everything that is wrong with it. Never throws. */
export function parseLocalConfig(bytes: Uint8Array): LocalAnswer {
  const text = decode(bytes);
  if (text === undefined) return problemsOf([{ line: 0, problem: 'it is no text file (UTF-8), or far too long' }]);
  const problems: LocalProblem[] = [];
  const remarks: LocalProblem[] = [];
  const found = new Map<string, Assignment>();
  for (const [index, content] of text.split(/\r\n|\n|\r/).entries()) {
    const line = index + 1;
    const read = readLine(content);
    if (read === undefined) continue;
    const problem = 'problem' in read ? read.problem : nameProblem(read.name, found);
    if (problem !== undefined) problems.push({ line, problem });
    else if ('name' in read) {
      if (passedOver.has(read.name)) remarks.push({ line, problem: `${read.name} means nothing to Imprint` });
      else found.set(read.name, { line, value: read.value });
    }
  }
  const settings: LocalSettings = {};
  const values = new Map([...found].map(([name, { value }]) => [name, value]));
  for (const [name, { line, value }] of found) {
    // An empty one is one that was not filled in.
    const problem = value === '' ? undefined : localVariables[name]?.apply(settings, value, values);
    if (problem !== undefined) problems.push({ line, problem: `${name}=${shown(value)}: ${problem}` });
  }
  if (problems.length === 0) problems.push(...contradictions(settings, found));
  return problems.length === 0 ? { kind: 'settings', settings, remarks } : problemsOf(problems);
}

function nameProblem(name: string, found: ReadonlyMap<string, Assignment>): string | undefined {
  const earlier = found.get(name);
  if (earlier !== undefined) return `${name} stands in line ${earlier.line} already`;
  return passedOver.has(name) || Object.hasOwn(localVariables, name) ? undefined : unknown(name);
}

/** Whether a file says anything: a template that nobody filled in does not. */
export function isEmptySettings(settings: LocalSettings): boolean {
  return Object.keys(settings).length === 0;
}

function contradictions(settings: LocalSettings, found: ReadonlyMap<string, Assignment>): LocalProblem[] {
  const line = (name: string) => found.get(name)?.line ?? 0;
  const { install, image, hostName, network, layout } = settings;
  const problems: LocalProblem[] = [];
  const add = (name: string, problem: string) => problems.push({ line: line(name), problem });
  if (image !== undefined && install === undefined) settings.install = 'confirm';
  if (install !== undefined && image === undefined) add('INSTALL', 'INSTALL needs IMAGENAME: what is to be installed?');
  if (settings.install !== undefined && image !== undefined && hostName === undefined)
    add('IMAGENAME', 'IMAGENAME needs HOSTNAME: what is the machine called?');
  for (const name of ['NETMASK', 'GATEWAY', 'DNS'])
    if ((found.get(name)?.value ?? '') !== '' && network === undefined)
      add(name, `${name} means nothing without IPADDR`);
  if (settings.slots !== undefined && layout !== 'slots') add('SLOTS', 'SLOTS is for LAYOUT=slots');
  if (network?.gateway !== undefined && !sameNetwork(network.gateway, network))
    add(
      'GATEWAY',
      `${network.gateway} is not in the network of ${network.address}/${network.prefix}: nothing could be sent through it`,
    );
  return problems;
}

function sameNetwork(other: string, { address, prefix }: LocalNetwork): boolean {
  const size = 2 ** (32 - prefix);
  const networkOf = (text: string) => Math.floor((ipv4ToNumber(text) ?? 0) / size);
  return networkOf(other) === networkOf(address);
}

function decode(bytes: Uint8Array): string | undefined {
  if (bytes.length > byteLimit) return undefined;
  try {
    // Editors of other systems put a mark in front, which the decoder drops.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

type Line = { name: string; value: string } | { problem: string };

function readLine(content: string): Line | undefined {
  const line = content.trim();
  if (line === '' || line.startsWith('#')) return undefined;
  const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)(\s*)=(\s*)(.*)$/.exec(line);
  if (match === null) return { problem: 'this is no line of the form VARIABLE=value' };
  const [, name = '', , , rest = ''] = match;
  const value = readValue(rest);
  return 'problem' in value ? value : { name: name.toUpperCase(), value: value.value };
}

function readValue(rest: string): { value: string } | { problem: string } {
  const quoted = /^(["'])(.*?)\1\s*(#.*)?$/.exec(rest);
  if (quoted !== null) {
    const [, quote, value = ''] = quoted;
    return quote === '"' && /[$`\\]/.test(value) ? { problem: notShell } : { value };
  }
  if (/^["']/.test(rest)) return { problem: 'the quotation mark is not closed, or something follows it' };
  const plain = rest.replace(/(^|\s)#.*$/, '').trim();
  if (/\s/.test(plain)) return { problem: 'a value with blanks must be in quotation marks' };
  return /[$`\\"'();&|<>]/.test(plain) ? { problem: notShell } : { value: plain };
}

const notShell = 'this file is read, not executed: $, `, \\ and the like have no meaning here';

function unknown(name: string): string {
  const near = nearestWord(name, Object.keys(localVariables));
  return near === undefined ? `there is no variable ${name}` : `there is no variable ${name}; did you mean ${near}?`;
}

function shown(value: string): string {
  return /\s/.test(value) ? `"${value}"` : value;
}

function problemsOf(problems: LocalProblem[]): LocalAnswer {
  return { kind: 'problems', problems: problems.toSorted((left, right) => left.line - right.line) };
}
