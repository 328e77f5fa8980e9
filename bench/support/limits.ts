import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { LineCounter } from './dump.ts';
import { HttpClient } from './http-client.ts';
import { type Measurement, measureMedian } from './measure.ts';
import { WorkDirectory } from './work-directory.ts';
import { runProgram } from './write-client.ts';

export interface LimitInput {
  readonly documents: number;
  readonly seed: number;
  /** Written before the clock starts. */
  readonly warmUp?: number;
}

const STORE_PROGRAM = fileURLToPath(new URL('../limits/store.js', import.meta.url));
const HTTP_PROGRAM = fileURLToPath(new URL('../limits/http.js', import.meta.url));

/** Writes blocks and index records to LevelDB in a process of its own. */
export async function measureStoreLimit(input: LimitInput): Promise<Measurement> {
  using directory = new WorkDirectory();
  const { documents, seed, warmUp = 0 } = input;
  const argv = [STORE_PROGRAM, directory.path, ...[documents, seed, warmUp].map(String)];
  const { seconds, cpuSeconds } = (await runProgram('limit-store', argv)) as StoreReport;
  const leader = { cpuSeconds, peakRssAnonBytes: undefined };
  return { workload: 'limit-store', documents, seconds, leader };
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
