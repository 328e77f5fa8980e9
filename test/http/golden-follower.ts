import type { Step } from '../support/capture-replay.ts';
import type { CapturedVersion } from '../support/captures.ts';

/*
 * What was done to the leader and the follower between the recordings of the applier, and was not recorded
 * itself: golden-situations.ts has the others.
 */

const SAVE = 'POST /_api/document?collection=people';
const STOP: Step = ['follower', 'PUT /_api/replication/applier-stop'];
/** The leader behind the recording proxy, by version. */
const LEADER: Readonly<Record<CapturedVersion, string>> = {
  '1.4.3': 'tcp://127.0.0.1:8613',
  '3.0.3': 'tcp://127.0.0.1:8713',
};
const STOPPED: Step = { until: ({ running }) => !running };
/** The leader has answered with a page of its log. */
const CONTACTED: Step = {
  until: ({ lastAvailableContinuousTick }) => lastAvailableContinuousTick !== null,
};

/** It has a position of its own. */
const APPLIED: Step = {
  until: ({ lastAppliedContinuousTick }) => lastAppliedContinuousTick !== null,
};

/** The same operations as a stream transaction. */
export function transaction(operations: readonly Step[]): Step[] {
  const collections = { write: ['people', 'knows'] };
  return [
    ['leader', 'POST /_api/transaction/begin', { collections }],
    ...operations,
    ['leader', 'PUT /_api/transaction/<id>'],
  ];
}

const BEFORE: Readonly<Record<string, readonly Step[]>> = {
  'start-while-running': [CONTACTED],
  'state-running': [CONTACTED],
  'follower-live-document': [
    ['leader', SAVE, { _key: 'live', uid: 1001, serial: 1001 }],
    ['leader', 'POST /_api/collection', { name: 'vanishing' }],
    ...transaction([
      ['leader', SAVE, { _key: 'l1', uid: 1011, serial: 1011 }],
      [
        'leader',
        'POST /_api/edge?collection=knows&from=people/l1&to=people/l1',
        { _key: 'le', _from: 'people/l1', _to: 'people/l1' },
      ],
    ]),
    'caught up',
  ],
  'start-resume': [['leader', SAVE, { _key: 'whilestopped', uid: 1002, serial: 1002 }]],
  'state-resumed': ['caught up'],
  'state-failed-collection-missing': [
    STOP,
    ['follower', 'DELETE /_api/collection/vanishing'],
    ['follower', 'PUT /_api/replication/applier-start'],
    ['leader', 'POST /_api/document?collection=vanishing', { _key: 'nope' }],
    STOPPED,
  ],
  'state-without-state-and-from': [STOPPED],
  'state-leader-logger-stopped': ['caught up', CONTACTED],
  'config-put-unreachable': [STOP, ['leader', 'PUT /_api/replication/logger-start']],
  'state-failed-unreachable': [STOPPED],
  'state-small-chunks': ['caught up', CONTACTED],
  'config-put-malformed-endpoint': [STOP],
  'config-put-same-server': [STOP],
  'state-same-server': [STOPPED],
  'config-put-unknown-database': [STOP],
  'state-unknown-database': [STOPPED],
  'state-failed-live-create-collection-3.0.3-bug': [APPLIED],
  'state-make-slave': [CONTACTED],
};

/** Steps to be made before a recording of the applier. */
export function beforeFollower(version: CapturedVersion, file: string): readonly Step[] {
  if (file === 'sync/incremental.http') return [STOP];
  const [, name = ''] = /^applier\/(.*)\.http$/.exec(file) ?? [];
  if (name === 'start-leader-logger-stopped' || name === 'start-before-live-create') {
    const body = { endpoint: LEADER[version] };
    return [['follower', 'PUT /_api/replication/applier-config', body]];
  }
  return BEFORE[name] ?? [];
}
