import type { ServerResponse } from 'node:http';
import type { Database } from '../documents/database.ts';
import type { FollowPage } from '../leader/follow.ts';
import type { Leader } from '../leader/leader.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { MAX_WIRE_TICK, type Tick, parseTick } from '../model/tick.ts';
import { errorBody } from '../protocol/error-body.ts';
import { type FeedFormat, feedFailure, feedHeartbeat } from '../protocol/feed.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import {
  type Query,
  booleanParam,
  secondsParam,
  textParam,
  tickParam,
} from '../protocol/params.ts';
import type { Exchange } from './context.ts';
import { type PageAnswerOptions, whileConnected } from './replication-answer.ts';
import { sendHead } from './respond.ts';
import { watchReader } from './slow-reader.ts';

/** Read, printed and sent in one piece, in bytes of log; a larger line is a piece of its own. */
const PIECE_BYTES = 128 * 1024;
/** How long nothing is said while there is no news, unless the request says it. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT_MIN_MS = 100;
const HEARTBEAT_MAX_SECONDS = 60;
/** How often it is looked whether the reader may still read, at most; with each heartbeat at least. */
const RECHECK_MS = 1000;
/** What `from` is for those who want no more than what comes. */
const NOW = 'now';

const FORMATS: ReadonlyMap<string, FeedFormat> = new Map([
  ['text/event-stream', 'events'],
  ['application/x-ndjson', 'ndjson'],
]);
const NOT_WANTED = /;\s*q=0(?:\.0*)?\s*$/;

/** In which format a client wants a feed: the first that it accepts; undefined for one that has named none. */
export function feedFormatOf(accept: string | undefined): FeedFormat | undefined {
  if (accept === undefined || accept === '*/*') return undefined;
  for (const range of accept.split(',')) {
    const format = FORMATS.get(range.split(';', 1)[0]?.trim().toLowerCase() ?? '');
    if (format && !NOT_WANTED.test(range)) return format;
  }
  return undefined;
}

/**
 * Answers the log without end: what there is after the client's place, and then what comes, until the client goes,
 * the server stops, or `to` is passed. The place is `Last-Event-ID`, else `from`: a tick, or `now`; without
 * one the feed begins where the log does. No more than one piece is in memory, and the next one is read when that
 * has been taken.
 *
 * What ends it early is told as the last event: the place was lost (410), the database dropped (404), the reader's right
 * taken (401, 403), the data damaged.
 *
 * @throws ServiceError startTickNotPresent with status 410, `firstTick` and `resumeFrom`, where events after the place are
 *   gone; badParameter for what is no tick or no time; httpBadParameter for an event id that is none, and for a range
 *   that cannot be; collectionNotFound naming the collection
 */
export async function answerFeed(
  leader: Leader,
  ctx: Exchange,
  format: FeedFormat,
  options: PageAnswerOptions,
): Promise<void> {
  const { query } = ctx;
  const { database } = ctx.state;
  const to = feedTick(query, 'to') ?? MAX_WIRE_TICK;
  const from = placeOf(ctx, database);
  if (to === 0n || from > to) {
    throw new ServiceError('httpBadParameter', 'invalid from/to values');
  }
  const waitMs = heartbeatOf(query);
  const collection = textParam(query, 'collection');
  if (collection !== undefined && !database.find(collection)) {
    throw new ServiceError('collectionNotFound', `collection not found: '${collection}'`);
  }
  const read = leader.follow.reader(database, {
    ...{ to, waitMs, chunkSize: PIECE_BYTES, shape: format },
    includeSystem: booleanParam(query, 'includeSystem', true),
    collection,
    serverId: tickParam(query, 'serverId', 0n),
    firstRegularTick: 0n,
    openTransactions: new Set<Tick>(),
  });
  if (!database.changelog.holds(from)) throw placeLost(database, from);
  const stream = new FeedStream(
    { ctx, read },
    { format, from, to, heartbeatMs: waitMs, ...options },
  );
  await whileConnected(ctx, (signal) => stream.send(signal));
}

/** @throws ServiceError httpBadParameter */
function placeOf({ headers, query }: Exchange, { changelog }: Database): Tick {
  const lastEventId = headers[Header.lastEventId];
  if (typeof lastEventId === 'string' && lastEventId !== '') {
    const tick = parseTick(lastEventId);
    if (tick !== undefined) return tick;
    throw new ServiceError('httpBadParameter', 'Last-Event-ID is no tick of this log');
  }
  if (textParam(query, 'from') !== NOW) return feedTick(query, 'from') ?? changelog.completeFrom;
  const { completeFrom, state } = changelog;
  return completeFrom > state.lastTick ? completeFrom : state.lastTick;
}

/**
 * A tick of a feed, which is an addition: what is none is refused, while pages read what they can of it (contract 1.1).
 * @throws ServiceError badParameter
 */
function feedTick(query: Query, name: 'from' | 'to'): Tick | undefined {
  const text = textParam(query, name);
  if (text === undefined) return undefined;
  const tick = parseTick(text);
  if (tick !== undefined) return tick;
  const detail = name === 'from' ? 'from is neither a tick nor now' : 'to is no tick';
  throw new ServiceError('badParameter', `${detail}: '${text}'`);
}

/** In ms. @throws ServiceError badParameter */
function heartbeatOf(query: Query): number {
  const text = textParam(query, 'heartbeat');
  if (text === undefined) return HEARTBEAT_MS;
  if (!(Number(text) > 0)) {
    throw new ServiceError('badParameter', `heartbeat is no number of seconds above 0: '${text}'`);
  }
  return Math.max(secondsParam(query, 'heartbeat', HEARTBEAT_MAX_SECONDS), HEARTBEAT_MIN_MS);
}

function placeLost({ changelog }: Database, place: Tick): ServiceError {
  const { completeFrom, state } = changelog;
  const detail =
    `the log does not hold all that came after tick ${place}, or is not the one that the tick is of: copy the data ` +
    `anew, or go on from tick ${completeFrom} and miss what is between`;
  const fields = { firstTick: String(state.firstTick), resumeFrom: String(completeFrom) };
  return new ServiceError('startTickNotPresent', detail, { httpStatus: 410, fields });
}

interface FeedOptions extends PageAnswerOptions {
  readonly format: FeedFormat;
  readonly from: Tick;
  readonly to: Tick;
  readonly heartbeatMs: number;
}

/** One feed on its way to one client. */
class FeedStream {
  readonly #ctx: Exchange;
  readonly #res: ServerResponse;
  readonly #database: Database;
  readonly #read: (from: Tick, signal: AbortSignal) => Promise<FollowPage>;
  readonly #options: FeedOptions;
  #position: Tick;
  #sentMs = 0;
  #checkedMs = performance.now();
  #isWriting = false;

  constructor(
    deps: {
      ctx: Exchange;
      read: (from: Tick, signal: AbortSignal) => Promise<FollowPage>;
    },
    options: FeedOptions,
  ) {
    this.#ctx = deps.ctx;
    this.#res = deps.ctx.res;
    this.#database = deps.ctx.state.database;
    this.#read = deps.read;
    this.#options = options;
    this.#position = options.from;
  }

  /** Sends all of it. Throws what is a failure of the server, when the client has been told. */
  async send(signal: AbortSignal): Promise<void> {
    const res = this.#res;
    const { format } = this.#options;
    watchReader(res, this.#options, () => this.#isWriting);
    const ctx = this.#ctx;
    ctx.status = 200;
    ctx.set('content-type', ContentType[format === 'events' ? 'events' : 'lines']);
    ctx.set('cache-control', 'no-store');
    // Proxies would gather what is to be seen at once.
    ctx.set('x-accel-buffering', 'no');
    sendHead(ctx);
    if (format === 'events') await this.#write(feedHeartbeat(this.#position, format));
    try {
      while (!signal.aborted && this.#position < this.#options.to) await this.#step(signal);
    } catch (error) {
      if (!signal.aborted || isServiceError(error)) await this.#fail(error);
    }
    res.end();
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { format, heartbeatMs } = this.#options;
    const page = await this.#read(this.#position, signal);
    try {
      await this.#recheck();
      if (!page.fromPresent) throw placeLost(this.#database, this.#position);
      if (page.lastScanned > this.#position) this.#position = page.lastScanned;
      if (page.body.length > 0) {
        await this.#write(page.body.toBuffer());
      } else if (!signal.aborted && performance.now() - this.#sentMs >= heartbeatMs / 2) {
        await this.#write(feedHeartbeat(this.#position, format));
      }
    } finally {
      page.release();
    }
  }

  /** A user whose right was taken must not go on reading: looked at before a piece is sent, though not too often. */
  async #recheck(): Promise<void> {
    const { req, state } = this.#ctx;
    const nowMs = performance.now();
    if (!state.gate || nowMs - this.#checkedMs < RECHECK_MS) return;
    this.#checkedMs = nowMs;
    await state.gate.recheck(req, this.#database.name, 'ro');
  }

  /** Tells the client why there is no more. What is to be told to others, too, is thrown again. */
  async #fail(error: unknown): Promise<void> {
    if (isServiceError(error))
      await this.#write(feedFailure(errorBody(error), this.#options.format));
    if (!isServiceError(error) || error.httpStatus >= 500) throw error;
  }

  /** Resolves when the system has taken it, or the client is gone, which is at the latest when it takes nothing for long. */
  #write(chunk: Buffer | string): Promise<void> {
    const res = this.#res;
    if (res.closed || res.destroyed) return Promise.resolve();
    this.#sentMs = performance.now();
    this.#isWriting = true;
    return new Promise((resolve) => {
      const done = (): void => {
        res.off('close', done);
        this.#isWriting = false;
        resolve();
      };
      res.once('close', done);
      res.write(chunk, done);
    });
  }
}
