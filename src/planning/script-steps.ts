import type { DiskFacts } from '../contract/machine.ts';
import type { ScriptPhase } from '../contract/scripts.ts';
import { ImprintError } from '../foundation/errors.ts';
import { joinScripts, type PlannedScript, scriptVariables } from '../machine/scripts.ts';
import type { InstallQuestion } from './plan-install.ts';
import type { Step } from './step.ts';

/** What is run before the first write; nothing where there are no such scripts. `disk`: where it will go, as far as that is known. */
export function preInstallSteps(question: InstallQuestion, disk?: DiskFacts): Step[] {
  return runSteps(question, 'pre-install', disk);
}

/** What is run in the new system, before its kernel goes to the boot partition. */
export function postInstallSteps(question: InstallQuestion, disk: DiskFacts): Step[] {
  return runSteps(question, 'post-install', disk);
}

/** What the new system is to run when it starts for the first time. */
export function firstBootScriptSteps(question: InstallQuestion, disk: DiskFacts): Step[] {
  const scripts = plannedScripts(question, 'first-boot');
  return scripts.length === 0
    ? []
    : [{ kind: 'write-first-boot-scripts', scripts, variables: variablesOf(question, disk) }];
}

/** The system's own service manager runs those of the first boot. */
export function scriptsProblem(question: InstallQuestion): ImprintError | undefined {
  const { name, content } = question;
  if (content?.systemd !== false || plannedScripts(question, 'first-boot').length === 0) return undefined;
  return new ImprintError('scripts-unfit', {
    machine: name,
    problem: 'the image has no systemd, which would run those of the first boot',
    hint: 'Let post-install scripts do it, or take them away: imprint scripts',
  });
}

function runSteps(question: InstallQuestion, phase: 'pre-install' | 'post-install', disk?: DiskFacts): Step[] {
  const scripts = plannedScripts(question, phase);
  if (scripts.length === 0) return [];
  return [{ kind: 'run-scripts', phase, machine: question.name, scripts, variables: variablesOf(question, disk) }];
}

/** Those of the version and those of the server, in the order in which they run. Before the first write the version is not there yet. */
function plannedScripts({ scripts = [], content }: InstallQuestion, phase: ScriptPhase): PlannedScript[] {
  const ofVersion = phase === 'pre-install' ? [] : (content?.scripts?.[phase] ?? []);
  return joinScripts(
    ofVersion,
    scripts.filter((each) => each.phase === phase),
  );
}

function variablesOf(question: InstallQuestion, disk: DiskFacts | undefined): Record<string, string> {
  const { name, record, groups = [], reference, facts, report, network } = question;
  return scriptVariables({
    ...{ name, image: record.image, groups, reference, digest: record.digest, facts },
    ...(disk !== undefined && { disk: disk.path }),
    ...(report && { server: report.server }),
    ...(network && { network }),
  });
}
