/*
 * The limit of writing: LevelDB without the product. Blocks of 32 KiB of dump lines as values and one small
 * index record a document, in commits of 500 documents. Arguments: directory, documents, seed, how many of them
 * are written elsewhere first for warming up, and `plain` for the settings classic-level has by itself or `tuned`
 * for those the product opens its store with. Prints seconds and cpuSeconds of the writing alone as JSON.
 */
import { join } from 'node:path';
import { Level } from 'level';
import { DocumentSource, dumpLine } from '../support/documents.ts';

const COMMIT_DOCUMENTS = 500;
const BLOCK_BYTES = 32 * 1024;
/** Blocks are made before the clock starts; when these are used up they are written again. */
const POOL_BYTES = 128 * 1024 * 1024;
const BLOCK_KEY_BYTES = 13;
const INDEX_HEAD_BYTES = 5;
const INDEX_VALUE_BYTES = 13;

interface PreparedBlock {
  readonly value: Buffer;
  readonly documents: number;
}

const [, , directory = '', documentsText = '', seedText = '', warmUpText = '0', settings] =
  process.argv;
const documents = Number(documentsText);
const TUNED = {
  writeBufferSize: 32 * 1024 * 1024,
  cacheSize: 16 * 1024 * 1024,
  maxFileSize: 8 * 1024 * 1024,
  compression: false,
};
const source = new DocumentSource({ seed: Number(seedText) });
const pool = prepareBlocks();

if (Number(warmUpText) > 0) {
  const other = await openStore('warm-up');
  await writeAll(other, Number(warmUpText));
  await other.close();
}
const level = await openStore('limit-store');
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
await writeAll(level, documents);
const seconds = (performance.now() - startedAt) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
await checkEnd();
await level.close();
console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6 }));

async function openStore(name: string): Promise<Level<Buffer, Buffer>> {
  const store = new Level<Buffer, Buffer>(join(directory, name), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    ...(settings === 'tuned' ? TUNED : {}),
  });
  await store.open();
  return store;
}

/** Every commit begins a block of its own, as it would for a server that is asked to store 500 documents. */
function prepareBlocks(): readonly (readonly PreparedBlock[])[] {
  const commits: PreparedBlock[][] = [];
  let bytes = 0;
  for (let first = 0; first < documents && bytes < POOL_BYTES; first += COMMIT_DOCUMENTS) {
    const commit: PreparedBlock[] = [];
    const end = Math.min(first + COMMIT_DOCUMENTS, documents);
    for (let number = first; number < end;) {
      let lines = '';
      const start = number;
      do lines += dumpLine(source, number++);
      while (number < end && lines.length < BLOCK_BYTES);
      commit.push({ value: Buffer.from(lines, 'latin1'), documents: number - start });
      bytes += lines.length;
    }
    commits.push(commit);
  }
  return commits;
}

async function writeAll(store: Level<Buffer, Buffer>, count: number): Promise<void> {
  for (let first = 0, commit = 0; first < count; first += COMMIT_DOCUMENTS, commit++) {
    const batch = store.batch();
    const end = Math.min(first + COMMIT_DOCUMENTS, count);
    let number = first;
    for (const block of pool[commit % pool.length] ?? []) {
      const last = Math.min(number + block.documents, end);
      batch.put(blockKey(last), block.value);
      for (; number < last; number++) batch.put(indexKey(number), indexValue(number, last));
    }
    await batch.write();
  }
}

function blockKey(last: number): Buffer {
  const key = Buffer.allocUnsafe(BLOCK_KEY_BYTES);
  key[0] = 0x6a;
  key.writeUInt32BE(1, 1);
  key.writeBigUInt64BE(BigInt(last), 5);
  return key;
}

function indexKey(number: number): Buffer {
  const documentKey = source.key(number);
  const key = Buffer.allocUnsafe(INDEX_HEAD_BYTES + documentKey.length);
  key[0] = 0x70;
  key.writeUInt32BE(1, 1);
  key.write(documentKey, INDEX_HEAD_BYTES, 'latin1');
  return key;
}

function indexValue(number: number, last: number): Buffer {
  const value = Buffer.allocUnsafe(INDEX_VALUE_BYTES);
  value[0] = 1;
  value.writeBigUInt64BE(BigInt(number), 1);
  value.writeUInt32BE(last - number, 9);
  return value;
}

/** A figure is worth nothing if the records are not there. */
async function checkEnd(): Promise<void> {
  const range = { gte: Buffer.from([0x70]), lt: Buffer.from([0x71]) };
  const keys = level.keys(range);
  let found = 0;
  for (let some; (some = await keys.nextv(10_000)).length > 0;) found += some.length;
  await keys.close();
  if (found !== documents) throw new Error(`${found} of ${documents} records are in the store`);
}
