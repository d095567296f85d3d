import { defineConfig } from 'vitest/config';

const second = 1000;
const minute = 60 * second;

/** The project that runs the tests of `include`: as many files at once as there are cores, or `atOnce`. */
function project(name: string, include: string, testTimeout: number, atOnce?: number, globalSetup?: string) {
  return {
    test: {
      name,
      include: [include],
      testTimeout,
      hookTimeout: testTimeout,
      teardownTimeout: 30 * second,
      environment: 'node' as const,
      pool: 'forks' as const,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      ...(atOnce === undefined ? {} : { fileParallelism: atOnce > 1, maxWorkers: atOnce }),
      ...(globalSetup === undefined ? {} : { globalSetup }),
      sequence: { groupOrder: atOnce ?? 0 },
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      project('unit', 'src/**/*.test.ts', minute),
      project('architecture', 'tests/architecture/**/*.test.ts', 2 * minute),
      project('contract', 'tests/contract/**/*.test.ts', 2 * minute),
      // One at a time: loop devices and mounts are the whole machine's.
      project('integration', 'tests/integration/**/*.test.ts', 3 * minute, 1),
      // Minutes of kills and races; one file at a time, for they measure time.
      project('endurance', 'tests/endurance/**/*.test.ts', 10 * minute, 1),
      // A virtual machine keeps one core busy; more than two at once would only be slow together.
      project('e2e', 'tests/e2e/**/*.test.ts', 20 * minute, 2),
      project('matrix', 'tests/matrix/**/*.test.ts', 20 * minute, 2, 'tests/matrix/table.ts'),
    ],
  },
});
