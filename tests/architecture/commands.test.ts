import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands, globalOptions } from '../../src/cli/command-table.ts';
import { commandHelp, programHelp, usageLine } from '../../src/cli/help.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { root, sourceFiles } from './source-files.ts';

const page = readFileSync(join(root, 'docs/cli.md'), 'utf8');
const terminal = openTerminal({ columns: 80, write: () => true }, { LANG: 'C.UTF-8' });
const parts = new Map(
  page
    .split(/^### imprint /m)
    .slice(1)
    .map((part) => {
      const [name = '', ...lines] = (part.split(/^## /m)[0] ?? '').split('\n');
      return [name, lines.join('\n')] as const;
    }),
);

describe('docs/cli.md', () => {
  it('has a part for each command, in the order of --help, and no other', () => {
    expect([...parts.keys()]).toEqual(commands.map(({ name }) => name));
  });

  it.each(commands.map((command) => [command.name, command] as const))('knows how %s is used', (name, command) => {
    const text = parts.get(name) ?? '';
    expect(text).toContain(`\`imprint ${usageLine(command)}\``);
    for (const option of command.options ?? []) expect(text).toContain(`- \`${option.flags}\`: `);
    for (const argument of command.arguments ?? []) expect(text).toContain(`- \`${argument.name}\`: `);
    const documented = [...text.matchAll(/^- `(-[^`]*)`: /gm)].map((match) => match[1]);
    expect(documented).toEqual((command.options ?? []).map(({ flags }) => flags));
  });

  it('knows the options of every command', () => {
    for (const option of globalOptions) expect(page).toContain(`- \`${option.flags}\`: `);
  });
});

describe('the commands', () => {
  // An option that nobody declared is simply never given: nothing else would tell.
  it('ask for no option that is not declared', () => {
    const declared = new Set(
      [...globalOptions, ...commands.flatMap(({ options = [] }) => options)].map(({ flags }) => camelName(flags)),
    );
    const asked = sourceFiles('src/cli').flatMap((path) =>
      [...readFileSync(join(root, path), 'utf8').matchAll(/\binvocation\.(?:text|list|flag)\('([^']+)'\)/g)].map(
        ([, name = '']) => [path, name] as const,
      ),
    );
    expect(asked.length).toBeGreaterThan(100);
    expect(asked.filter(([, name]) => !declared.has(name))).toEqual([]);
  });
});

/** `--kernel-from <image>` → `kernelFrom`. */
function camelName(flags: string): string {
  const long = /--(?:no-)?([\w-]+)/.exec(flags)?.[1] ?? '';
  return long.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

describe('--help', () => {
  it('lists every command, each with a summary that fits one line of 80', () => {
    const lines = programHelp(commands, terminal).split('\n');
    for (const { name, summary } of commands) {
      expect(
        lines.some((line) => line.trim().startsWith(name) && line.endsWith(summary)),
        name,
      ).toBe(true);
    }
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  it.each(commands.map((command) => [command.name, command] as const))(
    'shows %s with an example that it understands',
    async (name, command) => {
      expect(commandHelp(command, terminal)).toContain(`imprint ${name}`);
      expect(command.examples.length).toBeGreaterThan(0);
      const { readCommandLine } = await import('../../src/cli/program.ts');
      for (const [line] of command.examples) {
        const words = line.split(' ').slice(1);
        const request = await readCommandLine(words, commands, '0', terminal);
        expect(request.kind === 'run' && request.command.name).toBe(name);
      }
    },
  );

  it.each(commands.map((command) => [command.name, command] as const))('%s can be loaded', async (_, command) => {
    expect(typeof (await command.load()).run).toBe('function');
  });
});
