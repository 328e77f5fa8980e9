import { cp, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HttpClient } from '../../bench/support/http-client.ts';
import { ServerProcess } from '../../bench/support/server-process.ts';
import { compactAll } from '../support/filled-store.ts';
import { Random } from '../support/random.ts';
import { openCore } from '../support/store.ts';
import { type TempDir, makeTempDir } from '../support/temp-dir.ts';

/** Places to damage. The long form: npm run test:fault. */
const PLACES = process.env['TICKLOG_LONG'] === '1' ? 200 : 8;
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);
const DOCUMENTS = 300;
const NOTICED_MS = 10_000;
const STORAGE_DAMAGED = 4;

let dir: TempDir;
let whole: string;
/** The lines of the log, by what they are of. */
let written: ReadonlySet<string>;

/** Nothing but tables; most of the bytes are keys and what finds them. */
async function fill(directory: string): Promise<Set<string>> {
  const core = await openCore(directory, { loggerConfig: { autoStart: true } });
  const database = core.catalogue.get('_system');
  const collection = await core.collections.create(database, { name: 'c' });
  const definition = { type: 'hash', fields: ['n'], unique: false };
  await core.collections.createIndex(database, collection, definition);
  for (let n = 0; n < DOCUMENTS; n++) {
    await core.documents.insert(database, collection, `{"_key":"key-number-${n}","n":${n}}`);
  }
  const { body } = await database.changelog.readPage({
    ...{ from: 0n, to: core.store.lastCommitted, limitBytes: 1e9 },
  });
  await compactAll(core);
  await core.store.close();
  return new Set(body.toString().split('\n'));
}

beforeAll(async () => {
  dir = await makeTempDir();
  whole = join(dir.path, 'whole');
  written = await fill(whole);
});

afterAll(() => dir[Symbol.asyncDispose]());

/** A copy with one bit of a table flipped. */
async function damagedCopy(n: number, random: Random): Promise<string> {
  const copy = join(dir.path, `copy${n}`);
  await cp(whole, copy, { recursive: true });
  const tables = (await readdir(join(copy, 'store'))).filter((name) => name.endsWith('.ldb'));
  const path = join(copy, 'store', random.pick(tables)!);
  const bit = random.below((await stat(path)).size * 8);
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, bit >> 3);
  byte[0] = byte[0]! ^ (1 << (bit & 7));
  await file.write(byte, 0, 1, bit >> 3);
  await file.close();
  return copy;
}

interface LoggerAnswer {
  readonly state: { readonly storage?: { readonly damage?: { readonly count: number } } };
}

async function damageShown(http: HttpClient): Promise<number> {
  const answer = (await http.json('GET', '/_api/replication/logger-state')) as LoggerAnswer;
  return answer.state.storage?.damage?.count ?? 0;
}

/** Asks for everything; what is answered must be what was written. @returns how many requests failed */
async function readAll(http: HttpClient): Promise<number> {
  let failed = 0;
  const ask = async (path: string, isRight: (body: string) => boolean): Promise<void> => {
    const { status, body } = await http.request('GET', path);
    const text = body.toString();
    if (status === 500) {
      expect(JSON.parse(text), path).toMatchObject({ errorNum: STORAGE_DAMAGED });
      failed++;
      return;
    }
    expect({ path, status, isRight: isRight(text) }).toEqual({ path, status, isRight: true });
    expect(status, path).toBeLessThan(300);
  };
  for (let n = 0; n < DOCUMENTS; n++) {
    const path = `/_api/document/c/key-number-${n}`;
    await ask(path, (text) => (JSON.parse(text) as { n?: number }).n === n);
  }
  const expected = [...written].filter((line) => line.includes('key-number'));
  await ask('/_api/replication/logger-follow?from=0&chunkSize=10000000', (text) =>
    expected.every((line) => text.includes(line)),
  );
  await ask('/_api/replication/dump?collection=c&chunkSize=10000000', (text) =>
    Array.from({ length: DOCUMENTS }, (_, n) => `"key":"key-number-${n}"`).every((key) =>
      text.includes(key),
    ),
  );
  return failed;
}

test(
  `damage of a table is noticed while the server runs; what is served is right and complete, all else fails (seed ${SEED})`,
  { timeout: 60_000 + PLACES * 5000 },
  async () => {
    const random = new Random(SEED);
    const outcomes = { refused: 0, failed: 0, unharmed: 0 };
    for (let n = 0; n < PLACES; n++) {
      const directory = await damagedCopy(n, random);
      let server: ServerProcess;
      try {
        server = await ServerProcess.start({ name: 'damaged', directory });
      } catch (error) {
        // It says what to do.
        expect(String(error)).toMatch(/damaged|checksum|Restore/);
        outcomes.refused++;
        continue;
      }
      await using http = new HttpClient({ url: server.url });
      const until = performance.now() + NOTICED_MS;
      while ((await damageShown(http)) === 0 && performance.now() < until) await sleep(20);
      expect(await damageShown(http)).toBeGreaterThan(0);
      const failed = await readAll(http);
      if (failed > 0) outcomes.failed++;
      else outcomes.unharmed++;
      await server.kill();
      await rm(directory, { recursive: true });
    }
    console.info(`seed ${SEED}: ${JSON.stringify(outcomes)}`);
    expect(outcomes.refused + outcomes.failed).toBeGreaterThan(0);
  },
);

test('a collection that is damaged can be dropped, and the rest is served', async () => {
  const random = new Random(SEED);
  for (let attempt = 0; ; attempt++) {
    const directory = await damagedCopy(1000 + attempt, random);
    let server: ServerProcess;
    try {
      server = await ServerProcess.start({ name: 'damaged', directory });
    } catch (error) {
      if (attempt > 20) throw error;
      continue;
    }
    await using served = server;
    await using http = new HttpClient({ url: served.url });
    const { status } = await http.request('DELETE', '/_api/collection/c');
    expect([200, 500]).toContain(status);
    if (status === 500) continue;
    await http.json('POST', '/_api/collection', '{"name":"d"}');
    await http.json('POST', '/_api/document?collection=d', '{"_key":"a"}');
    await http.json('GET', '/_api/document/d/a');
    return;
  }
});
