import { Counter, Gauge, type Metric, type Registry } from 'prom-client';
import type { Histogram } from '../base/histogram.ts';

export type Labels = Readonly<Record<string, string | number>>;

/** A value, or values with labels; those that are undefined are left out. */
export type Reading =
  number | undefined | readonly (readonly [labels: Labels, value: number | undefined])[];

export interface Family {
  readonly name: string;
  readonly help: string;
  /** Names of the labels. */
  readonly labels?: readonly string[];
  /** Asked whenever metrics are collected. */
  readonly read: () => Reading | Promise<Reading>;
}

export interface HistogramFamily {
  readonly name: string;
  readonly help: string;
  readonly read: () => readonly (readonly [labels: Labels, histogram: Histogram])[];
}

/** Numbers that go up and down. */
export function addGauges(registry: Registry, families: readonly Family[]): void {
  for (const { name, help, labels = [], read } of families) {
    const gauge: Gauge = new Gauge({
      ...{ name, help, labelNames: [...labels], registers: [registry] },
      collect: async () => {
        const values = valuesOf(await read());
        gauge.reset();
        for (const [of, value] of values) gauge.set(of, value);
      },
    });
  }
}

/** Numbers that only go up, until the server is started again. */
export function addCounters(registry: Registry, families: readonly Family[]): void {
  for (const { name, help, labels = [], read } of families) {
    const counter: Counter = new Counter({
      ...{ name, help, labelNames: [...labels], registers: [registry] },
      collect: async () => {
        const values = valuesOf(await read());
        counter.reset();
        for (const [of, value] of values) counter.inc(of, value);
      },
    });
  }
}

/** Histograms that are counted elsewhere, in plain numbers. */
export function addHistograms(registry: Registry, families: readonly HistogramFamily[]): void {
  for (const { name, help, read } of families) {
    const get = (): Promise<object> =>
      Promise.resolve({
        ...{ name, help, type: 'histogram', aggregator: 'sum' },
        values: read().flatMap(([labels, histogram]) => bucketsOf(name, labels, histogram)),
      });
    // All that a registry asks of a metric; the package's own histogram would have to be told of each value.
    registry.registerMetric({ name, get } as unknown as Metric);
  }
}

function valuesOf(reading: Reading): (readonly [Record<string, string | number>, number])[] {
  if (reading === undefined) return [];
  const all = typeof reading === 'number' ? [[{}, reading] as const] : reading;
  return all.flatMap(([labels, value]) => (value === undefined ? [] : [[{ ...labels }, value]]));
}

function bucketsOf(name: string, labels: Labels, histogram: Histogram): object[] {
  const { bounds, counts, sum } = histogram;
  let below = 0;
  const buckets = [...counts].map((count, i) => {
    below += count;
    const le = bounds[i] ?? '+Inf';
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: below },
  ];
}
