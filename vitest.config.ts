import { defineConfig } from 'vitest/config';

const second = 1000;
const minute = 60 * second;

/** The project that runs the tests of `include`. One at a time where the tests share devices or the machine's cores. */
function project(name: string, include: string, testTimeout: number, oneAtATime = false) {
  return {
    test: {
      name,
      include: [include],
      testTimeout,
      hookTimeout: testTimeout,
      teardownTimeout: 30 * second,
      environment: 'node' as const,
      pool: 'forks' as const,
      ...(oneAtATime ? { fileParallelism: false, maxWorkers: 1 } : {}),
      sequence: { groupOrder: oneAtATime ? 1 : 0 },
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      project('unit', 'src/**/*.test.ts', 20 * second),
      project('architecture', 'tests/architecture/**/*.test.ts', 60 * second),
      project('contract', 'tests/contract/**/*.test.ts', 60 * second),
      project('integration', 'tests/integration/**/*.test.ts', 3 * minute, true),
      project('e2e', 'tests/e2e/**/*.test.ts', 15 * minute, true),
    ],
  },
});
