import { Backoff } from '../base/backoff.ts';
import { sleep } from '../base/sleep.ts';
import { ERRORS } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { readErrorBody } from '../protocol/error-body.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import { clientError, isTicklogError, PlaceLostError, TicklogError } from './client-error.ts';
import type { FeedEntry } from './feed-entry.ts';
import { type FeedEvent, feedEvents } from './feed-events.ts';
import { entryOf } from './log-reader.ts';
import type { RequestOptions, Scope } from './scope.ts';

export interface FollowOptions extends RequestOptions {
  /**
   * Exclusive: only what came after it, and all of that; `now` for what is yet to come. When absent, what the log
   * still holds.
   */
  readonly from?: Tick | 'now' | undefined;
  /** Name or id of the only collection whose events are wanted, with the frames of the transactions that it is in. */
  readonly collection?: string | undefined;
  /** Whether events of collections whose names begin with `_` are wanted; true by default. */
  readonly includeSystem?: boolean | undefined;
  /** Called when the connection is lost, before it is made anew. */
  readonly onInterruption?: ((error: TicklogError) => void) | undefined;
}

const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 5000;
/** How often a server shows that it lives, where the client waits long enough. */
const HEARTBEAT_MS = 15_000;
/** So many heartbeats may be missed. */
const HEARTBEATS = 3;

/**
 * The changes of a database as they come, each once, in rising order of ticks. One piece of them is in memory: who
 * takes them slowly has the server wait, and one whom it has cut off for that goes on where he was. When the
 * connection is lost, or the server restarts, it is made anew with growing pauses until the server is
 * back. Ends when the signal is aborted or the loop is left.
 *
 * @throws PlaceLostError (1414) where events after the place are gone; TicklogError when there is no answer to the
 *   first request, and for what the server refuses
 */
export async function* followLog(
  scope: Scope,
  options: FollowOptions,
): AsyncGenerator<FeedEntry, void, void> {
  const { signal } = options;
  const backoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS });
  const place: { at: Tick | 'now' | undefined; isKnown: boolean } = {
    at: options.from,
    isKnown: false,
  };
  while (signal?.aborted !== true) {
    let interruption = clientError('noResponse', 'the server has ended the feed');
    try {
      const chunks = await scope.stream(
        '/_api/replication/logger-follow',
        callOf(scope, options, place.at),
      );
      for await (const event of feedEvents(chunks)) {
        if (isAborted(signal)) return;
        backoff.reset();
        const { entry, position } = read(scope, event);
        if (position !== undefined) place.at = position;
        place.isKnown = true;
        if (entry) yield entry;
      }
    } catch (error) {
      if (isAborted(signal)) return;
      if (!(error instanceof TicklogError)) throw error;
      if (!place.isKnown || !isInterruption(error)) throw asPlaceLost(scope, error);
      interruption = error;
    }
    if (isAborted(signal)) return;
    options.onInterruption?.(interruption);
    await sleep(backoff.nextMs(RETRY_BASE_MS), signal);
  }
}

/** The signal may have been aborted since it was looked at last, which the compiler does not see. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function callOf(
  scope: Scope,
  { collection, includeSystem, signal }: FollowOptions,
  from: Tick | 'now' | undefined,
): Parameters<Scope['stream']>[1] {
  const heartbeatMs = Math.min(HEARTBEAT_MS, scope.requestTimeoutMs / HEARTBEATS);
  const query = { from, collection, includeSystem, heartbeat: heartbeatMs / 1000 };
  return { query, signal, headers: { accept: ContentType.events.replace(/;.*$/, '') } };
}

/** @throws TicklogError for the end of a feed that the server has a reason for */
function read(
  scope: Scope,
  { id, name, data }: FeedEvent,
): { entry?: FeedEntry; position: Tick | undefined } {
  if (name === 'failure') throw failureOf(scope, data ?? '');
  const position = id === undefined ? undefined : scope.tick(id, Header.lastEventId);
  if (data === undefined) return { position };
  return { entry: entryOf(scope, scope.line(data)) as FeedEntry, position };
}

function failureOf(scope: Scope, text: string): TicklogError {
  const told = readErrorBody(text);
  if (!told) return scope.invalid('the end of a feed does not say why');
  const { code, ...fields } = JSON.parse(text) as { code: number };
  return new TicklogError(told.errorNum, told.errorMessage, { status: code, fields });
}

/** No answer, half an answer, or one of a server that starts or stops, or of a proxy before it. */
function isInterruption(error: TicklogError): boolean {
  const { status } = error;
  if (status === undefined) return error.errorNum === ERRORS.noResponse.errorNum;
  return status === 502 || status === 503 || status === 504;
}

function asPlaceLost(scope: Scope, error: TicklogError): TicklogError {
  if (error.status !== 410 || !isTicklogError(error, 'startTickNotPresent')) return error;
  const { firstTick, resumeFrom } = error.fields;
  return new PlaceLostError(error.message, {
    cause: error,
    firstTick: scope.tick(firstTick, 'firstTick'),
    resumeFrom: scope.tick(resumeFrom, 'resumeFrom'),
  });
}
