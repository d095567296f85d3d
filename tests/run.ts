/**
 * `./test`: every check of the project, one after the other, with a summary that ends in `N passed, N failed`.
 *
 *   ./test               everything
 *   ./test --quick       what needs no virtual machine and no endurance: some ten minutes
 *   ./test matrix [NAME] updates of running machines of each kind: most of an hour, and not part of everything
 *   ./test e2e [NAME]    the machine tests, or those whose file name contains NAME (likewise: unit, contract, …)
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** Vitest project: its report is counted test by test; any other check counts as one. */
  readonly project?: string;
  /** Needs loop devices, mounts or network namespaces. */
  readonly root?: boolean;
  /** Minutes after which it is ended. */
  readonly limit: number;
}

interface Outcome {
  readonly check: Check;
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed, a line or two each. */
  readonly failures: readonly string[];
}

/** What counts of a report as vitest's `json` reporter writes it. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const root = join(import.meta.dirname, '..');
const bin = join(root, 'node_modules/.bin');
const node = process.execPath;
/** We know that `node:ffi` and `node:sqlite` are experimental. */
const quiet = '--disable-warning=ExperimentalWarning';
const vitest = join(root, 'node_modules/vitest/vitest.mjs');

const plain: readonly Check[] = [
  { name: 'typecheck', command: [join(bin, 'tsc'), '-p', '.'], limit: 5 },
  { name: 'lint', command: [join(bin, 'biome'), 'check', '.'], limit: 5 },
];
const projects: readonly Check[] = [
  vitestCheck('unit', 5, false),
  vitestCheck('architecture', 5, false),
  vitestCheck('contract', 5, false),
  vitestCheck('integration', 40, true),
];
/** Takes minutes by its nature: not part of the quick run. */
const endurance = vitestCheck('endurance', 50, true);
const machines = vitestCheck('e2e', 75, true);
/** Only where it is asked for. */
const matrix = vitestCheck('matrix', 300, true);

function vitestCheck(project: string, limit: number, needsRoot: boolean): Check {
  const command = [node, quiet, vitest, 'run', '--project', project];
  // In a mount namespace of its own, so that nothing started meanwhile elsewhere (`ip netns exec` copies every mount) keeps a
  // test's file system busy. Where mounts are shared between namespaces, unmounting is, too.
  const alone = project === 'integration' ? ['unshare', '--mount', '--propagation', 'unchanged', '--'] : [];
  return { name: project, command: [...alone, ...command], project, root: needsRoot, limit };
}

function chosen(words: readonly string[]): readonly Check[] {
  const [first, ...names] = words;
  if (first === undefined) return [...plain, ...projects, endurance, machines];
  if (first === '--quick' && names.length === 0) return [...plain, ...projects];
  const check = [...plain, ...projects, endurance, machines, matrix].find(({ name }) => name === first);
  if (!check) {
    console.error(
      `test: “${words.join(' ')}” is none of: --quick, ${[...projects, endurance, machines, matrix].map((each) => each.name).join(', ')}`,
    );
    process.exit(2);
  }
  return [{ ...check, command: [...check.command, ...names] }];
}

async function perform(check: Check, output: 'shown' | 'held'): Promise<Outcome> {
  const title = `\n── ${check.name} ${'─'.repeat(Math.max(0, 100 - check.name.length))}`;
  if (output === 'shown') console.log(title);
  const report = join(reports, `${check.name}.json`);
  const extra =
    check.project === undefined ? [] : ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const began = performance.now();
  const { ok, said } = await run([...asRoot(check), ...check.command, ...extra], check.limit, output);
  if (output === 'held') process.stdout.write(`${title}\n${said}`);
  const seconds = (performance.now() - began) / 1000;
  const counted = check.project === undefined ? undefined : await count(report);
  if (counted === undefined)
    return { check, seconds, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0, failures: [] };
  // Vitest may fail with no test failed: an error outside any test, a file that does not load.
  return { check, seconds, ...counted, failed: ok ? counted.failed : Math.max(1, counted.failed) };
}

function asRoot(check: Check): string[] {
  if (!check.root || process.getuid?.() === 0) return [];
  return ['sudo', '--preserve-env=PATH,HOME,IMPRINT_CACHE,IMPRINT_TEST_RUN', '--'];
}

function run(
  command: readonly string[],
  minutes: number,
  output: 'shown' | 'held',
): Promise<{ ok: boolean; said: string }> {
  const [program = '', ...args] = command;
  const path = `${bin}:${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const child = spawn(program, args, {
    cwd: root,
    stdio: output === 'shown' ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: path,
      IMPRINT_TEST_RUN: reports,
    },
  });
  const said: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => said.push(part));
  child.stderr?.on('data', (part: Buffer) => said.push(part));
  return new Promise((resolve) => {
    const end = (ok: boolean) => {
      clearTimeout(timer);
      resolve({ ok, said: Buffer.concat(said).toString() });
    };
    const timer = setTimeout(() => {
      console.error(`test: no end after ${minutes} minutes: ended`);
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
    }, minutes * 60_000);
    child.on('error', (error) => {
      console.error(`test: ${program}: ${error.message}`);
      end(false);
    });
    child.on('close', (status) => end(status === 0));
  });
}

async function count(report: string): Promise<Omit<Outcome, 'check' | 'seconds'> | undefined> {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      await readFile(report, 'utf8'),
    ) as Report;
    return {
      passed: numPassedTests,
      failed: numFailedTests,
      skipped: numPendingTests + numTodoTests,
      failures: testResults.flatMap(failuresOf),
    };
  } catch {
    return undefined;
  }
}

/** The summary has them again, shortened: what a test printed may be all that is seen of the end of a long run. */
function failuresOf({ name, message, assertionResults }: Report['testResults'][number]): string[] {
  const file = relative(root, name);
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return message === '' ? [] : [`${file}: ${shortened(message)}`];
  return failed.map(({ fullName, failureMessages }) => `${file}: ${fullName}: ${shortened(failureMessages[0] ?? '')}`);
}

function shortened(message: string): string {
  const line = (message.split(/\n\s+at /)[0] ?? '').replace(/\s+/g, ' ');
  return line.length <= 900 ? line : `${line.slice(0, 200)} … ${line.slice(-700)}`;
}

async function inTurn(checks: readonly Check[], output: 'shown' | 'held'): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const check of checks) outcomes.push(await perform(check, output));
  return outcomes;
}

function summarise(outcomes: readonly Outcome[], seconds: number): boolean {
  const sum = (pick: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + pick(outcome), 0);
  console.log(`\n── summary ${'─'.repeat(93)}`);
  for (const { check, seconds, passed, failed, skipped } of outcomes) {
    const counts = `${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed`;
    const left = skipped > 0 ? `  ${skipped} skipped` : '';
    console.log(
      `${failed > 0 ? '✗' : '✓'} ${check.name.padEnd(14)}${counts} ${seconds.toFixed(1).padStart(8)} s${left}`,
    );
  }
  for (const failure of outcomes.flatMap(({ failures }) => failures)) console.log(`✗ ${failure}`);
  console.log(`in ${seconds.toFixed(0)} s`);
  console.log(`${sum((outcome) => outcome.passed)} passed, ${sum((outcome) => outcome.failed)} failed`);
  return outcomes.every((outcome) => outcome.failed === 0);
}

const reports = await mkdtemp(join(tmpdir(), 'imprint-test-'));
try {
  const checks = chosen(process.argv.slice(2));
  const began = performance.now();
  // Integration tests wait more than they work, one at a time; what keeps the processors busy runs beside them.
  const beside = checks.length > 1 ? checks.filter(({ name }) => name === 'integration') : [];
  const held = inTurn(beside, 'held');
  const last = checks.filter(({ name }) => name === machines.name);
  const first = checks.filter((check) => !beside.includes(check) && !last.includes(check));
  const outcomes = [...(await inTurn(first, 'shown')), ...(await held), ...(await inTurn(last, 'shown'))];
  process.exitCode = summarise(outcomes, (performance.now() - began) / 1000) ? 0 : 1;
} finally {
  await rm(reports, { recursive: true, force: true });
}
