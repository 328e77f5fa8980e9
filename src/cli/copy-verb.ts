import type { Command } from 'commander';
import { sleep } from '../base/sleep.ts';
import type { Endpoint } from '../follower/endpoint.ts';
import { addYesFlag, confirmReplacing, type YesFlags } from './confirm.ts';
import {
  addConnectionFlags,
  addLeaderFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
  type LeaderFlags,
  type LeaderSelection,
  parseBoolean,
  parseEndpointFlag,
  selectionOf,
} from './flags.ts';
import { type CliIo, note } from './io.ts';
import { at, listAt, textAt } from './json.ts';
import { lookAtLeader, type WantedCopy } from './leader-look.ts';
import { presentData } from './present-data.ts';
import { ProgressDisplay, type ProgressFigures } from './progress.ts';
import { resumedText } from './progress-text.ts';
import { withServer } from './server-client.ts';
import { syncFigures } from './sync-figures.ts';

/** A copy may take days; only the one who asked for it decides when that is too long. */
const PATIENCE_MS = 7 * 24 * 3600 * 1000;

/** Between two looks at how far a copy has come. */
const LOOK_EVERY_MS = 500;

/** Who copies whom. */
export interface CopyTask extends WantedCopy {
  /** Whether to show how far it has come. */
  readonly progress: boolean;
}

/** A verb that makes its server a copy of a leader. */
export interface CopyVerb {
  readonly name: string;
  readonly description: string;
  /** Whether the leader is followed afterwards. */
  readonly follows: boolean;
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
  { name, description, follows, run }: CopyVerb,
): void {
  const command = program
    .command(name)
    .description(description)
    .argument('<LEADER>', 'The endpoint of the leader.', parseEndpointFlag);
  addLeaderFlags(addConnectionFlags(command)).option(
    '--allow-missing [BOOL]',
    'Go on when the leader has no collection of a name given with --collection, as for one that is ' +
      'created later.',
    parseBoolean,
    false,
  );
  addYesFlag(command).option('--no-progress', 'Do not show how far it has come.');
  command.action(async (endpoint: Endpoint, flags: CopyFlags) => {
    const server = connectionOf(flags);
    const leader = selectionOf(endpoint, flags);
    const { progress } = flags;
    const code = await withServer(server, async (client) => {
      const task = { client, server, leader, progress };
      const { body } = copyRequest(leader);
      const { allowMissing } = flags;
      // Nobody is asked about what cannot be done, and nothing is begun.
      await lookAtLeader(task, { body, follows, allowMissing }, signal);
      await confirmCopy(task, flags, io, signal);
      return run(task, io, signal);
    });
    done(code);
  });
}

interface CopyFlags extends ConnectionFlags, LeaderFlags, YesFlags {
  readonly allowMissing: boolean;
  readonly progress: boolean;
}

/** Asks before documents are replaced by those of the leader. @throws as `confirmReplacing` */
async function confirmCopy(
  { client, server, leader }: CopyTask,
  flags: YesFlags,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  if (flags.yes === true) return;
  const { restrictType, restrictCollections: names } = leader;
  const isMeant = (name: string): boolean =>
    restrictType === '' || names.includes(name) === (restrictType === 'include');
  const present = await presentData(client, isMeant, signal);
  if (present === undefined) return;
  const where = `${server.endpoint.text}, database ${server.database}, has ${present}`;
  const what = `; what ${leader.endpoint} has under the same names takes their place`;
  await confirmReplacing(io, flags, where + what);
}

/** Runs a request that copies, and shows meanwhile how far the server has come. */
export async function withCopyProgress<T>(
  { client, progress }: CopyTask,
  io: CliIo,
  signal: AbortSignal,
  request: () => Promise<T>,
): Promise<T> {
  let figures: ProgressFigures | string | undefined;
  using display = ProgressDisplay.start(io, progress, () => figures);
  if (!display) return await request();
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const looking = (async () => {
    for (let hasSaidResumed = false; ;) {
      await sleep(LOOK_EVERY_MS, either);
      if (either.aborted) return;
      try {
        figures = figuresIn(await client.replication('GET', 'applier-state', either));
      } catch {
        // What is wrong with the server the request itself will tell.
        figures = undefined;
      }
      const { resumedFrom } = typeof figures === 'object' ? figures : {};
      if (!resumedFrom || hasSaidResumed) continue;
      hasSaidResumed = true;
      display.note(resumedText(resumedFrom));
    }
  })();
  try {
    return await request();
  } catch (error) {
    display[Symbol.dispose]();
    if (signal.aborted)
      note(io, 'the server goes on with the copy; to end it: ticklog applier stop');
    throw error;
  } finally {
    ended.abort();
    await looking;
  }
}

/** Words where the server has no figures. */
function figuresIn(state: unknown): ProgressFigures | string | undefined {
  const figures = syncFigures(at(state, 'state', 'sync'));
  if (figures || textAt(state, 'state', 'phase') !== 'syncing') return figures;
  return textAt(state, 'state', 'progress', 'message');
}

/**
 * Runs a sync to its end; notes when its result can not be followed, and which of the collections
 * that were asked for by name were not copied. @throws as ServerClient
 */
export async function runSync(task: CopyTask, io: CliIo, signal: AbortSignal): Promise<SyncedCopy> {
  const { client, leader } = task;
  const answer = await withCopyProgress(task, io, signal, () =>
    client.replication('PUT', 'sync', signal, copyRequest(leader)),
  );
  return readCopied(answer, leader, io);
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
