import type { Command } from 'commander';
import type { Endpoint } from '../follower/endpoint.ts';
import {
  addConnectionFlags,
  addLeaderFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
  type LeaderFlags,
  type LeaderSelection,
  parseEndpointFlag,
  selectionOf,
} from './flags.ts';
import { type CliIo, ExitCode, note, printLines } from './io.ts';
import { at, listAt, textAt } from './json.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';
import { counted } from './words.ts';

/** A copy may take days; only the one who asked for it decides when that is too long. */
const PATIENCE_MS = 7 * 24 * 3600 * 1000;

export interface SyncOptions {
  /** The server that becomes the copy. */
  readonly server: Connection;
  readonly leader: LeaderSelection;
}

export function addSyncCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('sync')
    .description(
      'Copy a leader once. Collections that the leader has, too, are replaced when the copy is ' +
        'complete; those that only this server has are kept.',
    )
    .argument('<LEADER>', 'The endpoint of the leader.', parseEndpointFlag);
  addLeaderFlags(addConnectionFlags(command)).action(
    async (leader: Endpoint, flags: ConnectionFlags & LeaderFlags) => {
      const options = { server: connectionOf(flags), leader: selectionOf(leader, flags) };
      done(await syncVerb(options, io, signal));
    },
  );
}

/** Has the server copy the leader (contract 3.7) and prints what was copied. */
export async function syncVerb(
  { server, leader }: SyncOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  return withServer(server, async (client) => {
    const copied = await runSync(client, leader, io, signal);
    const ids = copied.collections.map(({ id }) => id.length);
    const width = Math.max(0, ...ids);
    await printLines(io, [
      ...copied.collections.map(({ id, name }) => `${id.padStart(width)}  ${name}`),
      `copied ${counted(copied.collections.length, 'collection')} from ${leader.endpoint}, ` +
        `database ${leader.database}`,
      `lastLogTick ${copied.lastLogTick}`,
    ]);
    return ExitCode.ok;
  });
}

/** What a sync has copied. */
export interface SyncedCopy {
  readonly collections: readonly { readonly id: string; readonly name: string }[];
  /** Where following the leader begins, in digits. */
  readonly lastLogTick: string;
}

/**
 * Runs a sync to its end; notes when its result can not be followed, and which of the collections
 * that were asked for by name were not copied. @throws as ServerClient
 */
export async function runSync(
  client: ServerClient,
  leader: LeaderSelection,
  io: CliIo,
  signal: AbortSignal,
): Promise<SyncedCopy> {
  const { restrictType, restrictCollections, ...body } = leader;
  const restriction = restrictType === '' ? {} : { restrictType, restrictCollections };
  const answer = await client.replication('PUT', 'sync', signal, {
    body: { ...body, ...restriction },
    extraMs: PATIENCE_MS,
  });
  if (at(answer, 'leaderWasStopped') === true) {
    note(io, 'the logger of the leader does not run: what changes there can not be followed');
  }
  const collections = listAt(answer, 'collections').map((each) => ({
    id: textAt(each, 'id') ?? '',
    name: textAt(each, 'name') ?? '',
  }));
  const copied = new Set(collections.map(({ name }) => name));
  const missing = restrictCollections.filter((name) => !copied.has(name));
  if (restrictType === 'include' && missing.length > 0) {
    note(io, `not copied, as not found on ${leader.endpoint}: ${missing.join(', ')}`);
  }
  return { collections, lastLogTick: textAt(answer, 'lastLogTick') ?? '0' };
}
