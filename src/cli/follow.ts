import type { Command } from 'commander';
import { sleep } from '../base/sleep.ts';
import { ServiceError } from '../model/errors.ts';
import { parseTick, type Tick } from '../model/tick.ts';
import { Header } from '../protocol/headers.ts';
import {
  addConnectionFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
  parseTickFlag,
} from './flags.ts';
import { type CliIo, ExitCode, note, OutputClosedError, writeOut } from './io.ts';
import { type Connection, headerOf, type ServerClient, withServer } from './server-client.ts';

const CHUNK_SIZE_BYTES = 1024 * 1024;
/** How long the server holds a request while there is no news. */
const WAIT_SECONDS = 30;
/** A server that can not hold requests is asked this often. */
const POLL_MS = 500;

export interface FollowOptions {
  readonly server: Connection;
  /** Exclusive. */
  readonly from: Tick;
  /** Go on when the newest event is printed. */
  readonly wait: boolean;
  /** Name or id of the only collection whose events are wanted. */
  readonly collection?: string;
}

interface FollowFlags {
  readonly from: Tick;
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
    .option('--from <TICK>', 'Only what came after this tick.', parseTickFlag, 0n)
    .option('--wait', 'Go on with what comes, until interrupted.')
    .option('--collection <NAME>', 'Only what concerns this collection.');
  addConnectionFlags(command).action(async (flags: ConnectionFlags & FollowFlags) => {
    const { from, wait = false, collection } = flags;
    const options = {
      ...{ server: connectionOf(flags), from, wait },
      ...(collection === undefined ? {} : { collection }),
    };
    done(await followVerb(options, io, signal));
  });
}

/**
 * Prints log lines as they are served (contract 2.6). One page is in memory, and the next is asked
 * for when that has been taken from us. Without `wait` it ends with the event that is the newest at
 * the start. When it fails it says on the error stream where to go on.
 */
export async function followVerb(
  options: FollowOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  let { from } = options;
  let end: Tick | undefined;
  let toldOfGap = false;
  return withServer(options.server, async (client) => {
    try {
      while (!signal.aborted) {
        const startedMs = performance.now();
        const page = await readPage(client, from, options, signal);
        if (!page.fromPresent && !toldOfGap) {
          note(io, `the log does not reach back to tick ${from}: events are missing here`);
          toldOfGap = true;
        }
        await writeOut(io.stdout, page.body, signal);
        end ??= page.lastTick;
        const isNews = page.position > from;
        if (isNews) from = page.position;
        if (!options.wait && (from >= end || !isNews)) break;
        if (!isNews && performance.now() - startedMs < POLL_MS) await sleep(POLL_MS, signal);
      }
    } catch (error) {
      if (signal.aborted) return ExitCode.ok;
      const isWorthTelling = from > options.from && !(error instanceof OutputClosedError);
      if (isWorthTelling) note(io, `printed up to tick ${from}; to go on there: --from ${from}`);
      throw error;
    }
    return ExitCode.ok;
  });
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
