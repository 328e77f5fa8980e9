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

  test('workloads go by their names and by W1 to W6', () => {
    expect(readBenchOptions(['--only', 'w5', '--only', 'dump'], {}).only).toEqual([
      'single-writes',
      'single-writes-unlogged',
      'dump',
    ]);
    expect(readBenchOptions(['--only', 'single-writes'], {}).only).toEqual(['single-writes']);
  });

  test('the smoke run is without other databases', () => {
    expect(readBenchOptions(['--smoke'], {})).toMatchObject({ others: false, smoke: true });
    expect(readBenchOptions([], {})).toMatchObject({ others: true, smoke: false });
    expect(readBenchOptions(['--no-others'], {}).others).toBe(false);
  });

  test('growth takes sizes, or none', () => {
    const args = ['--growth', '--sizes', '1000,2000', '--spread', '-'];
    const { growth } = readBenchOptions(args, {});
    expect(growth).toEqual({ documents: [1000, 2000], collections: [], followers: true });
    expect(readBenchOptions([], {}).growth).toBeUndefined();
  });

  test.each([
    ['--documents', '0'],
    ['--documents', 'many'],
    ['--documents', '1000', '--changes', '2000'],
    ['--only', 'nothing'],
    ['--smoke', '--large'],
    ['--growth', '--large'],
    ['--growth', '--sizes', '10,x'],
    ['--unknown'],
  ])('%s %s is refused', (...args) => {
    expect(() => readBenchOptions(args, {})).toThrow(UsageError);
  });
});
