import type { Command } from 'commander';
import { sleep } from '../base/sleep.ts';
import { refusedAnswer } from '../follower/classify.ts';
import { ERRORS, ServiceError } from '../model/errors.ts';
import { parseTick, type Tick } from '../model/tick.ts';
import { Header } from '../protocol/headers.ts';
import {
  addConnectionFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
  parseTickFlag,
} from './flags.ts';
import { PrettyLog } from './follow-pretty.ts';
import { type CliIo, ExitCode, note, OutputClosedError, UsageError, writeOut } from './io.ts';
import { tickAt } from './json.ts';
import { type Connection, headerOf, type ServerClient, withServer } from './server-client.ts';

const CHUNK_SIZE_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;
/** How long the server holds a request while there is no news. */
const WAIT_SECONDS = 30;
/**
 * A reader that had enough is gone after this time. Only a write can tell, so the last line of a page is
 * written this much later.
 */
const PARTING_MS = 200;
/** A server that can not hold requests is asked this often. */
const POLL_MS = 500;

const EVENT_TYPES = `\
What "type" says:
  1000  the logger was stopped
  1001  the logger was started
  2000  a collection was created
  2001  a collection was dropped
  2002  a collection was renamed
  2003  properties of a collection were changed
  2100  an index was created
  2101  an index was dropped
  2200  a transaction of several events begins; they have the same "tid"
  2201  a transaction is complete
  2300  a document was inserted, or replaced by what "data" has
  2301  an edge was inserted, or replaced by what "data" has
  2302  a document or an edge was removed`;

export interface FollowOptions {
  readonly server: Connection;
  /** Exclusive; the log must reach back to it. When absent, what there is is good enough. */
  readonly from?: Tick | 'now';
  /** Go on when the newest event is printed. */
  readonly wait: boolean;
  /** Name or id of the only collection whose events are wanted. */
  readonly collection?: string;
  /** Lines for people in place of JSON. */
  readonly pretty: boolean;
}

interface FollowFlags {
  readonly pretty?: boolean;
  readonly from?: Tick | 'now';
  readonly wait?: boolean;
  readonly collection?: string;
}

interface Page {
  readonly body: Buffer;
  /** Everything up to here has been looked at. */
  readonly position: Tick;
  readonly lastTick: Tick;
  /** False when events after the position asked for are missing. */
  readonly fromPresent: boolean;
}

export function addFollowCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('follow')
    .description('Print the log of changes, one JSON object a line.')
    .option(
      '--from <TICK>',
      'Only what came after this tick; a failure when the log does not reach back to it. now stands for the ' +
        'end of the log. Without this, everything there is.',
      parseStart,
    )
    .option('--wait', 'Go on with what comes, until interrupted or nobody reads it any more.')
    .option('--collection <NAME>', 'Only what concerns this collection.')
    .option('--pretty', 'Lines for people: tick, what happened, to what.')
    .addHelpText('after', `\n${EVENT_TYPES}`);
  addConnectionFlags(command).action(async (flags: ConnectionFlags & FollowFlags) => {
    const { from, wait = false, collection, pretty = false } = flags;
    if (pretty && io.isJson) throw new UsageError('--pretty and --output json can not go together');
    const options = {
      ...{ server: connectionOf(flags), wait, pretty },
      ...(from === undefined ? {} : { from }),
      ...(collection === undefined ? {} : { collection }),
    };
    done(await followVerb(options, io, signal));
  });
}

/**
 * Prints log lines as they are served (contract 2.6). One page is in memory, and the next is asked
 * for when that has been taken from us. Without `wait` it ends with the event that is the newest at
 * the start. When it fails it says on the error stream where to go on. Where events are missing, it
 * says so and goes on behind the gap, but fails when it was told where to begin.
 */
export async function followVerb(
  options: FollowOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  let from = 0n;
  let start = 0n;
  let end: Tick | undefined;
  let toldOfGap = false;
  const pretty = options.pretty ? new PrettyLog(io) : undefined;
  return withServer(options.server, async (client) => {
    try {
      start = await startOf(client, options, signal);
      from = start;
      while (!signal.aborted) {
        const startedMs = performance.now();
        const page = await readPage(client, from, options, signal);
        if (!page.fromPresent && !toldOfGap) {
          note(io, await describeGap(client, from, page, signal));
          if (typeof options.from === 'bigint') return ExitCode.failed;
          toldOfGap = true;
        }
        const isWaiting = options.wait && page.position >= page.lastTick;
        await writePage(pretty?.page(page.body) ?? page.body, isWaiting, io, signal);
        end ??= page.lastTick;
        const isNews = page.position > from;
        if (isNews) from = page.position;
        if (!options.wait && (from >= end || !isNews)) break;
        if (!isNews && performance.now() - startedMs < POLL_MS) await sleep(POLL_MS, signal);
      }
    } catch (error) {
      if (signal.aborted) return ExitCode.ok;
      const isWorthTelling = from > start && !(error instanceof OutputClosedError);
      if (isWorthTelling) note(io, `printed up to tick ${from}; to go on there: --from ${from}`);
      throw named(error, options);
    }
    return ExitCode.ok;
  });
}

/** The tick behind which it begins. */
async function startOf(
  client: ServerClient,
  { from = 0n }: FollowOptions,
  signal: AbortSignal,
): Promise<Tick> {
  if (from !== 'now') return from;
  const state = await client.replication('GET', 'logger-state', signal);
  const last = tickAt(state, 'state', 'lastLogTick');
  // What went unlogged behind the last entry is of before, too.
  const hole = tickAt(state, 'state', 'holeAt') ?? 0n;
  if (last !== undefined) return last > hole ? last : hole;
  throw new ServiceError('invalidResponse', 'the server does not tell where its log ends');
}

/** @throws InvalidArgumentError unless it is a tick or `now` */
function parseStart(value: string): Tick | 'now' {
  return value === 'now' ? value : parseTickFlag(value);
}

/** Servers do not repeat the name of a collection that they do not have. */
function named(error: unknown, { collection, server }: FollowOptions): unknown {
  const { errorNum } = refusedAnswer(error)?.remote ?? {};
  if (collection === undefined || errorNum !== ERRORS.collectionNotFound.errorNum) return error;
  const { endpoint, database } = server;
  return new Error(
    `${endpoint.text}, database ${database}, has no collection '${collection}' (error ${errorNum})`,
    { cause: error },
  );
}

/**
 * Writes a page. Where there will be a wait behind it, the last of its lines comes after a pause: when the
 * reader took only some of them, that is noticed now and not when there is news.
 */
async function writePage(
  body: Buffer,
  isWaiting: boolean,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  const lastLine = body.lastIndexOf(NEWLINE, -2) + 1;
  if (!isWaiting || io.isTty || lastLine === 0) {
    await writeOut(io.stdout, body, signal);
    return;
  }
  await writeOut(io.stdout, body.subarray(0, lastLine), signal);
  await sleep(PARTING_MS, signal);
  await writeOut(io.stdout, body.subarray(lastLine), signal);
}

async function describeGap(
  client: ServerClient,
  from: Tick,
  { lastTick }: Page,
  signal: AbortSignal,
): Promise<string> {
  if (from > lastTick) return `there is no tick ${from} in the log, which ends at tick ${lastTick}`;
  const first = await firstTick(client, signal);
  const begins = first === undefined ? '' : `; it begins at tick ${first}`;
  return `the log does not reach back to tick ${from}: events are missing here${begins}`;
}

/** Undefined when the log is empty, or the server does not tell. */
async function firstTick(client: ServerClient, signal: AbortSignal): Promise<Tick | undefined> {
  try {
    const answer = await client.replication('GET', 'logger-first-tick', signal);
    return tickAt(answer, 'firstTick') || undefined;
  } catch (error) {
    // 1.4 does not have it.
    if (refusedAnswer(error)) return undefined;
    throw error;
  }
}

async function readPage(
  client: ServerClient,
  from: Tick,
  { wait, collection }: FollowOptions,
  signal: AbortSignal,
): Promise<Page> {
  const answer = await client.replicationPage('GET', 'logger-follow', signal, {
    query: {
      from,
      chunkSize: CHUNK_SIZE_BYTES,
      wait: wait ? WAIT_SECONDS : undefined,
      collection,
    },
    extraMs: WAIT_SECONDS * 1000,
  });
  const tickOf = (name: string): Tick | undefined => parseTick(headerOf(answer, name) ?? '');
  const included = tickOf(Header.lastIncluded);
  const lastTick = tickOf(Header.lastTick);
  if (included === undefined || lastTick === undefined) {
    throw new ServiceError('invalidResponse', 'the answer lacks the headers of a log page');
  }
  const scanned = tickOf(Header.lastScanned) ?? 0n;
  return {
    body: answer.body,
    position: scanned > included ? scanned : included,
    lastTick,
    fromPresent: headerOf(answer, Header.fromPresent) !== 'false',
  };
}
