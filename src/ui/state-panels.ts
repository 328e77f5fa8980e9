import type { ApplierPhase } from '../model/applier-phase.ts';
import type { SyncNumbers } from '../model/sync-numbers.ts';
import { type WriteRate, reachOf } from '../model/write-rate.ts';
import { byId, make, setFacts, setList, setRows, setShown, setText } from './dom.ts';
import { bytes, clock, counted, duration, number } from './format.ts';
import type { ApplierStatus, ClientStatus, Snapshot } from './types.ts';
import {
  logEndOf,
  type Tone,
  type Words,
  applierWords,
  headline,
  lagWords,
  positionOf,
  sinceWords,
  writtenWords,
} from './words.ts';

/**
 * Shows what the whole comes to, and logger and applier with all there is to say of them.
 * @param writeRate how fast the log grows; undefined while that is not known
 */
export function showState(snapshot: Snapshot, writeRate: WriteRate | undefined): void {
  showHeadline(headline(snapshot.logger, snapshot.applier));
  showApplier(snapshot.applier);
  showLogger(snapshot, writeRate);
  showClients(snapshot);
  showServer(snapshot);
}

function showServer({ overview, logger }: Snapshot): void {
  const { id, version, uptime } = overview.server;
  const texts = [
    `server ${id}`,
    `up ${duration(uptime)}`,
    `version ${version}, speaks ${logger.server.version}`,
  ];
  setList(byId('footer'), texts, {
    keyOf: (text) => text.split(' ')[0] ?? '',
    create: () => make('span', ''),
    update: setText,
  });
}

function showHeadline({ tone, text, more }: Words): void {
  byId('headline').dataset['tone'] = tone;
  setText(byId('headline-text'), text);
  setText(byId('headline-more'), more);
  document.title = `${text} – ticklog`;
}

function showChip(id: string, tone: Tone, text: string): void {
  const chip = byId(id);
  chip.dataset['tone'] = tone;
  setText(chip, text);
}

function showApplier(applier: ApplierStatus): void {
  const { state, endpoint, database = '_system' } = applier;
  const words = applierWords(applier);
  showChip('applier-chip', words?.tone ?? 'idle', words ? PHASE_WORDS[state.phase] : 'not set up');
  const applied = state.lastAppliedContinuousTick;
  const available = logEndOf(state);
  const isOn = state.running || state.phase === 'syncing';
  setFacts(byId('applier-facts'), [
    ['Leader', endpoint ?? noLeaderWords(state.sync)],
    ['Database there', endpoint === undefined ? '' : database],
    ['Since', words ? sinceWords(state.since, state.time) : ''],
    ['Lag', endpoint !== undefined && isOn && state.phase !== 'syncing' ? lagWords(state) : ''],
    ['Applied up to', applied === null ? '' : `tick ${applied}`],
    ['Leader’s log ends', available === null || endpoint === undefined ? '' : `tick ${available}`],
    ['Events applied', endpoint === undefined ? '' : number(state.totalEvents)],
    ['Copied anew', state.totalResyncs === 0 ? '' : counted(state.totalResyncs, 'time')],
    ['Doing', isOn ? doingWords(state) : ''],
  ]);
}

/** While it waits, what it did last is over. */
function doingWords({ nextAttempt, progress }: ApplierStatus['state']): string {
  if (nextAttempt !== undefined) return `asks the leader again at ${clock(nextAttempt)}`;
  return progress.message ?? '';
}

/** Who is being made a follower has no leader set before the copy is complete. */
function noLeaderWords(sync: SyncNumbers | undefined): string {
  if (!sync) return 'none, this database follows no other server';
  return sync.endpoint === null ? 'none' : `none set yet, copying from ${sync.endpoint}`;
}

/** What the applier does, in a word. */
const PHASE_WORDS: Readonly<Record<ApplierPhase, string>> = {
  stopped: 'stopped',
  starting: 'starting',
  syncing: 'copying',
  tailing: 'following',
  backoff: 'waiting for the leader',
  stopping: 'stopping',
  failed: 'stopped by an error',
};

function showLogger({ logger, overview }: Snapshot, writeRate: WriteRate | undefined): void {
  const { state } = logger;
  const { log } = overview;
  showChip('logger-chip', state.running ? 'ok' : 'warn', state.running ? 'running' : 'stopped');
  const hole = BigInt(state.holeAt);
  const reach = writeRate ? reachOf(log.events, writeRate) : null;
  setFacts(byId('logger-facts'), [
    [
      'Holds',
      log.events === 0 ? 'nothing' : `${counted(log.events, 'event')}, ${bytes(log.bytes)}`,
    ],
    ['First tick', log.events === 0 ? '' : log.firstTick],
    ['Last tick', log.lastTick === '0' ? '' : log.lastTick],
    ['Written', writeRate ? writtenWords(writeRate) : ''],
    ['Reaches back', reach === null ? '' : `${duration(reach)} at that rate`],
    ['Logged since start', counted(state.totalEvents, 'event')],
    ['Complete from', hole === 0n ? '' : `tick ${hole}; followers below it must copy anew`],
    ['Damage', state.storage?.damage?.message ?? ''],
  ]);
}

function showClients({ logger }: Snapshot): void {
  const last = BigInt(logger.state.lastLogTick);
  const clients = [...logger.clients].sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
  setShown(byId('clients-box'), clients.length > 0);
  const held = Math.max(0, ...clients.map(({ retainedBytes }) => retainedBytes));
  const note = held === 0 ? '' : `; ${bytes(held)} of the log are kept for the slowest`;
  setText(
    byId('clients-note'),
    clients.length === 0 ? 'none has asked for this log' : `${number(clients.length)}${note}`,
  );
  setRows(
    byId('clients-rows'),
    clients,
    ({ serverId }) => serverId,
    (client) => clientCells(client, last, logger.state.time),
  );
}

function clientCells(
  client: ClientStatus,
  last: bigint,
  now: string,
): { text: string; kind?: string }[] {
  const position = positionOf(client);
  const behind = last > position ? last - position : 0n;
  const standing = client.lost
    ? { text: 'lost its place, must copy anew', kind: 'wrong' }
    : { text: behind === 0n ? 'in step' : 'reading', kind: behind === 0n ? 'good' : '' };
  const kept = client.retainedBytes === 0 ? 'nothing' : bytes(client.retainedBytes);
  const seconds = Math.max(0, (Date.parse(now) - Date.parse(client.time)) / 1000);
  return [
    { text: client.serverId },
    standing,
    { text: String(position), kind: 'num' },
    { text: number(behind), kind: 'num' },
    { text: kept, kind: 'num' },
    { text: `${duration(seconds)} ago`, kind: 'num' },
  ];
}
