import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchOptions } from './bench-options.ts';
import { assertEqual, assertSameDigest } from './checks.ts';
import { runToEnd } from './child.ts';
import { DocumentSource, dumpLine } from './documents.ts';
import { type Digest, DigestBuilder, collectionDigests } from './dump.ts';
import { type Measurement, measure } from './measure.ts';
import { PRODUCT_PROGRAM } from './project.ts';
import { ServerApi } from './server-api.ts';
import { ServerProcess } from './server-process.ts';
import { cpuSecondsOfChildren } from './usage.ts';
import { WorkDirectory } from './work-directory.ts';

const COLLECTION = 'documents';
/** What `ticklog restore` sends at a time unless it is told otherwise. */
const PIECE_BYTES = 2 * 1024 * 1024;

const HELD_DOCUMENTS = 1_000_000;

type Input = Pick<BenchOptions, 'documents' | 'seed'>;

/**
 * `ticklog restore`, with its defaults, of a directory that `ticklog dump` has made with its own, to an
 * empty server that logs. The time is that of the whole command, from its start to its exit.
 */
export async function measureRestore(input: Input): Promise<Measurement> {
  using directory = new WorkDirectory();
  const dumped = join(directory.path, 'dump');
  const expected = await dumpOfDocuments(input, directory.path, dumped);
  await using server = await startServer(join(directory.path, 'restored'));
  await using api = new ServerApi({ url: server.url });
  await api.liftLoggerCaps();
  const clientBefore = cpuSecondsOfChildren();
  const measurement = await measure('restore', { leader: server.pid }, async () => {
    await runVerb('restore', server, ['--input-directory', dumped, '--progress', 'false']);
    return input.documents;
  });
  const clientCpuSeconds = cpuSecondsOfChildren() - clientBefore;
  await assertRestored(api, expected);
  return { ...measurement, clientCpuSeconds };
}

/** The requests of such a restore alone: lines from memory, in pieces of 2 MiB, one after another. */
export async function measureRestorePieces(input: Input): Promise<Measurement> {
  using directory = new WorkDirectory();
  await using server = await startServer(join(directory.path, 'restored'));
  await using api = new ServerApi({ url: server.url });
  await api.liftLoggerCaps();
  await api.createCollection(COLLECTION);
  const expected = new DigestBuilder();
  const made = linePieces(input, expected);
  // Made before the clock starts, unless they are more than can be held.
  const pieces = input.documents > HELD_DOCUMENTS ? made : [...made];
  const measurement = await measure('restore-pieces', { leader: server.pid }, async () => {
    for (const piece of pieces) await api.restoreData(COLLECTION, piece);
    return input.documents;
  });
  await assertRestored(api, expected);
  return measurement;
}

/** Imports the documents into a server and has it dumped. @returns what was imported */
async function dumpOfDocuments(input: Input, directory: string, output: string): Promise<Digest> {
  await using server = await startServer(join(directory, 'dumped'));
  await using api = new ServerApi({ url: server.url });
  await api.createCollection(COLLECTION);
  const source = new DocumentSource({ seed: input.seed });
  await api.import(COLLECTION, source.chunks(0, input.documents), input.documents);
  const expected = new DigestBuilder();
  for (let number = 0; number < input.documents; number++) expected.add(source.text(number));
  await runVerb('dump', server, ['--output-directory', output, '--progress', 'false']);
  if (!readdirSync(output).includes('dump.json')) throw new Error('the dump is not complete');
  return expected;
}

function startServer(directory: string): Promise<ServerProcess> {
  return ServerProcess.start({ name: 'leader', directory });
}

async function runVerb(verb: string, to: ServerProcess, flags: readonly string[]): Promise<void> {
  const argv = [PRODUCT_PROGRAM, verb, '--server.endpoint', to.endpoint, ...flags];
  await runToEnd({ name: `ticklog ${verb}`, argv });
}

/** Lines as a dump holds them, in pieces of whole lines. */
function* linePieces(
  { documents, seed }: Input,
  expected: DigestBuilder,
): Generator<Buffer, void, void> {
  const source = new DocumentSource({ seed });
  let lines = '';
  for (let number = 0; number < documents; number++) {
    const line = dumpLine(source, number);
    if (lines.length + line.length > PIECE_BYTES) {
      yield Buffer.from(lines, 'latin1');
      lines = '';
    }
    lines += line;
    expected.add(source.text(number));
  }
  yield Buffer.from(lines, 'latin1');
}

async function assertRestored(api: ServerApi, expected: Digest): Promise<void> {
  assertEqual('count of what was restored', await api.count(COLLECTION), expected.count);
  const { content } = await collectionDigests(api.http, COLLECTION);
  assertSameDigest('what was dumped and what was restored', expected, content);
}
