import { describe, expect, test } from 'vitest';
import { LiveServer } from '../support/live-server.ts';

interface Pair extends AsyncDisposable {
  readonly leader: LiveServer;
  readonly follower: LiveServer;
}

/** A leader with the collection `aa`, and a follower that has it and is set to follow. */
async function openPair(): Promise<Pair> {
  const leader = await LiveServer.start();
  const follower = await LiveServer.start();
  await leader.create('aa');
  await leader.put('aa', 'first');
  await follower.configure(leader);
  await follower.sync(leader);
  return {
    ...{ leader, follower },
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await leader[Symbol.asyncDispose]();
    },
  };
}

function unique(field: string): Record<string, unknown> {
  return { type: 'hash', fields: [field], unique: true };
}

async function dropIndexes({ leader: { api } }: Pair, collection: string): Promise<void> {
  const path = `/_api/index?collection=${collection}`;
  const { indexes } = (await api.http.json('GET', path)) as { indexes: { id: string }[] };
  for (const { id } of indexes.slice(1)) await api.http.json('DELETE', `/_api/index/${id}`);
}

async function expectFollows({ leader, follower }: Pair): Promise<void> {
  await follower.follow(leader);
  expect(await follower.differences(leader)).toEqual([]);
}

const OF_AA = { restrictType: 'include', restrictCollections: ['aa'] } as const;

describe('a copy of a part, which leaves the position of the applier behind it', () => {
  test('is not written over with what the log said of it before', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.api.createIndex('aa', unique('u'));
    await leader.api.insert('aa', '{"_key":"a","u":1}');
    await dropIndexes(pair, 'aa');
    // Now an index as there was one would be violated.
    await leader.api.insert('aa', '{"_key":"b","u":1}');
    await follower.sync(leader, OF_AA);
    await leader.put('aa', 'later');
    await expectFollows(pair);
  });

  test('loses no document to one that was there before an index was', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.api.insert('aa', '{"_key":"stays","u":1}');
    await expectFollows(pair);
    await leader.api.insert('aa', '{"_key":"passes","u":1}');
    await leader.api.remove('aa', 'passes');
    await leader.api.createIndex('aa', unique('u'));
    await follower.sync(leader, OF_AA);
    await expectFollows(pair);
  });

  test('holds of a collection that is renamed later, and after a restart', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.api.createIndex('aa', unique('u'));
    await dropIndexes(pair, 'aa');
    await leader.api.insert('aa', '{"_key":"a","u":1}');
    await leader.api.insert('aa', '{"_key":"b","u":1}');
    const from = await leader.api.lastLogTick();
    await follower.sync(leader, OF_AA);
    await leader.rename('aa', 'zz');
    await follower.restart();
    await expectFollows(pair);
    await follower.follow(leader, from - 100n);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('puts nothing out of its place for good', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('bb');
    await leader.put('bb', 'second');
    await expectFollows(pair);
    await leader.put('aa', 'k');
    await leader.rename('bb', 'cc');
    await leader.rename('aa', 'bb');
    await leader.create('aa');
    await leader.put('cc', 'unread');
    expect(await follower.sync(leader, OF_AA)).toEqual(['aa']);
    await leader.put('cc', 'later');
    await expectFollows(pair);
  });

  test('leaves what it puts out of its place to the log, which drops it', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.rename('aa', 'bb');
    await leader.put('bb', 'k');
    await leader.drop('bb');
    await leader.create('aa');
    await follower.sync(leader, OF_AA);
    await expectFollows(pair);
  });

  test('lets in what had the name of a copy for a while', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('bb');
    await leader.put('bb', 'k');
    await leader.rename('bb', 'cc');
    await leader.rename('aa', 'dd');
    await leader.rename('cc', 'aa');
    await leader.put('aa', 'l');
    await leader.rename('aa', 'bb');
    await leader.rename('dd', 'aa');
    await follower.sync(leader, OF_AA);
    await expectFollows(pair);
  });

  test('puts out of its place what no applier would go on with', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    await leader.create('aa');
    await follower.sync(leader, OF_AA);
    await leader.rename('aa', 'bb');
    await leader.create('aa');
    expect(await follower.sync(leader, OF_AA)).toEqual(['aa']);
    expect(await follower.names()).toEqual(['aa']);
  });
});

describe('a log that is read a second time', () => {
  test('does not cost a document that was there before the index it is now in the way of', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.api.insert('aa', '{"_key":"stays","u":1}');
    const from = await leader.api.lastLogTick();
    await leader.api.insert('aa', '{"_key":"passes","u":1}');
    await leader.api.remove('aa', 'passes');
    await leader.api.createIndex('aa', unique('u'));
    await expectFollows(pair);
    await follower.api.startApplier(from.toString());
    expect(await follower.stopped()).toMatchObject({
      errorNum: 1414,
      errorMessage: expect.stringMatching(/sync anew: unique constraint .* offending/) as string,
    });
    expect(await follower.api.count('aa')).toBe(2);
    await follower.sync(leader);
    await expectFollows(pair);
  });

  test('takes away what comes again later', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.api.createIndex('aa', unique('u'));
    const from = await leader.api.lastLogTick();
    await leader.api.insert('aa', '{"_key":"passes","u":1}');
    await leader.api.remove('aa', 'passes');
    await leader.api.insert('aa', '{"_key":"stays","u":1}');
    await expectFollows(pair);
    await follower.restart();
    await follower.follow(leader, from);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('with an index that does not fit any more, is copied anew where autoResync says so', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    const from = await leader.api.lastLogTick();
    await leader.api.createIndex('aa', unique('u'));
    await dropIndexes(pair, 'aa');
    await leader.api.insert('aa', '{"_key":"a","u":1}');
    await leader.api.insert('aa', '{"_key":"b","u":1}');
    await expectFollows(pair);
    await follower.configure(leader, { autoResync: true });
    await follower.follow(leader, from);
    expect(await follower.differences(leader)).toEqual([]);
  });
});
