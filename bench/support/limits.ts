import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { LineCounter } from './dump.ts';
import { HttpClient } from './http-client.ts';
import { type Measurement, measureMedian } from './measure.ts';
import { WorkDirectory } from './work-directory.ts';
import type { LimitName } from './workload-names.ts';
import { runProgram } from './write-client.ts';

export interface LimitInput {
  readonly documents: number;
  readonly seed: number;
  /** Written before the clock starts. */
  readonly warmUp?: number;
}

const STORE_PROGRAM = fileURLToPath(new URL('../limits/store.js', import.meta.url));
const HTTP_PROGRAM = fileURLToPath(new URL('../limits/http.js', import.meta.url));

/** Writes blocks and index records to LevelDB, with the settings it has by itself, in a process of its own. */
export function measureStoreLimit(input: LimitInput): Promise<Measurement> {
  return measureStore('limit-store', input, 'plain');
}

/** The same with the settings of the product's store. */
export function measureTunedStoreLimit(input: LimitInput): Promise<Measurement> {
  return measureStore('limit-store-tuned', input, 'tuned');
}

async function measureStore(
  workload: LimitName,
  { documents, seed, warmUp = 0 }: LimitInput,
  settings: 'plain' | 'tuned',
): Promise<Measurement> {
  using directory = new WorkDirectory();
  const argv = [STORE_PROGRAM, directory.path, ...[documents, seed, warmUp].map(String), settings];
  const { seconds, cpuSeconds } = (await runProgram(workload, argv)) as StoreReport;
  const leader = { cpuSeconds, peakRssAnonBytes: undefined };
  return { workload, documents, seconds, leader };
}

interface StoreReport {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Reads lines that a bare server streams from its memory, counting them as the dump workload does. */
export async function measureHttpLimit(input: LimitInput): Promise<Measurement> {
  const argv = [HTTP_PROGRAM, String(input.documents), String(input.seed)];
  const child = new Child({ name: 'limit-http', argv });
  try {
    const { host, port } = await child.listening();
    await using http = new HttpClient({ url: `http://${host}:${port}` });
    return await measureMedian('limit-http', { leader: child.pid }, async () => {
      const counter = new LineCounter();
      await http.stream(`/${input.documents}`, (piece) => counter.add(piece));
      if (counter.lines >= input.documents) return counter.lines;
      throw new Error(`limit-http sent ${counter.lines} of ${input.documents} lines`);
    });
  } finally {
    await child.end('SIGKILL');
  }
}
