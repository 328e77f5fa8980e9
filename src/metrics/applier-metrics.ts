import type { Registry } from 'prom-client';
import type { Appliers } from '../follower/appliers.ts';
import type { ApplierStateDocument } from '../follower/applier-state.ts';
import { addGauges } from './families.ts';

const PHASES = ['stopped', 'starting', 'syncing', 'tailing', 'backoff', 'stopping', 'failed'];

type State = ApplierStateDocument['state'];

/** Of one state: name, what it is, and where it is found. */
type Row = readonly [name: string, help: string, read: (state: State) => unknown];

const ROWS: readonly Row[] = [
  ['applier_running', '1 while the applier runs, else 0.', ({ running }) => running],
  [
    'applier_lag_seconds',
    'Age of the oldest event that is not applied yet; absent while that is not known.',
    (state) => state['secondsBehind'],
  ],
  [
    'applier_lag_ticks',
    "Ticks to the end of the leader's log; absent while that is not known.",
    (state) => state['ticksBehind'],
  ],
  [
    'applier_applied_tick',
    'Everything up to here is applied.',
    (state) => state['lastAppliedContinuousTick'],
  ],
  [
    'applier_available_tick',
    "End of the leader's log when it last answered.",
    (state) => state['lastAvailableContinuousTick'],
  ],
  [
    'applier_last_error_number',
    'Number of the last error; 0 for none.',
    (state) => (state['lastError'] as { errorNum: number }).errorNum,
  ],
  [
    'applier_resyncs',
    'Times everything was copied anew, since the server was started or the applier forgotten.',
    (state) => state['totalResyncs'],
  ],
  [
    'applier_ignored_errors',
    'Events that failed and were passed over, since the same.',
    (state) => state['totalIgnoredErrors'],
  ],
  [
    'sync_bytes_done',
    'Of the sync that is under way, what is copied of the dump; absent without one.',
    ({ sync }) => sync?.bytesDone,
  ],
  [
    'sync_bytes_expected',
    'Of the sync that is under way, the whole dump; absent without one, or where it is not known.',
    ({ sync }) => sync?.bytesExpected,
  ],
];

/** How each database that follows a leader stands. */
export function addApplierMetrics(registry: Registry, appliers: Appliers): void {
  const states = (): readonly (readonly [database: string, state: State])[] =>
    appliers.states.map(({ database, state }) => [database, state.state]);
  addGauges(
    registry,
    ROWS.map(([name, help, read]) => ({
      ...{ name: `ticklog_${name}`, help, labels: ['database'] },
      read: () => states().map(([database, state]) => [{ database }, numberOf(read(state))]),
    })),
  );
  addGauges(registry, [
    {
      name: 'ticklog_applier_phase',
      help: '1 for the phase that the applier is in, 0 for the others.',
      labels: ['database', 'phase'],
      read: () =>
        states().flatMap(([database, state]) =>
          PHASES.map((phase) => [{ database, phase }, state['phase'] === phase ? 1 : 0] as const),
        ),
    },
  ]);
}

/** A tick that is a text, a number, or whether something is so; undefined for null and what is not there. */
function numberOf(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}
