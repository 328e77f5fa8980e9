import type { Command } from 'commander';
import { sleep } from '../base/sleep.ts';
import { isApplierRunning } from './applier.ts';
import { addCopyVerb, type CopyTask, runSync } from './copy-verb.ts';
import type { CliContext } from './flags.ts';
import { type CliIo, ExitCode, note, printLines } from './io.ts';
import { at, textAt } from './json.ts';
import type { ServerClient } from './server-client.ts';
import { counted } from './words.ts';

/** How long to watch whether the applier gets through to the leader. */
const WATCH_MS = 5000;
const WATCH_PAUSE_MS = 50;

export function addMakeFollowerCommand(program: Command, context: CliContext): void {
  addCopyVerb(program, context, {
    name: 'make-follower',
    description: 'Copy a leader and follow it from then on, also after a restart of the server.',
    run: makeFollower,
  });
}

/**
 * Sets up the applier, copies the leader and starts to follow it; says so at each step. Only then is
 * the applier one that starts by itself: what was not copied is not followed.
 */
async function makeFollower(task: CopyTask, io: CliIo, signal: AbortSignal): Promise<number> {
  const { client, server, leader } = task;
  const { text: endpoint } = server.endpoint;
  const source = `${leader.endpoint}, database ${leader.database}`;
  await stopApplier(client, endpoint, io, signal);
  const configure = (autoStart: boolean): Promise<unknown> =>
    client.replication('PUT', 'applier-config', signal, { body: { ...leader, autoStart } });
  await configure(false);
  await printLines(io, [`${endpoint}: the applier is set up for ${source}`]);
  const { collections, lastLogTick } = await runSync(task, io, signal);
  await printLines(io, [
    `${endpoint}: copied ${counted(collections.length, 'collection')}, up to tick ${lastLogTick}`,
  ]);
  await configure(true);
  const started = await client.replication('PUT', 'applier-start', signal, {
    query: { from: lastLogTick },
  });
  const state = await watch(client, started, signal);
  if (!isApplierRunning(state)) {
    const why = textAt(state, 'state', 'lastError', 'errorMessage') ?? 'it does not say why';
    note(io, `the applier was started from tick ${lastLogTick}, and stopped again: ${why}`);
    return ExitCode.failed;
  }
  await printLines(io, [`${endpoint}: follows ${source}, from tick ${lastLogTick} on`]);
  if (!hasContact(state)) {
    note(io, 'the leader has not answered the applier yet; see: ticklog status');
  }
  return ExitCode.ok;
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
