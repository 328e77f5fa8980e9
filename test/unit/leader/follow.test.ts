import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { isServiceError } from '../../../src/model/errors.ts';
import { type LeaderServer, openLeaderServer } from '../../support/leader-server.ts';

interface Write {
  readonly kind: 'insert' | 'replace' | 'remove' | 'truncate' | 'recreate';
  readonly key: number;
  readonly size: number;
}

const write = fc.record<Write>({
  kind: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom('insert' as const, 'replace', 'remove') },
    { weight: 1, arbitrary: fc.constantFrom('truncate' as const, 'recreate') },
  ),
  key: fc.nat(30),
  size: fc.oneof({ weight: 20, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(90_000) }),
});

/** Writes of one client, each of which may be refused: which are logged is the server's word. */
async function writer(server: LeaderServer, name: string, writes: readonly Write[]): Promise<void> {
  const { collections, database, documents } = server;
  let collection = await collections.create(database, { name });
  const body = ({ key, size }: Write): string => `{"_key":"k${key}","v":"${'x'.repeat(size)}"}`;
  for (const each of writes) {
    try {
      switch (each.kind) {
        case 'insert':
          await documents.insert(database, collection, body(each));
          break;
        case 'replace':
          await documents.replace(database, collection, `k${each.key}`, body(each));
          break;
        case 'remove':
          await documents.remove(database, collection, `k${each.key}`);
          break;
        case 'truncate':
          await collections.truncate(database, collection);
          break;
        case 'recreate':
          await collections.drop(database, collection);
          collection = await collections.create(database, { name });
      }
    } catch (error) {
      if (!isServiceError(error)) throw error;
    }
  }
}

interface Reader {
  readonly command: string;
  readonly chunkSize: number;
  text: string;
  from: bigint;
}

/** Polls as fast as it can until it has seen the end after the writers are done. */
async function poll(server: LeaderServer, reader: Reader, isDone: () => boolean): Promise<void> {
  for (;;) {
    const last = isDone();
    const { command, chunkSize, from } = reader;
    const page = await server.get(`${command}&from=${from}&chunkSize=${chunkSize}`);
    for (const { tick } of page.lines) {
      if (BigInt(tick as string) <= reader.from) throw new Error(`${String(tick)} came late`);
      reader.from = BigInt(tick as string);
    }
    reader.text += page.text;
    if (last && page.headers['x-arango-replication-checkmore'] === 'false') return;
  }
}

describe('a follower that polls at full speed while others write (P2)', () => {
  test(
    'never sees a tick after a larger one, and misses nothing',
    { timeout: 120_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(write, { minLength: 1, maxLength: 60 }), {
            minLength: 2,
            maxLength: 6,
          }),
          fc.constantFrom(1, 500, 16_384, 1_000_000),
          async (clients, chunkSize) => {
            await using server = await openLeaderServer();
            await server.put('logger-start');
            const { database, collections, documents } = server;
            const steady = await collections.create(database, { name: 'steady' });
            const readers: Reader[] = [
              { command: 'logger-follow?wait=0.01', chunkSize, text: '', from: 0n },
              { command: 'dump?collection=steady', chunkSize, text: '', from: 0n },
            ];
            let done = false;
            const polling = readers.map((reader) => poll(server, reader, () => done));
            const writing = clients.map((writes, i) => writer(server, `c${i}`, writes));
            for (let i = 0; i < 50; i++) await documents.insert(database, steady, `{"i":${i}}`);
            await Promise.all(writing);
            done = true;
            await Promise.all(polling);
            for (const { command, text } of readers) {
              expect(text).toBe((await server.get(`${command}&chunkSize=100000000`)).text);
            }
          },
        ),
        { numRuns: 12, endOnFailure: true },
      );
    },
  );
});

describe('pages read while something else happens', () => {
  test('a collection dropped while it is read is 404/1203, and its memory is given back', async () => {
    await using server = await openLeaderServer();
    const { collections, database, documents, leader } = server;
    const people = await collections.create(database, { name: 'people' });
    await documents.insert(database, people, '{"_key":"a"}');
    const hold = leader.pageMemory.hold.bind(leader.pageMemory);
    vi.spyOn(leader.pageMemory, 'hold').mockImplementation(async (size, signal, read) => {
      const held = await hold(size, signal, read);
      await collections.drop(database, people);
      return held;
    });
    const { json } = await server.get('dump?collection=people');
    expect(json).toMatchObject({ code: 404, errorNum: 1203 });
    expect(leader.pageMemory.usedBytes).toBe(0);
  });

  test('a log that lost its beginning meanwhile does not claim to be whole', async () => {
    await using server = await openLeaderServer();
    const { collections, database, leader, store } = server;
    await server.put('logger-start');
    await collections.create(database, { name: 'people' });
    const hold = leader.pageMemory.hold.bind(leader.pageMemory);
    vi.spyOn(leader.pageMemory, 'hold').mockImplementation(async (size, signal, read) => {
      const held = await hold(size, signal, read);
      const { firstTick, lastTick } = database.changelog.state;
      await store.commit((tx) => {
        const removed = { after: 0n, lastTick, upTo: firstTick, events: 1, bytes: 40 };
        database.changelog.noteRemoved(tx, { ...removed, firstTick: lastTick });
      });
      return held;
    });
    const answer = await server.get('logger-follow');
    expect(answer.lines).toHaveLength(2);
    expect(answer.headers['x-arango-replication-frompresent']).toBe('false');
  });

  test('waiting on a log that retention has emptied is a wait, and reads it once', async () => {
    await using server = await openLeaderServer();
    const { database, store } = server;
    const { changelog } = database;
    await server.put('logger-start');
    const { lastTick, events, bytes } = changelog.state;
    await store.commit((tx) => {
      const removed = { after: 0n, lastTick, upTo: lastTick, events, bytes };
      changelog.noteRemoved(tx, { ...removed, firstTick: 0n });
    });
    const reads = vi.spyOn(changelog, 'readPage');
    const answer = await server.get('logger-follow?wait=0.2');
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      'x-arango-replication-lastscanned': lastTick.toString(),
      'x-arango-replication-frompresent': 'false',
    });
    expect(reads).toHaveBeenCalledTimes(1);
    expect((await server.get('logger-first-tick')).json).toEqual({ firstTick: null });
    expect((await server.get('logger-tick-ranges')).text).toBe('[]');
  });
});
