import { fileURLToPath } from 'node:url';
import type { BenchOptions } from './bench-options.ts';
import { assertEqual, assertSameDigest } from './checks.ts';
import { Child } from './child.ts';
import { DocumentSource } from './documents.ts';
import { DigestBuilder, collectionDigests } from './dump.ts';
import { HttpClient } from './http-client.ts';
import type { Measurement } from './measure.ts';
import { ServerApi } from './server-api.ts';
import { ServerProcess } from './server-process.ts';
import { WorkDirectory } from './work-directory.ts';
import type { WorkloadName } from './workload-names.ts';
import { WRITE_CONNECTIONS, type WriteReport, writeSingly } from './write-client.ts';

const COLLECTION = 'documents';
const DOCUMENT_PATH = `/_api/document?collection=${COLLECTION}`;
const LIMIT_PROGRAM = fileURLToPath(new URL('../limits/write.js', import.meta.url));
/** Enough for the compilers of both sides to have done their work. */
const WARM_UP_WRITES = 20_000;

type Input = Pick<BenchOptions, 'changes' | 'seed'>;

/** Writes documents one by one to an empty server of the product whose logger runs, or does not. */
export async function measureSingleWrites(input: Input, logged: boolean): Promise<Measurement> {
  using directory = new WorkDirectory();
  await using server = await ServerProcess.start({ name: 'leader', directory: directory.path });
  await using api = new ServerApi({ url: server.url });
  await api.liftLoggerCaps();
  await api.createCollection(COLLECTION);
  if (!logged) await api.stopLogger();
  const eventsBefore = await api.totalEvents();
  const order = orderFor(input, { port: server.port, pid: server.pid });
  const report = await writeSingly({ ...order, path: DOCUMENT_PATH });
  const count = order.warmUp + order.writes;
  const logEntries = (await api.totalEvents()) - eventsBefore;
  assertEqual('entries of the log', logEntries, logged ? count : 0);
  assertEqual('count of the server', await api.count(COLLECTION), count);
  const expected = new DigestBuilder();
  const source = new DocumentSource({ seed: input.seed });
  for (let number = 0; number < count; number++) expected.add(source.text(number));
  const { content } = await collectionDigests(api.http, COLLECTION);
  assertSameDigest('what was sent and the server', expected, content);
  return measurementOf(logged ? 'single-writes' : 'single-writes-unlogged', input, report);
}

/** The same writes to a bare server that stores them, or only answers. */
export async function measureWriteLimit(input: Input, stored: boolean): Promise<Measurement> {
  using directory = new WorkDirectory();
  const name = stored ? 'limit-write' : 'limit-answer';
  const child = new Child({ name, argv: [LIMIT_PROGRAM, stored ? directory.path : '-'] });
  try {
    const { host, port } = await child.listening();
    const order = orderFor(input, { port, pid: child.pid });
    const report = await writeSingly({ ...order, path: DOCUMENT_PATH });
    await using http = new HttpClient({ url: `http://${host}:${port}` });
    const { records } = (await http.json('GET', '/records')) as { records: number };
    if (stored) assertEqual('records of limit-write', records, order.warmUp + order.writes);
    return measurementOf(name, input, report);
  } finally {
    await child.end('SIGKILL');
  }
}

function orderFor({ changes, seed }: Input, server: { port: number; pid: number }) {
  const warmUp = Math.min(WARM_UP_WRITES, changes);
  const { port, pid: serverPid } = server;
  return { port, serverPid, seed, warmUp, writes: changes, connections: WRITE_CONNECTIONS };
}

function measurementOf(workload: WorkloadName, input: Input, report: WriteReport): Measurement {
  const { seconds, server: leader, clientCpuSeconds } = report;
  return { workload, documents: input.changes, seconds, leader, clientCpuSeconds };
}
