import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vitest/config';
import { parse } from 'yaml';

/** Where `.ci/run` wants the counts as JSON; unset, there is only the usual output. */
const reportFile = process.env['TEST_REPORT_FILE'];

/** Whether tests run in their long forms. */
const isLong = process.env['TICKLOG_LONG'] === '1';

/** Parses a YAML file once for all test files that import it: api-spec/openapi.yaml. */
const yamlFiles: Plugin = {
  name: 'yaml-files',
  transform: (code, id) => (id.endsWith('.yaml') ? asModule(parse(code)) : undefined),
};

/** JSON in a string is read faster than an object literal. */
function asModule(value: unknown): { code: string; map: null } {
  const json = JSON.stringify(JSON.stringify(value));
  return { code: `export default JSON.parse(${json});`, map: null };
}

export default defineConfig({
  plugins: [yamlFiles],
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    pool: 'forks',
    projects: [
      {
        extends: true,
        // They leave nothing behind, and loading what they test would take as long as testing it.
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false },
      },
      {
        extends: true,
        // A process per file: LevelDB locks, signals and memory of one test file are not seen by another.
        test: { name: 'whole', include: ['test/!(unit)/**/*.test.ts'] },
      },
    ],
    // Files wait about as much as they compute: two at a time even on two cores, of which Vitest would leave one idle.
    // Long forms measure, and run by themselves.
    maxWorkers: isLong ? 1 : Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 30_000,
    retry: 0,
    allowOnly: false,
    restoreMocks: true,
    reporters:
      reportFile === undefined ? ['default'] : ['default', ['json', { outputFile: reportFile }]],
  },
});
