import type { AgentReport } from '../contract/agent-report.ts';
import type { BootEntry } from '../machine/boot-pointer.ts';
import { triesLeft } from '../machine/decide-boot.ts';
import type { FirstBootState } from '../machine/first-boot-scripts.ts';
import type { MachineView } from '../operations/update/this-machine.ts';

/** What the agent tells the server of its machine. `view` undefined: the system is none of ours. */
export function makeReport(
  program: string,
  booted: number,
  view: MachineView | undefined,
  firstBoot?: FirstBootState,
): AgentReport {
  if (view === undefined) return { program, booted };
  const { layout, pointer, tries, entries, running, situation, failure } = view;
  const found = (id: string | undefined) => entries.find((entry) => entry.id === id);
  const previous = found(pointer.previous);
  const trial = found(pointer.trial);
  return {
    program,
    booted,
    layout: layout.layout,
    situation: situation.kind,
    ...(firstBoot && { firstBoot }),
    ...(running && { running: { ...versionOf(running), entry: running.id, slot: running.slot } }),
    ...(previous && { previous: versionOf(previous) }),
    ...(trial && { trial: { ...versionOf(trial), left: triesLeft(pointer, tries) } }),
    ...(failure && {
      failure: {
        image: found(failure.entry)?.reference ?? failure.entry,
        reason: failure.reason,
        time: Date.parse(failure.time) || 0,
      },
    }),
  };
}

function versionOf({ reference, digest }: BootEntry) {
  return { image: reference, digest };
}
