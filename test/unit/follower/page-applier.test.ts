import { describe, expect, test } from 'vitest';
import { Restriction } from '../../../src/follower/restriction.ts';
import {
  START,
  PageFollower,
  created,
  ddl,
  del,
  errorNum,
  put,
  uniqueIndex,
} from './page-follower.ts';

describe.each([
  ['a verified page', true],
  ['a page of any leader', false],
])('%s', (_what, verified) => {
  test('is applied with its position, and both survive a restart', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([put(1001, 'a', 1), put(1002, 'b', 'ü'), del(1003, 'a')], { verified });
    await follower.restart();
    expect(await follower.content()).toEqual({ b: 'ü' });
    expect(follower.applier.checkpoint).toMatchObject({
      appliedTick: 1003n,
      processedTick: 1003n,
    });
  });

  test('keeps revisions, and pushes the own counter above the numeric ones and the ticks', async () => {
    await using follower = await PageFollower.open();
    const { store } = follower.core;
    const high = 2n ** 62n;
    await follower.apply(
      [put(1001, 'a', 1, { rev: '_aBc---' }), put(1002, 'b', 1, { rev: high.toString() })],
      { verified },
    );
    expect(store.readLine(follower.c.number, 'a')?.pointer.rev).toBe('_aBc---');
    expect(await store.drawTick()).toBeGreaterThan(high);
  });

  test('applied twice changes nothing', async () => {
    await using follower = await PageFollower.open();
    const lines = [put(1001, 'a', 1), del(1002, 'a'), put(1003, 'a', 2)];
    await follower.apply(lines, { verified });
    const before = follower.c.stats;
    await follower.apply(lines, { verified });
    expect(follower.c.stats).toEqual(before);
    expect(follower.applier.figures.events).toBe(3);
  });

  test('is found by the id of the collection first, by its name when the id is unknown', async () => {
    await using follower = await PageFollower.open();
    await follower.apply(
      [
        put(1001, 'a', 'by id', { cname: 'e' }),
        put(1002, 'b', 'by name', { cid: '12345', cname: 'c' }),
      ],
      { verified },
    );
    expect(await follower.content()).toEqual({ a: 'by id', b: 'by name' });
  });

  test('stops at the line of an unknown collection; what stands before it is applied', async () => {
    await using follower = await PageFollower.open();
    const lines = [
      put(1001, 'a', 1),
      put(1002, 'x', 1, { cid: '5', cname: 'gone' }),
      put(1003, 'b', 1),
    ];
    await expect(follower.apply(lines, { verified })).rejects.toThrow(
      'collection not found, offending marker: {"tick":"1002","type":2300,"cid":"5"',
    );
    expect(await follower.content()).toEqual({ a: 1 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
    expect(follower.applier.failedTick).toBe(1002n);
  });

  test('goes on over as many failing events as it may, and stops at the next', async () => {
    await using follower = await PageFollower.open({ ignoreErrors: 2 });
    const bad = (tick: number): string => put(tick, 'x', 1, { cid: '5', cname: 'gone' });
    await follower.apply([bad(1001), put(1002, 'a', 1), bad(1003)], { verified });
    expect(follower.applier.checkpoint.processedTick).toBe(1003n);
    await expect(follower.apply([put(1004, 'b', 1), bad(1005)], { verified })).rejects.toThrow(
      errorNum(1203),
    );
    expect(await follower.content()).toEqual({ a: 1, b: 1 });
  });

  test('of collections that are not followed is counted and passed over', async () => {
    const restriction = new Restriction('exclude', ['e'], true);
    await using follower = await PageFollower.open({ restriction });
    const other = { cid: '78', cname: 'e' };
    const users = { cid: '79', cname: '_users' };
    await follower.apply(
      [
        put(1001, 'a', 1),
        put(1002, 'x', 1, other),
        del(1003, 'x', users),
        created(1004, '79', '_users'),
      ],
      { verified },
    );
    expect(follower.applier.figures).toEqual({
      ...{ events: 4, excluded: 3, documents: 1, removals: 0 },
    });
    expect(follower.core.system.byName('_users')).toBeUndefined();
    expect(follower.applier.checkpoint.processedTick).toBe(1004n);
  });

  test('moves the position up to what was looked at, also without lines', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([put(1001, 'a', 1)], { verified, scannedTo: 1500n });
    expect(follower.applier.checkpoint).toMatchObject({ appliedTick: 1500n, processedTick: 1500n });
    await follower.apply([], { verified, scannedTo: 1600n });
    await follower.restart();
    expect(follower.applier.checkpoint).toMatchObject({ appliedTick: 1600n, processedTick: 1600n });
  });

  test('longer than a step is applied whole and in order', async () => {
    await using follower = await PageFollower.open();
    const text = 'x'.repeat(20_000);
    const lines = Array.from({ length: 200 }, (_, i) =>
      put(1001 + i, `k${i % 70}`, text + String(i)),
    );
    await follower.apply(lines, { verified });
    expect(follower.c.stats.count).toBe(70);
    expect((await follower.content())['k59']).toBe(`${text}199`);
  });

  test('with a unique value that another document holds here removes that one first', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([put(1001, 'old', 7), uniqueIndex(1002), put(1003, 'new', 7)], {
      verified,
    });
    expect(await follower.content()).toEqual({ new: 7 });
    expect(follower.c.stats.count).toBe(1);
  });

  test.each([0, 1])(
    'of more documents in the way than may be removed removes none; %i such lines are ignored',
    async (ignoreErrors) => {
      await using follower = await PageFollower.open({ ignoreErrors });
      const fields = Array.from({ length: 11 }, (_, i) => `f${i}`);
      const indexes = fields.map((field, i) =>
        ddl(1001 + i, 2100, {
          index: { id: String(500 + i), type: 'hash', unique: true, fields: [field] },
        }),
      );
      const doc = (tick: number, key: string, values: Record<string, unknown>): string =>
        JSON.stringify({
          tick: String(tick),
          type: 2300,
          cid: '77',
          cname: 'c',
          key,
          rev: String(tick),
          data: { _key: key, _rev: String(tick), ...values },
        });
      const holders = fields.map((field, i) => doc(1100 + i, `h${i}`, { [field]: 1 }));
      const all = Object.fromEntries(fields.map((field) => [field, 1]));
      await follower.apply([...indexes, ...holders], { verified });
      const held = Object.keys(await follower.content()).sort();
      expect(held).toHaveLength(11);
      const applied = follower.apply(
        [put(1198, 'before', 1), doc(1200, 'new', all), put(1201, 'after', 1)],
        { verified },
      );
      if (ignoreErrors === 0) await expect(applied).rejects.toThrow(errorNum(1210));
      else await applied;
      const more = ignoreErrors === 0 ? ['before'] : ['after', 'before'];
      expect(Object.keys(await follower.content()).sort()).toEqual([...more, ...held]);
      const tick = ignoreErrors === 0 ? 1198n : 1201n;
      expect(follower.applier.checkpoint.processedTick).toBe(tick);
      await follower.restart();
      expect(Object.keys(await follower.content()).sort()).toEqual([...more, ...held]);
    },
  );

  test('with an edge for a document collection stops, and the other way round', async () => {
    await using follower = await PageFollower.open();
    const edge = put(1001, 'a', 1).replace('2300', '2301');
    await expect(follower.apply([edge], { verified })).rejects.toThrow(errorNum(1218));
    const plain = put(1002, 'a', 1, { cid: '78', cname: 'e' });
    await expect(follower.apply([plain], { verified })).rejects.toThrow(errorNum(1218));
  });
});

describe('a page that is damaged', () => {
  test.each([
    ['no JSON', '{foo', 600],
    ['no line', '[]', 1401],
    ['an unknown event', '{"tick":"1002","type":4711}', 1406],
    ['no tick', '{"type":2302,"cid":"77","cname":"c","key":"a","rev":"1"}', 1401],
    ['no key', '{"tick":"1002","type":2302,"cid":"77","cname":"c","rev":"1"}', 1401],
    ['an illegal key', put(1002, 'a/b', 1), 1221],
    ['a tick beyond 2^63', put(1002, 'a', 1).replace('1002', '9999999999999999999'), 10],
    ['a revision beyond 2^63', put(1002, 'a', 1, { rev: '18446744073709551615' }), 10],
  ])('by %s stops there, whatever may be ignored', async (_what, line, num) => {
    await using follower = await PageFollower.open({
      ignoreErrors: num === 1221 || num === 10 ? 0 : 5,
    });
    const page = [put(1001, 'first', 1), line];
    await expect(follower.apply(page)).rejects.toThrow(errorNum(num));
    expect(await follower.content()).toEqual({ first: 1 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
  });

  test('by bytes that are no UTF-8 is refused whole', async () => {
    await using follower = await PageFollower.open();
    const body = Buffer.concat([Buffer.from(put(1001, 'a', 1)), Buffer.from([0xff, 0x0a])]);
    const signal = new AbortController().signal;
    await expect(
      follower.applier.apply({ body, verified: false, scannedTo: 0n }, signal),
    ).rejects.toThrow(errorNum(1401));
  });

  test('after good lines loses none of them', async () => {
    await using follower = await PageFollower.open();
    await expect(follower.apply([put(1001, 'a', 1), '{foo'])).rejects.toThrow(errorNum(600));
    expect(await follower.content()).toEqual({ a: 1 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
  });
});

test('an abort ends it between steps; the position says how far it came', async () => {
  await using follower = await PageFollower.open();
  const abort = new AbortController();
  const text = 'x'.repeat(100_000);
  const lines = Array.from({ length: 100 }, (_, i) => `${put(1001 + i, `k${i}`, text)}\n`);
  const applied = follower.applier.apply(
    { body: Buffer.from(lines.join('')), verified: true, scannedTo: 5000n },
    abort.signal,
  );
  abort.abort();
  await applied;
  const { processedTick } = follower.applier.checkpoint;
  expect(processedTick).toBeLessThan(1100n);
  expect(follower.c.stats.count).toBe(Number(processedTick - START));
});

test('a document keeps the spelling of its numbers and loses its _id', async () => {
  await using follower = await PageFollower.open();
  const line =
    '{"tick":"1001","type":2300,"cid":"77","cname":"c","data":' +
    '{"n":12345678901234567890,"_id":"c/a","_key":"a","_rev":"999","f":1.50}}';
  await follower.apply([line]);
  const stored = follower.core.store.readLine(follower.c.number, 'a')?.line ?? '';
  expect(stored).toContain('{"_key":"a","_rev":"999","n":12345678901234567890,"f":1.50}');
});

test('edges of 3.x, which come as 2300, are edges here', async () => {
  await using follower = await PageFollower.open();
  const line =
    '{"tick":"1001","type":2300,"tid":"0","database":"1","cid":"78","cname":"e","data":' +
    '{"_id":"e/x","_key":"x","_rev":"9","_from":"c/a","_to":"c/b","v":1}}';
  await follower.apply([line]);
  const stored = follower.core.store.readLine(follower.core.system.get('e').number, 'x');
  expect(stored?.line).toContain('"type":2301');
  expect(stored?.line).toContain('"_from":"c/a","_to":"c/b","v":1}');
});
