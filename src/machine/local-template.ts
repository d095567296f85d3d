import { localVariables } from './local-variables.ts';

const head = [
  'What this machine is to become. Lines are VARIABLE=value; what follows # is not read.',
  'Take the # away in front of what you want, and put your own value behind the =.',
  'With nothing filled in, the machine asks the image server what to do; it has an address by DHCP then.',
  'For several machines: a copy for each, called local-52-54-00-12-34-56.cfg after its MAC address.',
];

/** The text of a `local.cfg` in which people fill in what they want; `given` stands in it already. Ends of lines as every editor knows them. */
export function renderLocalTemplate(given: Readonly<Record<string, string>> = {}): string {
  const width =
    Math.max(...Object.entries(localVariables).map(([name, { example }]) => name.length + example.length)) + 2;
  const lines = Object.entries(localVariables).map(([name, { says, example }]) => {
    const value = given[name];
    const text = value === undefined ? `#${name}=${example}` : `${name}=${quoted(value)}`;
    return `${text.padEnd(width)}  # ${says}`;
  });
  return [...head.map((line) => `# ${line}`), '', ...lines, ''].join('\r\n');
}

function quoted(value: string): string {
  if (/^[\w@%+=:,./*?<>-]*$/.test(value) && !/[<>]/.test(value)) return value;
  return value.includes("'") ? `"${value}"` : `'${value}'`;
}
