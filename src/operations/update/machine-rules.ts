import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { type MachineRules, machineRulesSchema, type StatedRule } from '../../contract/machine-rules.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { agentFiles } from '../../machine/agent-files.ts';
import type { AgentSettings } from '../../machine/agent-settings.ts';
import { ifThere } from '../../store/directory-files.ts';

/**
 * All that was said of what is this machine's own, in the order in which it counts: by the image that runs (`/usr/share/imprint/paths.yaml`), by the server
 * (kept by the agent from its last signed answer), and by the machine's own settings, which may take back what the others said. Errors: `input-invalid`.
 */
export async function readRules(root: string, own: Pick<AgentSettings, 'keep' | 'carry'>): Promise<StatedRule[]> {
  const image = await readRuleFile(join(root, imageRulesPath));
  const server = await readRuleFile(join(root, agentFiles.serverRules));
  return [...stated(image, 'image'), ...stated(server, 'server'), ...stated(own, 'machine')];
}

/** Settings with all rules in them. */
export function withRules(settings: AgentSettings, rules: readonly StatedRule[]): AgentSettings {
  const globs = (kind: StatedRule['kind']) => rules.filter((rule) => rule.kind === kind).map(({ glob }) => glob);
  return { ...settings, keep: globs('keep'), carry: globs('carry') };
}

/** Keeps what the server said, for updates that are begun on the machine, too. True where it is something new. */
export async function keepServerRules(root: string, rules: MachineRules): Promise<boolean> {
  const path = join(root, agentFiles.serverRules);
  const text = `${JSON.stringify(machineRulesSchema.parse(rules))}\n`;
  const before = await ifThere(readFile(path, 'utf8'));
  if (before === text || (before === undefined && text === '{}\n')) return false;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, text, { mode: 0o644 });
    await rename(`${path}.new`, path);
  } catch (error) {
    throw toImprintError(error);
  }
  return true;
}

/** Part of the version: edited with the image, and signed with it. */
export const imageRulesPath = 'usr/share/imprint/paths.yaml';

async function readRuleFile(path: string): Promise<MachineRules> {
  const text = (await ifThere(readFile(path, 'utf8'))) ?? '';
  try {
    // JSON is YAML.
    const parsed = machineRulesSchema.strict().safeParse(parse(text) ?? {});
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const field = [path, issue?.path.join('.')].filter((part) => part).join(': ');
    throw new ImprintError('input-invalid', { field, problem: issue?.message ?? 'it holds no rules' });
  } catch (thrown) {
    if (!(thrown instanceof YAMLParseError)) throw thrown;
    const [problem = 'it is no YAML'] = thrown.message.split('\n');
    throw new ImprintError('input-invalid', { field: path, problem }, { cause: thrown });
  }
}

function stated({ keep = [], carry = [] }: MachineRules, from: StatedRule['from']): StatedRule[] {
  return [
    ...keep.map((glob) => ({ kind: 'keep' as const, glob, from })),
    ...carry.map((glob) => ({ kind: 'carry' as const, glob, from })),
  ];
}
