import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { pathRuleSchema } from '../contract/machine-rules.ts';
import { parseBytes } from '../foundation/bytes.ts';
import { parseDuration } from '../foundation/duration.ts';
import { ImprintError } from '../foundation/errors.ts';

/** How a machine is restarted after an update. `auto`: the cheapest that is sure, which is `full` unless nothing must restart. */
export const rebootMethods = ['auto', 'kexec', 'soft', 'full', 'none'] as const;
export type RebootMethod = (typeof rebootMethods)[number];

const list = <Item extends z.ZodType>(item: Item) => z.preprocess((value) => value ?? [], z.array(item));
const absolutePath = z
  .string()
  .regex(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^\0]*$/, 'must be an absolute path without . and ..');
const duration = z
  .union([
    z
      .number()
      .nonnegative()
      .transform((seconds) => seconds * 1000),
    z.string(),
  ])
  .transform((value, context) => {
    const milliseconds = typeof value === 'number' ? value : parseDuration(value);
    if (milliseconds !== undefined) return milliseconds;
    context.addIssue('must be a span of time, such as 90s or 10m');
    return z.NEVER;
  });
const size = z.union([z.number().int().positive(), z.string()]).transform((value, context) => {
  const bytes = typeof value === 'number' ? value : parseBytes(value);
  if (bytes !== undefined && bytes > 0) return bytes;
  context.addIssue('must be a size, such as 10M');
  return z.NEVER;
});
const url = z.url({ protocol: /^https?$/, error: 'must be a URL that begins with http:// or https://' });

const healthSchema = z.strictObject({
  /** How long a version on trial may take to become healthy, before it is restarted. */
  timeout: duration.default(600_000),
  /** How long a check may fail once the system has started, before it counts. */
  patience: duration.default(60_000),
  /** Units that must be active. */
  units: list(z.string().regex(/^[\w@.:\\-]+\.[a-z]+$/, 'must be a unit with its kind, such as ssh.service')).default(
    [],
  ),
  /** Which failed units condemn a version: those that did not fail in the version before (`new`), any, or none. */
  failedUnits: z.enum(['new', 'any', 'none']).default('new'),
  /** URLs that must answer with a status below 400. */
  http: list(url).default([]),
  /** Whether the server must have answered, where there is one. */
  server: z.boolean().default(true),
});
export type HealthSettings = z.infer<typeof healthSchema>;

const settingsSchema = z.strictObject({
  /** URL of the image server; absent: the machine is on its own. */
  server: url.optional(),
  /** Boots that a new version gets to prove itself. */
  tries: z.int().min(1).max(9).default(3),
  health: z.preprocess((value) => value ?? {}, healthSchema),
  reboot: z.enum(rebootMethods).default('auto'),
  /** Bytes in a second that an update may fetch; absent: as fast as it goes. */
  rate: size.optional(),
  /** Paths, and globs, of state that goes from slot to slot beside the built-in list. */
  carry: list(pathRuleSchema).default([]),
  /** Where the machine's identity and carried state are kept, versioned. */
  stateDirectory: absolutePath.optional(),
  /** Where the object may be kept beside this machine: `server` where the server asks for it (the default), or nowhere. */
  object: z.enum(['server', 'machine']).default('server'),
  /** Paths that an update in place leaves alone beside the built-in list. */
  keep: list(pathRuleSchema).default([]),
  /** Local changes to files of the image, in an update in place. */
  drift: z.enum(['keep', 'merge', 'overwrite']).default('merge'),
});

/** `/etc/imprint/agent.yaml` (docs/agent.md): how this machine updates itself, and what healthy means for it. */
export type AgentSettings = z.infer<typeof settingsSchema>;

/** The settings from their file's text; absent or empty: the defaults. Throws `input-invalid`, which names the field. */
export function parseAgentSettings(text: string | undefined, path = '/etc/imprint/agent.yaml'): AgentSettings {
  const parsed = settingsSchema.safeParse(parseYaml(text ?? '', path) ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = [path, issue?.path.join('.')].filter((part) => part).join(': ');
  throw new ImprintError('input-invalid', { field, problem: issue?.message ?? 'it holds no settings' });
}

/** The file as an install writes it: where the server is, and what else could be said. */
export function renderAgentSettings(settings: { server?: string }): string {
  return `# Settings of the Imprint agent; every line may be left out. What there is: docs/agent.md.
${settings.server === undefined ? '# server: http://10.0.0.1:4280' : `server: ${JSON.stringify(settings.server)}`}
# tries: 3
# health:
#   timeout: 10m
#   units: [ssh.service]
#   http: [http://127.0.0.1/]
# reboot: auto
# rate: 10M
# carry: [/etc/letsencrypt]
`;
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (thrown) {
    if (!(thrown instanceof YAMLParseError)) throw thrown;
    const [problem = 'it is no YAML'] = thrown.message.split('\n');
    throw new ImprintError('input-invalid', { field: path, problem }, { cause: thrown });
  }
}
