import type { Command } from 'commander';
import { sleep } from '../base/sleep.ts';
import { isApplierRunning } from './applier.ts';
import {
  addCopyVerb,
  copyRequest,
  type CopyTask,
  readCopied,
  runSync,
  type SyncedCopy,
  withCopyProgress,
} from './copy-verb.ts';
import type { CliContext } from './flags.ts';
import { type CliIo, ExitCode, note, printLines, printResult } from './io.ts';
import { at, textAt } from './json.ts';
import { isUnknownCommand, type ServerClient } from './server-client.ts';
import { exactCounted } from './units.ts';

/** How long to watch whether the applier gets through to the leader. */
const WATCH_MS = 5000;
const WATCH_PAUSE_MS = 50;

export function addMakeFollowerCommand(program: Command, context: CliContext): void {
  addCopyVerb(program, context, {
    name: 'make-follower',
    description: 'Copy a leader and follow it from then on, also after a restart of the server.',
    follows: true,
    run: makeFollower,
  });
}

interface Started {
  /** The state of the applier after its start. */
  readonly started: unknown;
  /** ` from tick <n>`, empty when the server does not say. */
  readonly from: string;
  /** Undefined when the server does not say. */
  readonly copied: SyncedCopy | undefined;
}

/**
 * Has the server copy the leader and follow it, in one step where it can do that; says so at each
 * step. On other servers the applier is only then one that starts by itself: what was not copied
 * is not followed.
 */
async function makeFollower(task: CopyTask, io: CliIo, signal: AbortSignal): Promise<number> {
  const { client, server } = task;
  const { started, from, copied } =
    (await inOneStep(task, io, signal)) ?? (await stepByStep(task, io, signal));
  const state = await watch(client, started, signal);
  if (!isApplierRunning(state)) {
    const why = textAt(state, 'state', 'lastError', 'errorMessage') ?? 'it does not say why';
    note(io, `the applier was started${from}, and stopped again: ${why}`);
    return ExitCode.failed;
  }
  await printResult(io, {
    ...{ endpoint: server.endpoint.text, database: server.database },
    leader: { endpoint: task.leader.endpoint, database: task.leader.database },
    running: true,
    hasContact: hasContact(state),
    ...(copied ?? {}),
  });
  const on = from === '' ? '' : `,${from} on`;
  await printLines(io, [`${server.endpoint.text}: follows ${sourceOf(task)}${on}`]);
  if (!hasContact(state)) {
    note(io, 'the leader has not answered the applier yet; see: ticklog status');
  }
  return ExitCode.ok;
}

/** By `make-follower` or its older name; undefined when the server has neither. */
async function inOneStep(
  task: CopyTask,
  io: CliIo,
  signal: AbortSignal,
): Promise<Started | undefined> {
  const request = copyRequest(task.leader);
  for (const command of ['make-follower', 'make-slave'] as const) {
    try {
      const started = await withCopyProgress(task, io, signal, () =>
        task.client.replication('PUT', command, signal, request),
      );
      const answer = at(started, 'copied');
      // Only ticklog tells what was copied.
      if (answer === undefined) return { started, from: '', copied: undefined };
      const copied = readCopied(answer, task.leader, io);
      await printLines(io, [copiedLine(task, copied)]);
      return { started, from: ` from tick ${copied.lastLogTick}`, copied };
    } catch (error) {
      if (!isUnknownCommand(error)) throw error;
    }
  }
  return undefined;
}

/** Sets up the applier, copies, and starts it, for servers up to 2.6. */
async function stepByStep(task: CopyTask, io: CliIo, signal: AbortSignal): Promise<Started> {
  const { client, server, leader } = task;
  const { text: endpoint } = server.endpoint;
  await stopApplier(client, endpoint, io, signal);
  const configure = (autoStart: boolean): Promise<unknown> =>
    client.replication('PUT', 'applier-config', signal, { body: { ...leader, autoStart } });
  await configure(false);
  await printLines(io, [`${endpoint}: the applier is set up for ${sourceOf(task)}`]);
  const copied = await runSync(task, io, signal);
  const { lastLogTick } = copied;
  await printLines(io, [copiedLine(task, copied)]);
  await configure(true);
  const query = { from: lastLogTick };
  const started = await client.replication('PUT', 'applier-start', signal, { query });
  return { started, from: ` from tick ${lastLogTick}`, copied };
}

function sourceOf({ leader }: CopyTask): string {
  return `${leader.endpoint}, database ${leader.database}`;
}

function copiedLine({ server }: CopyTask, { collections, lastLogTick }: SyncedCopy): string {
  const count = exactCounted(collections.length, 'collection');
  return `${server.endpoint.text}: copied ${count}, up to tick ${lastLogTick}`;
}

/** Settings can be changed, and a copy made, only while nothing is followed. */
async function stopApplier(
  client: ServerClient,
  endpoint: string,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  if (!isApplierRunning(await client.replication('GET', 'applier-state', signal))) return;
  await client.replication('PUT', 'applier-stop', signal);
  await printLines(io, [`${endpoint}: the applier is stopped`]);
}

/** The state once the applier has heard of the leader, or has stopped, or the time is over. */
async function watch(
  client: ServerClient,
  started: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const until = performance.now() + WATCH_MS;
  let state = started;
  while (isApplierRunning(state) && !hasContact(state) && performance.now() < until) {
    await sleep(WATCH_PAUSE_MS, signal);
    state = await client.replication('GET', 'applier-state', signal);
  }
  return state;
}

/** Whether the leader has answered: the phase says so, or on other servers that its end is known. */
function hasContact(state: unknown): boolean {
  const phase = at(state, 'state', 'phase');
  const available = at(state, 'state', 'lastAvailableContinuousTick');
  return phase === 'tailing' || typeof available === 'string';
}
