import { describe, expect, test } from 'vitest';
import { UsageError, readBenchOptions } from '../../bench/support/bench-options.ts';
import { WORKLOADS } from '../../bench/support/workload-names.ts';

describe('command line of the benchmark', () => {
  test('without flags everything is measured three times', () => {
    expect(readBenchOptions([], {})).toMatchObject({
      documents: 200_000,
      changes: 100_000,
      runs: 3,
      only: [...WORKLOADS],
      large: false,
      jsonFile: undefined,
    });
  });

  test('a flag wins over the environment', () => {
    const env = { TICKLOG_BENCH_DOCUMENTS: '3000' };
    expect(readBenchOptions([], env)).toMatchObject({ documents: 3000, changes: 3000 });
    expect(readBenchOptions(['--documents', '4000'], env)).toMatchObject({ documents: 4000 });
  });

  test('the acceptance run has its million documents whatever the environment says', () => {
    const env = { TICKLOG_BENCH_DOCUMENTS: '3000' };
    expect(readBenchOptions(['--large'], env)).toMatchObject({ documents: 1_000_000, large: true });
  });

  test.each([
    ['--documents', '0'],
    ['--documents', 'many'],
    ['--documents', '1000', '--changes', '2000'],
    ['--only', 'nothing'],
    ['--smoke', '--large'],
    ['--unknown'],
  ])('%s %s is refused', (...args) => {
    expect(() => readBenchOptions(args, {})).toThrow(UsageError);
  });
});
