import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { LineCounter } from './dump.ts';
import { HttpClient } from './http-client.ts';
import { type Usage, UsageMeter } from './usage.ts';
import { WorkDirectory } from './work-directory.ts';

export interface LimitInput {
  readonly documents: number;
  readonly seed: number;
}

export interface LimitResult {
  readonly seconds: number;
  /** Of the process that stores or serves; making the documents is in it for the store. */
  readonly usage: Usage;
}

const STORE_PROGRAM = fileURLToPath(new URL('../limits/store.js', import.meta.url));
const HTTP_PROGRAM = fileURLToPath(new URL('../limits/http.js', import.meta.url));

/** Writes blocks and index records to LevelDB in a process of its own. */
export async function measureStoreLimit(input: LimitInput): Promise<LimitResult> {
  using directory = new WorkDirectory();
  const argv = [STORE_PROGRAM, directory.path, String(input.documents), String(input.seed)];
  const child = new Child({ name: 'limit-store', argv });
  const meter = new UsageMeter(child.pid);
  const { code } = await child.ended;
  const usage = meter.stop();
  if (code !== 0) throw new Error(`limit-store failed:\n${child.output}`);
  const { seconds } = JSON.parse(child.output) as { seconds: number };
  return { seconds, usage: { ...usage, cpuSeconds: undefined } };
}

/** Reads lines that a bare server streams from its memory, counting them as the dump workload does. */
export async function measureHttpLimit(input: LimitInput): Promise<LimitResult> {
  const argv = [HTTP_PROGRAM, String(input.documents), String(input.seed)];
  const child = new Child({ name: 'limit-http', argv });
  try {
    const { host, port } = await child.listening();
    await using http = new HttpClient({ url: `http://${host}:${port}` });
    const counter = new LineCounter();
    const path = `/${input.documents}`;
    await http.stream(path, () => undefined);
    const meter = new UsageMeter(child.pid);
    const startedAt = performance.now();
    await http.stream(path, (piece) => counter.add(piece));
    const seconds = (performance.now() - startedAt) / 1000;
    const usage = meter.stop();
    if (counter.lines < input.documents) {
      throw new Error(`limit-http sent ${counter.lines} of ${input.documents} lines`);
    }
    return { seconds, usage };
  } finally {
    await child.end('SIGKILL');
  }
}
