/*
 * The limit of single writes: bare node:http, without the product. Whoever waits while a batch is being
 * written is in the next one: a block of the journal that holds the lines of all of them, and one index
 * record a document. Arguments: directory, or `-` for a server that answers and stores nothing.
 * POST takes a document that begins with its key; GET /records says how many index records there are.
 */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Level } from 'level';

const BLOCK_BYTES = 32 * 1024;
const BLOCK_KEY_BYTES = 13;
const INDEX_HEAD_BYTES = 5;
const INDEX_VALUE_BYTES = 13;
/** What every document begins with; its key follows. */
const KEY_AT = '{"_key":"'.length;
const QUOTE = 0x22;
const LINE_END = Buffer.from('}\n');
const NO_STORE = '-';

interface Waiting {
  readonly key: string;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

const [, , directory = NO_STORE] = process.argv;
const level = directory === NO_STORE ? undefined : await openStore(directory);
let waiting: Waiting[] = [];
let isWriting = false;
let tick = 176_000_000_000_000;

const server = createServer((request, response) => {
  if (request.method === 'GET') return void answerRecords(response);
  readBody(request, (body) => {
    const key = body.toString('latin1', KEY_AT, body.indexOf(QUOTE, KEY_AT));
    const write = { key, body, response };
    if (level === undefined) {
      answer(write, ++tick);
      return;
    }
    waiting.push(write);
    if (!isWriting) void writeAll(level);
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

async function openStore(where: string): Promise<Level<Buffer, Buffer>> {
  const store = new Level<Buffer, Buffer>(join(where, 'limit-write'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  await store.open();
  return store;
}

function readBody(request: IncomingMessage, done: (body: Buffer) => void): void {
  let first: Buffer | undefined;
  let others: Buffer[] | undefined;
  request.on('data', (piece: Buffer) => {
    if (first === undefined) first = piece;
    else (others ??= [first]).push(piece);
  });
  request.on('end', () => done(others ? Buffer.concat(others) : (first ?? Buffer.alloc(0))));
}

async function writeAll(store: Level<Buffer, Buffer>): Promise<void> {
  isWriting = true;
  while (waiting.length > 0) {
    const group = waiting;
    waiting = [];
    const firstTick = tick + 1;
    tick += group.length;
    await writeGroup(store, group, firstTick);
    for (const [i, write] of group.entries()) answer(write, firstTick + i);
  }
  isWriting = false;
}

async function writeGroup(
  store: Level<Buffer, Buffer>,
  group: readonly Waiting[],
  firstTick: number,
): Promise<void> {
  const batch = store.batch();
  let parts: Buffer[] = [];
  let bytes = 0;
  for (const [i, { key, body }] of group.entries()) {
    const rev = firstTick + i;
    const head = Buffer.from(
      `{"tick":"${rev}","type":2300,"key":"${key}","rev":"${rev}","data":{"_rev":"${rev}",`,
      'latin1',
    );
    const rest = body.subarray(1);
    parts.push(head, rest, LINE_END);
    bytes += head.length + rest.length + LINE_END.length;
    batch.put(indexKey(key), indexValue(rev));
    if (bytes < BLOCK_BYTES && i < group.length - 1) continue;
    batch.put(blockKey(rev), Buffer.concat(parts, bytes));
    parts = [];
    bytes = 0;
  }
  await batch.write();
}

function answer({ key, response }: Waiting, rev: number): void {
  const body = `{"error":false,"_id":"documents/${key}","_key":"${key}","_rev":"${rev}"}`;
  response.writeHead(202, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
  });
  response.end(body, 'latin1');
}

async function answerRecords(response: ServerResponse): Promise<void> {
  let found = 0;
  const keys = level?.keys({ gte: Buffer.from([0x70]), lt: Buffer.from([0x71]) });
  for (let some; keys && (some = await keys.nextv(10_000)).length > 0;) found += some.length;
  await keys?.close();
  response.end(JSON.stringify({ records: found }));
}

function blockKey(last: number): Buffer {
  const key = Buffer.allocUnsafe(BLOCK_KEY_BYTES);
  key[0] = 0x6a;
  key.writeUInt32BE(1, 1);
  key.writeBigUInt64BE(BigInt(last), 5);
  return key;
}

function indexKey(documentKey: string): Buffer {
  const key = Buffer.allocUnsafe(INDEX_HEAD_BYTES + documentKey.length);
  key[0] = 0x70;
  key.writeUInt32BE(1, 1);
  key.write(documentKey, INDEX_HEAD_BYTES, 'latin1');
  return key;
}

function indexValue(rev: number): Buffer {
  const value = Buffer.allocUnsafe(INDEX_VALUE_BYTES);
  value[0] = 1;
  value.writeBigUInt64BE(BigInt(rev), 1);
  value.writeUInt32BE(0, 9);
  return value;
}
