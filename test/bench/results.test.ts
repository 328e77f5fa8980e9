import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { barsOf } from '../../bench/support/bars.ts';
import { comparisonTable, readEarlier } from '../../bench/support/compare.ts';
import type { Measurement } from '../../bench/support/measure.ts';
import { summarize } from '../../bench/support/report.ts';
import { percentile } from '../../bench/support/table.ts';

const leader = { cpuSeconds: 1, peakRssAnonBytes: 1024 };

function measured(
  workload: Measurement['workload'],
  seconds: number,
  more: Partial<Measurement> = {},
): Measurement {
  return { workload, documents: 1000, seconds, leader, ...more };
}

describe('results', () => {
  test('the run in the middle counts, and is compared with the limit and not with other systems', () => {
    const results = summarize([
      ...[5, 1, 2].map((seconds) => measured('initial-sync', seconds)),
      measured('limit-store', 1),
      measured('initial-sync', 0.5, { system: 'PostgreSQL' }),
    ]);
    expect(results).toHaveLength(3);
    expect(results[1]).toMatchObject({ perSecond: 500, ofLimit: 0.5, secondsOfRuns: [5, 1, 2] });
    expect(results[2]).toMatchObject({ perSecond: 2000, median: { system: 'PostgreSQL' } });
  });

  test('a bar is met at its value and missed below', () => {
    const bars = (seconds: number) =>
      barsOf(summarize([measured('limit-store', 1), measured('initial-sync', seconds)]));
    expect(bars(2)[0]).toMatchObject({ isMet: true });
    expect(bars(2.1)[0]).toMatchObject({ isMet: false });
  });

  test('a side that needs too much memory misses its bar', () => {
    const follower = { cpuSeconds: 1, peakRssAnonBytes: 600 * 1024 * 1024 };
    const bars = barsOf(summarize([measured('initial-sync', 1, { follower })]));
    expect(bars).toEqual([expect.objectContaining({ isMet: false })]);
  });

  test('being slower than PostgreSQL misses a bar', () => {
    const ours = measured('dump', 2);
    const theirs = measured('dump', 1, { system: 'PostgreSQL' });
    expect(barsOf(summarize([ours, theirs]))[0]).toMatchObject({ isMet: false });
    expect(barsOf(summarize([{ ...ours, seconds: 0.9 }, theirs]))[0]).toMatchObject({
      isMet: true,
    });
  });

  test('a percentile is one of the values', () => {
    const values = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect(percentile(values, 50)).toBe(100);
    expect(percentile(values, 99)).toBe(198);
    expect(percentile(values, 100)).toBe(200);
    expect(percentile([7], 1)).toBe(7);
  });
});

describe('comparison', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ticklog-compare-'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  test('a machine of twice the speed changes no ratio', () => {
    const then = summarize([measured('limit-store', 1), measured('initial-sync', 4)]);
    const now = summarize([measured('limit-store', 0.5), measured('initial-sync', 2)]);
    const file = join(directory, 'then.json');
    const results = then.map(({ median, ...figures }) => ({ ...median, ...figures }));
    writeFileSync(file, JSON.stringify({ commit: 'c', documents: 1, changes: 1, results }));
    const [line = ''] = comparisonTable(readEarlier(file), now)
      .split('\n')
      .filter((each) => each.includes('initial-sync'));
    expect(line.split(/ {2,}/).slice(1)).toEqual(['250', '500', '2.00', '0.25', '0.25', '1.00']);
  });

  test('a file that holds no results is refused by its name', () => {
    const file = join(directory, 'other.json');
    writeFileSync(file, '{}');
    expect(() => readEarlier(file)).toThrow(file);
    expect(() => readEarlier(join(directory, 'missing.json'))).toThrow('missing.json');
  });
});
