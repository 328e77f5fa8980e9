import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import type { Clock } from '../base/clock.ts';
import { includesRight } from '../model/right.ts';
import { secondsParam } from '../protocol/params.ts';
import { type ApiRouter, type Context, apiRouter } from './context.ts';
import { sendResult } from './respond.ts';
import type { Sampler } from './sampler.ts';

const YEARS_10000_SECONDS = 253_402_300_800;

/**
 * GET `/_admin/overview`: in one answer what a person wants to know of a database besides the states of logger and
 * applier: who asks and what he may, how much the log holds, and the collections with what they hold.
 *
 * @param options.version of this program
 */
export function overviewRoutes(
  deps: { readonly clock: Clock; readonly serverId: string },
  options: { readonly version: string },
): ApiRouter {
  const startedMs = performance.now();
  const router = apiRouter('/_admin/overview');
  router.get('/', (ctx) => {
    const { database } = ctx.state;
    const uptime = (performance.now() - startedMs) / 1000;
    const time = deps.clock.nowMs() / 1000;
    sendResult(ctx, 200, {
      server: { id: deps.serverId, version: options.version, uptime, time },
      database: database.name,
      ...callerOf(ctx, database),
      log: logOf(database),
      collections: database.collections.map(collectionOf),
      works: database.collections.flatMap(({ cid, name, works }) =>
        works.numbers.map((work) => ({ collection: { id: cid, name }, ...work })),
      ),
    });
  });
  return router;
}

/** GET `/_admin/history[?since=<seconds since 1970>]`: the last minutes of a database, for plots. */
export function historyRoutes(sampler: Sampler): ApiRouter {
  const router = apiRouter('/_admin/history');
  router.get('/', (ctx) => {
    const sinceMs = secondsParam(ctx.query, 'since', YEARS_10000_SECONDS);
    const { times, series } = sampler.history(ctx.state.database, sinceMs);
    sendResult(ctx, 200, {
      interval: sampler.intervalMs / 1000,
      capacity: sampler.capacity,
      times: times.map((ms) => ms / 1000),
      series,
    });
  });
  return router;
}

/** Where nobody is asked who he is, everybody may write. */
function callerOf(ctx: Context, database: Database): { user: string | null; mayWrite: boolean } {
  const { caller } = ctx.state;
  if (!caller) return { user: null, mayWrite: true };
  return { user: caller.user.name, mayWrite: includesRight(caller.rightTo(database.name), 'rw') };
}

function logOf({ changelog }: Database): object {
  const { events, bytes, firstTick, lastTick } = changelog.state;
  return {
    ...{ events, bytes, firstTick: firstTick.toString(), lastTick: lastTick.toString() },
    completeFrom: changelog.completeFrom.toString(),
  };
}

function collectionOf({ cid, name, type, isSystem, stats, indexDefinitions }: Collection): object {
  const { count, bytes, entries, dead } = stats;
  // Every collection has an index of its keys.
  const indexes = indexDefinitions.length + 1;
  return { id: cid, name, type, isSystem, count, bytes, entries, dead, indexes };
}
