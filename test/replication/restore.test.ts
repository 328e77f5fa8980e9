import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Restore } from '../../src/leader/restore.ts';
import { Random } from '../support/random.ts';
import { documentsOf } from '../support/sync-follower.ts';
import { type Pair, expectEqual, openPair } from './applier-follower.ts';

const BACKUP = fileURLToPath(
  new URL('../../../shared/data/debian-dependency-graph/', import.meta.url),
);
const FOUND = existsSync(BACKUP);
// The data is no part of the project; say so instead of passing without it.
if (!FOUND) console.warn('skipped: the backup of the Debian dependency graph is not at hand');

const DONE = '{"result":true}';

interface StructureFile {
  readonly parameters: { readonly name: string; readonly count: number };
  readonly indexes: readonly object[];
}

const LINE = '{"type":2300,"key":"k","rev":"5","data":{}}';

async function* bodyOf(text: string): AsyncGenerator<Buffer, void, void> {
  yield await Promise.resolve(Buffer.from(text));
}

/** The request must be answered with success. */
async function restore({ leader }: Pair, command: string, body: string | Buffer): Promise<void> {
  const answer = await leader.request('PUT', `/_api/replication/${command}`, { body });
  expect([answer.status, answer.text]).toEqual([200, DONE]);
}

/** Sends a data file in pieces of at most `batchBytes` that end before a newline, as arangorestore does. */
async function restoreData(
  pair: Pair,
  name: string,
  data: Buffer,
  batchBytes: number,
): Promise<number> {
  let pieces = 0;
  for (let start = 0; start < data.length; pieces++) {
    const most = start + batchBytes;
    const end = most >= data.length ? data.length : data.lastIndexOf('\n', most);
    await restore(pair, `restore-data?collection=${name}&force=false`, data.subarray(start, end));
    start = end;
  }
  return pieces;
}

/** What the lines of a data file add up to, by key, as documents are stored. */
function documentsIn(data: Buffer): Record<string, unknown> {
  const documents: Record<string, unknown> = {};
  for (const text of data.toString('utf8').split('\n')) {
    if (text === '') continue;
    const line = JSON.parse(text) as { type: number; data: Record<string, unknown> };
    expect(line.type).toBe(2300);
    const { _id, ...document } = line.data;
    expect(_id).toMatch(/^[^/]+\/./);
    documents[String(document['_key'])] = document;
  }
  return documents;
}

describe('what is restored', () => {
  it('reaches a follower that follows, in every kind of line', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning);
    await restore(pair, 'restore-collection', '{"parameters":{"name":"c"},"indexes":[]}');
    const index = '{"id":"990011","type":"hash","unique":true,"fields":["u"]}';
    await restore(pair, 'restore-indexes', `{"parameters":{"name":"c"},"indexes":[${index}]}`);
    const random = new Random(17);
    for (let i = 0; i < 30; i++) {
      const lines = Array.from({ length: 50 }, () => {
        const key = `k${random.below(200)}`;
        const rev = String(1000 + random.below(1000));
        if (random.percent(20)) return `{"type":2302,"key":"${key}","rev":"${rev}"}`;
        const data = `"_key":"${key}","_rev":"${rev}","n":${random.below(1e9)},"s":"ä\\n"`;
        return random.percent(50)
          ? `{"type":2300,"key":"${key}","rev":"${rev}","data":{${data}}}`
          : `{"type":2300,"data":{"a":1e5,${data}}}`;
      });
      const recycle = random.percent(50) ? '&recycleIds=true' : '';
      await restore(pair, `restore-data?collection=c${recycle}`, lines.join('\n'));
    }
    await pair.caughtUp();
    expect(leader.database.get('c').stats.count).toBeGreaterThan(50);
    await expectEqual(pair);
  });

  it('reaches it when the collection is replaced, and in parts when the body is large', async () => {
    await using pair = await openPair();
    await pair.follower.follow(pair.endpoint, pair.beginning);
    const described = '{"parameters":{"name":"c","cid":"7700001","type":3},"indexes":[]}';
    const query = 'overwrite=true&recycleIds=true';
    for (let round = 0; round < 3; round++) {
      await restore(pair, `restore-collection?${query}`, described);
      const lines = Array.from({ length: 3000 }, (_, i) => {
        const data = { _from: 'a/b', _to: 'c/d', _key: `k${i}`, _rev: `_r${i}`, round };
        return JSON.stringify({ type: 2300, data });
      });
      const body = Buffer.from(lines.join('\n'));
      expect(await restoreData(pair, 'c', body, 100_000)).toBeGreaterThan(2);
    }
    await pair.caughtUp();
    expect(pair.leader.database.get('7700001').stats.count).toBe(3000);
    await expectEqual(pair);
  });

  it('is not taken where a running applier writes', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await pair.create('c');
    await follower.follow(pair.endpoint, pair.beginning);
    await pair.caughtUp();
    const { store, collections } = follower.core;
    const taking = new Restore({ store, collections }, { transactionMaxBytes: 2 ** 20 });
    const { database } = follower;
    const described = { parameters: { name: 'c' }, indexes: [{ type: 'hash', fields: ['a'] }] };
    const rules = {
      useEnvelope: true,
      revisions: 'kept',
      strictTypes: true,
      inParts: false,
    } as const;
    const attempts = [
      () => taking.collection(database, described, { overwrite: true, recycleIds: false }),
      () => taking.indexes(database, described, { force: true }),
      () => taking.data.run(database, database.get('c'), bodyOf(LINE), rules),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({ kind: 'readOnly', httpStatus: 403 });
    }
    await expectEqual(pair);
    await follower.applier.stop();
    for (const attempt of attempts) await attempt();
    expect(database.get('c').stats.count).toBe(1);
  });
});

describe.skipIf(!FOUND)("the backup of Debian's dependency graph", () => {
  it(
    'is restored document for document, and its follower has the same',
    { timeout: 120_000 },
    async () => {
      await using pair = await openPair();
      const { leader, follower } = pair;
      await follower.follow(pair.endpoint, pair.beginning);
      const files = readdirSync(BACKUP);
      const structures = files.filter((file) => file.endsWith('.structure.json'));
      expect(structures).toHaveLength(11);
      let edges = 0;
      for (const file of structures) {
        const text = readFileSync(join(BACKUP, file), 'utf8');
        const { parameters } = JSON.parse(text) as StructureFile;
        const data = readFileSync(join(BACKUP, file.replace('.structure.', '.data.')));
        await restore(pair, 'restore-collection?overwrite=true&recycleIds=false&force=false', text);
        await restoreData(pair, parameters.name, data, 64 * 1024);
        await restore(pair, 'restore-indexes?force=false', text);
        const collection = leader.database.get(parameters.name);
        const expected = documentsIn(data);
        expect(collection.stats.count).toBe(parameters.count);
        expect(await documentsOf(leader.store, collection)).toEqual(expected);
        if (collection.type === 3) edges += collection.stats.count;
      }
      expect(edges).toBe(55_381);
      await pair.caughtUp();
      // Some collections of the system take no part in replication.
      const excluded = leader.database.collections.filter((each) => each.excluded);
      expect(excluded.map(({ name }) => name).sort()).toEqual(['_modules', '_routing']);
      for (const each of excluded) await leader.collections.drop(leader.database, each);
      await expectEqual(pair);
    },
  );
});
