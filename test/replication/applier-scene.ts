import { onTestFinished } from 'vitest';
import { LeaderScript, type ScriptAnswer, json, page } from '../support/leader-script.ts';
import { documentsOf } from '../support/sync-follower.ts';
import { ApplierFollower, type FollowerOptions, type SeenState } from './applier-follower.ts';

/** The request for a page of the log. */
export const FOLLOW = 'GET logger-follow';
/** The request that a run begins with. */
export const STATE = 'GET logger-state';

export interface Scene {
  readonly script: LeaderScript;
  readonly follower: ApplierFollower;
  readonly start: (from?: bigint, config?: Record<string, unknown>) => Promise<void>;
}

/** A scripted leader, and a follower with the collection `c` of id 77. */
export async function openScene(options: FollowerOptions = {}): Promise<Scene> {
  const script = await LeaderScript.open();
  const follower = await ApplierFollower.open(options);
  onTestFinished(async () => {
    await follower[Symbol.asyncDispose]();
    await script[Symbol.asyncDispose]();
  });
  await follower.core.collections.createWith(follower.database, {
    version: 4,
    type: 2,
    cid: '77',
    deleted: false,
    doCompact: true,
    maximalSize: 1_048_576,
    name: 'c',
    isVolatile: false,
    waitForSync: false,
  });
  return {
    script,
    follower,
    start: (from, config) => follower.follow(script.endpoint, from, config),
  };
}

/** A 2300 of the collection `c`. */
export function put(tick: number, key: string): string {
  const document = { _key: key, _rev: String(tick), tick };
  const line = { type: 2300, cid: '77', cname: 'c', key, rev: String(tick), data: document };
  return JSON.stringify({ tick: String(tick), ...line });
}

/** What a page says of itself. */
export interface PageOptions {
  readonly lastTick: number;
  readonly checkMore?: boolean;
  readonly ticklog?: boolean;
  readonly lastIncluded?: number;
  readonly headers?: Record<string, string>;
}

/** A page of the log. */
export function log(lines: readonly string[], options: PageOptions): ScriptAnswer {
  const { lastTick, lastIncluded, headers, ...rest } = options;
  return page(lines, {
    ...rest,
    ...(lastIncluded === undefined ? {} : { lastIncluded: String(lastIncluded) }),
    headers: { 'x-arango-replication-lasttick': String(lastTick), ...headers },
  });
}

/** Nothing new; a ticklog leader holds the request for a moment. */
export function idle(lastTick: number, headers: Record<string, string> = {}): ScriptAnswer {
  return { ...log([], { lastTick, lastIncluded: 0, headers }), delayMs: 20 };
}

/** One run of a ticklog leader. */
export interface Run {
  readonly id: string;
  readonly firstTick: string;
  readonly foundTick: string;
}

/** logger-state of a ticklog leader that has had these runs. */
export function ticklogState(runs: readonly Run[], serverId = '4711'): ScriptAnswer {
  return json({
    state: { running: true, lastLogTick: '1000', totalEvents: 1, time: '2020-01-01T00:00:00Z' },
    server: { version: '1.4.3', serverId, incarnations: runs },
    clients: [],
  });
}

/** A run that found a store with this last tick. */
export function run(id: string, foundTick: number): Run {
  return { id, firstTick: String(foundTick + 100), foundTick: String(foundTick) };
}

/** Keys of the collection `c` of the follower. */
export async function keys({ follower }: Scene): Promise<string[]> {
  const { store } = follower.core;
  return Object.keys(await documentsOf(store, follower.database.get('c')));
}

/** Whether everything up to a tick is applied. */
export function applied(tick: number): (state: SeenState) => boolean {
  return ({ lastAppliedContinuousTick }) => lastAppliedContinuousTick === String(tick);
}
