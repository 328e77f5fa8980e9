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
import { type CliIo, note } from './io.ts';
import { at, listAt, textAt } from './json.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';

/** A copy may take days; only the one who asked for it decides when that is too long. */
const PATIENCE_MS = 7 * 24 * 3600 * 1000;

/** Who copies whom. */
export interface CopyTask {
  readonly client: ServerClient;
  /** The server that becomes the copy. */
  readonly server: Connection;
  readonly leader: LeaderSelection;
}

/** A verb that makes its server a copy of a leader. */
export interface CopyVerb {
  readonly name: string;
  readonly description: string;
  /** Resolves with what the process is to end with. */
  readonly run: (task: CopyTask, io: CliIo, signal: AbortSignal) => Promise<number>;
}

/** What a sync has copied. */
export interface SyncedCopy {
  readonly collections: readonly { readonly id: string; readonly name: string }[];
  /** Where following the leader begins, in digits. */
  readonly lastLogTick: string;
}

export function addCopyVerb(
  program: Command,
  { io, signal, done }: CliContext,
  { name, description, run }: CopyVerb,
): void {
  const command = program
    .command(name)
    .description(description)
    .argument('<LEADER>', 'The endpoint of the leader.', parseEndpointFlag);
  addLeaderFlags(addConnectionFlags(command)).action(
    async (endpoint: Endpoint, flags: ConnectionFlags & LeaderFlags) => {
      const server = connectionOf(flags);
      const leader = selectionOf(endpoint, flags);
      done(await withServer(server, (client) => run({ client, server, leader }, io, signal)));
    },
  );
}

/**
 * Runs a sync to its end; notes when its result can not be followed, and which of the collections
 * that were asked for by name were not copied. @throws as ServerClient
 */
export async function runSync(
  { client, leader }: CopyTask,
  io: CliIo,
  signal: AbortSignal,
): Promise<SyncedCopy> {
  return readCopied(
    await client.replication('PUT', 'sync', signal, copyRequest(leader)),
    leader,
    io,
  );
}

/** What a request for a copy says of the leader: without a restriction where there is none. */
export function copyRequest(leader: LeaderSelection): { body: object; extraMs: number } {
  const { restrictType, restrictCollections, ...all } = leader;
  const body = restrictType === '' ? all : { ...all, restrictType, restrictCollections };
  return { body, extraMs: PATIENCE_MS };
}

/** Reads what a sync answers; notes when it can not be followed, and what was not copied. */
export function readCopied(answer: unknown, leader: LeaderSelection, io: CliIo): SyncedCopy {
  const { restrictType, restrictCollections } = leader;
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
