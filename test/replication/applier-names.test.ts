import { describe, expect, test } from 'vitest';
import { LiveServer } from '../support/live-server.ts';

interface Pair extends AsyncDisposable {
  readonly leader: LiveServer;
  readonly follower: LiveServer;
}

/** A leader, and a follower that is configured, and empty as the leader is. */
async function openPair(config: Record<string, unknown> = {}): Promise<Pair> {
  const leader = await LiveServer.start();
  const follower = await LiveServer.start();
  await follower.configure(leader, config);
  return {
    leader,
    follower,
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await leader[Symbol.asyncDispose]();
    },
  };
}

/** The follower does not see what happens on the leader meanwhile. */
async function unseen({ leader, follower }: Pair, happen: () => Promise<unknown>): Promise<void> {
  await follower.follow(leader);
  await happen();
  // As an operator does who passes over a part of the log.
  await follower.follow(leader, await leader.api.lastLogTick());
}

describe('a name that a collection has lost on the leader', () => {
  test.each([
    ['of the same type', 2],
    ['of another type', 3],
  ])('is given to the new one %s, with nothing of the old one in it', async (_what, type) => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('orders');
    await leader.put('orders', 'old');
    await follower.sync(leader);
    await unseen(pair, () => leader.drop('orders'));
    expect(await follower.names()).toEqual(['orders']);
    await leader.create('orders', type);
    if (type === 3) await leader.putEdge('orders', 'new');
    else await leader.put('orders', 'new');
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('is given to one that is renamed to it', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('live');
    await leader.put('live', 'old');
    await leader.create('next');
    await leader.put('next', 'new');
    await follower.sync(leader);
    await unseen(pair, () => leader.drop('live'));
    await leader.rename('next', 'live');
    await leader.put('live', 'newer');
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('does not lead documents of the new one into the old one: the applier stops with 1203', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('orders');
    await leader.put('orders', 'old');
    await follower.sync(leader);
    await unseen(pair, async () => {
      await leader.drop('orders');
      await leader.create('orders');
    });
    await leader.put('orders', 'new');
    await follower.api.startApplier();
    const id = (await leader.idOf('orders')) ?? '';
    expect(await follower.stopped()).toMatchObject({
      errorNum: 1203,
      errorMessage: expect.stringContaining(
        `'orders', id ${id}, of the leader is not here`,
      ) as string,
    });
    expect(await follower.api.count('orders')).toBe(1);
    await follower.sync(leader);
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('is told to those who follow the follower as a drop and a creation', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await using third = await LiveServer.start();
    await follower.api.http.json(
      'PUT',
      '/_api/replication/logger-config',
      '{"logRemoteChanges":true}',
    );
    await leader.create('orders');
    await leader.put('orders', 'old');
    await follower.sync(leader);
    await third.configure(follower);
    await third.sync(follower);
    await unseen(pair, () => leader.drop('orders'));
    await leader.create('orders', 3);
    await follower.follow(leader);
    await third.follow(follower);
    expect(await third.differences(leader)).toEqual([]);
  });
});

describe('a name that the follower has given to a collection of its own', () => {
  test.each<[string, (pair: Pair) => Promise<void>]>([
    ['a new collection', ({ leader }) => leader.create('orders').then(() => undefined)],
    ['a rename', ({ leader }) => leader.rename('before', 'orders')],
  ])(
    'stops the applier with 1207 at %s, and it goes on once the name is free',
    async (_what, take) => {
      await using pair = await openPair();
      const { leader, follower } = pair;
      await leader.create('before');
      await follower.sync(leader);
      const own = await follower.create('orders');
      await follower.put('orders', 'own');
      await take(pair);
      await leader.put('orders', 'theirs');
      await follower.api.startApplier();
      const { errorNum, errorMessage } = await follower.stopped();
      expect(errorNum).toBe(1207);
      expect(errorMessage).toContain(
        `another collection 'orders', id ${own}, with 1 document here,`,
      );
      expect(errorMessage).toContain('rename or drop');
      expect(await follower.api.count('orders')).toBe(1);
      await follower.rename('orders', 'own');
      await follower.follow(leader);
      expect(await follower.names()).toContain('own');
      await follower.drop('own');
      expect(await follower.differences(leader)).toEqual([]);
    },
  );

  test.each([
    ['of the same type', 2],
    ['of another type', 3],
  ])('is taken from an empty one %s, whose indexes are not the leader’s', async (_what, type) => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await follower.sync(leader);
    await follower.create('orders', type);
    await follower.api.createIndex('orders', { type: 'hash', fields: ['of'], unique: true });
    await leader.create('orders');
    await leader.put('orders', 'a', 'b');
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('is not taken from a copy of another leader', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await using other = await LiveServer.start();
    await other.create('orders');
    await other.put('orders', 'a');
    await follower.sync(other);
    await follower.sync(leader);
    await leader.create('orders');
    await follower.api.startApplier();
    const { errorNum, errorMessage } = await follower.stopped();
    expect(errorNum).toBe(1207);
    expect(errorMessage).toContain('of another leader');
    expect(await follower.api.count('orders')).toBe(1);
  });
});

describe('a log that is replayed from an earlier place', () => {
  /** Replays all of it, twice. */
  async function expectReplayed({ leader, follower }: Pair, from: bigint): Promise<void> {
    expect(await follower.differences(leader)).toEqual([]);
    for (let times = 0; times < 2; times++) {
      await follower.follow(leader, from);
      expect(await follower.differences(leader)).toEqual([]);
    }
  }

  async function begun(pair: Pair): Promise<bigint> {
    const { leader, follower } = pair;
    await follower.sync(leader);
    await leader.create('first');
    const from = await leader.api.lastLogTick();
    await leader.put('first', 'a');
    return from;
  }

  test('changes nothing when a name went from one to another and to a third, of another type', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    const from = await begun(pair);
    for (const type of [2, 3]) {
      await leader.create('orders', type);
      if (type === 3) await leader.putEdge('orders', 'passing');
      else await leader.put('orders', 'passing');
      await leader.api.createIndex('orders', { type: 'hash', fields: ['of'] });
      await leader.drop('orders');
    }
    await leader.create('orders');
    await leader.put('orders', 'last');
    await follower.follow(leader);
    await expectReplayed(pair, from);
  });

  test.each<[string, (pair: Pair) => Promise<void>]>([
    ['the applier has', ({ leader, follower }) => follower.follow(leader)],
    ['a sync has', ({ leader, follower }) => follower.sync(leader).then(() => undefined)],
  ])('passes over what %s dropped since', async (_what, catchUp) => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('gone');
    const from = await begun(pair);
    await follower.follow(leader);
    await leader.put('gone', 'a');
    await leader.api.createIndex('gone', { type: 'hash', fields: ['of'] });
    await leader.rename('gone', 'going');
    await leader.put('going', 'b');
    await leader.api.truncate('going');
    await leader.drop('going');
    await catchUp(pair);
    await follower.restart();
    await expectReplayed(pair, from);
  });

  test('of a leader put back to a backup is not taken for one that was read already', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('there');
    await follower.sync(leader);
    await leader.backUp();
    await follower.configure(leader);
    await leader.drop('there');
    for (let i = 0; i < 20; i++) await leader.create(`lost${i}`);
    await follower.follow(leader);
    await leader.putBack();
    await follower.configure(leader);
    const from = await leader.api.lastLogTick();
    await leader.put('there', 'a');
    // As an operator does who has not understood.
    await follower.api.startApplier(from.toString());
    expect(await follower.stopped()).toMatchObject({ errorNum: 1203 });
  });

  test('loses nothing of collections that have exchanged their names', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('live');
    await leader.create('next');
    await leader.put('live', 'first');
    await leader.put('next', 'second');
    const from = await begun(pair);
    await leader.rename('live', 'aside');
    await leader.put('aside', 'x');
    await leader.rename('next', 'live');
    await leader.rename('aside', 'next');
    await leader.put('live', 'y');
    await follower.follow(leader);
    await expectReplayed(pair, from);
  });

  test('loses nothing of one that got the name of another that came and went', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await leader.create('old');
    await leader.put('old', 'before');
    const from = await begun(pair);
    await leader.create('name');
    await leader.put('name', 'passing');
    await leader.api.createIndex('name', { type: 'hash', fields: ['of'] });
    await leader.drop('name');
    await leader.rename('old', 'name');
    await follower.follow(leader);
    await expectReplayed(pair, from);
  });
});
