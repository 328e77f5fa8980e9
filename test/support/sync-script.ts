import { LeaderScript, type ScriptAnswer, json, loggerState, page } from './leader-script.ts';
import { SyncFollower, keysOf } from './sync-follower.ts';
import { expect } from 'vitest';

/** What all collections of the tests have in common. */
export const PARAMETERS = { type: 2, version: 4, deleted: false };

/** A collection of an inventory. */
export interface Listed {
  readonly parameters: object;
  readonly indexes: readonly object[];
  readonly ticklog?: object;
}

/** The collection the leader has unless told otherwise. */
export const ORDERS: Listed = {
  parameters: { ...PARAMETERS, cid: '501', name: 'orders' },
  indexes: [],
};

/** A page of the log of 1.4, of one event or none. */
export function logFrom(tick: number | undefined): ScriptAnswer {
  const headers = { 'x-arango-replication-lasttick': '1000' };
  return page(tick === undefined ? [] : [`{"tick":"${tick}","type":1001,"lastTick":"0"}`], {
    headers,
  });
}

/** Headers of a page that our own leader wrote in this run. */
export function inRun(
  id: string,
  headers: Readonly<Record<string, string>> = {},
): {
  headers: Record<string, string>;
} {
  return { headers: { 'x-ticklog-incarnation': id, ...headers } };
}

/** An inventory of a leader whose log is at tick 1000, and its last commit at 1001. */
export function inventory(...collections: Listed[]): ScriptAnswer {
  return json({ collections, state: { running: true, lastLogTick: '1000' }, tick: '1001' });
}

/** A dump line of 1.4. */
export function line(tick: number, key: string, rest = ''): string {
  const head = `{"tick":"${tick}","type":2300,"key":"${key}","rev":"${tick}"`;
  return `${head},"data":{"_key":"${key}","_rev":"${tick}"${rest}}}`;
}

/** What our own leader says of itself. */
export function ticklogState(ids: readonly string[], foundTick = '0'): ScriptAnswer {
  return json({
    state: { running: true, lastLogTick: '1000' },
    server: {
      version: '1.4.3',
      serverId: '4711',
      incarnations: ids.map((id) => ({ id, firstTick: '1', foundTick })),
    },
    clients: [],
  });
}

/** A leader and a follower of it. */
export interface Scripted extends AsyncDisposable {
  readonly script: LeaderScript;
  readonly follower: SyncFollower;
}

/** A 1.4 leader with one collection, and a follower that has an old one of the same name. */
export async function openScripted(...listed: Listed[]): Promise<Scripted> {
  const script = await LeaderScript.open();
  script
    .always('GET logger-state', loggerState())
    .always('POST batch', json({ id: '77' }))
    .always('PUT batch/77', { status: 204 })
    .always('DELETE batch/77', { status: 204 })
    .always('GET inventory', inventory(...(listed.length > 0 ? listed : [ORDERS])))
    .always('GET logger-follow', logFrom(1));
  const follower = await SyncFollower.open(script);
  const { collections, documents } = follower.core;
  const old = await collections.create(follower.database, { name: 'orders' });
  await documents.insert(follower.database, old, '{"_key":"old"}');
  return {
    script,
    follower,
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await script[Symbol.asyncDispose]();
    },
  };
}

/** The sync fails with this number, and nothing has changed but what it may go on with. */
export async function expectRefused(
  { script, follower }: Scripted,
  errorNum: number,
): Promise<void> {
  await expect(follower.sync()).rejects.toMatchObject({ errorNum });
  expect(await keysOf(follower.core, 'orders')).toEqual(['old']);
  if (script.seen('POST batch').length > 0) {
    expect(script.seen('DELETE batch')).toHaveLength(script.seen('POST batch').length);
  }
}
