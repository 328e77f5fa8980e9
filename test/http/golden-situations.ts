import type { CapturedVersion } from '../support/captures.ts';
import type { Step } from '../support/capture-replay.ts';
import { beforeFollower, transaction } from './golden-follower.ts';

const GRAPHS: Step = ['leader', 'POST /_api/collection', { name: '_graphs', isSystem: true }];

/** Before the first recording: what the real servers had from the start. */
const AT_START: Readonly<Record<CapturedVersion, readonly Step[]>> = {
  '1.4.3': [GRAPHS, ['leader', 'POST /_api/index?collection=_graphs', index('hash', 'name')]],
  '3.0.3': [
    GRAPHS,
    ['leader', 'POST /_api/index?collection=_graphs', index('hash', 'user')],
    ['leader', 'POST /_api/document?collection=_graphs', { _key: '14' }],
    ['leader', 'POST /_api/import?collection=_graphs&type=documents', '{"_key":"second"}'],
  ],
};

/** What was done to the real servers before a recording, and was not recorded. */
const BEFORE: readonly (readonly [file: string, steps: readonly Step[]])[] = [
  [
    'follow/other-database-not-running.http',
    [
      ['leader', 'POST /_db/otherdb/_api/collection', { name: '_graphs', isSystem: true }],
      ['leader', 'POST /_db/otherdb/_api/index?collection=_graphs', index('hash', 'user')],
      [
        'leader',
        'POST /_db/otherdb/_api/import?collection=_graphs&type=documents',
        '{"_key":"14"}\n{"_key":"16"}\n{"_key":"18"}',
      ],
    ],
  ],
  [
    'wire/',
    ['livecol', 'livecol2', 'many'].flatMap((name): Step[] => [
      ['leader', 'POST /_api/collection', { name }],
      ['leader', `POST /_api/document?collection=${name}`, { _key: 'nope' }],
    ]),
  ],
  ['dump/whole.http', [['leader', 'POST /_api/collection', { name: 'emptycol' }]]],
];

const SAVE = 'POST /_api/document?collection=people';
const KNOWS = 'POST /_api/edge?collection=knows';

/** What a recorded request did that this server refuses, done in other ways. */
const AFTER: readonly (readonly [file: RegExp, steps: readonly Step[]])[] = [
  [
    /50-transaction-multi/,
    transaction([
      ['leader', SAVE, { _key: 't1', uid: 11, serial: 11 }],
      ['leader', SAVE, { _key: 't2', uid: 12, serial: 12 }],
      ['leader', 'PATCH /_api/document/people/t1', { x: 1 }],
      ['leader', `${KNOWS}&from=people/t1&to=people/t2`, { _key: 'te' }],
      ['leader', 'DELETE /_api/document/people/t2'],
    ]),
  ],
  // Where the real server refused to stop its log, ours goes on.
  [/69-logger-stop|logger-stop-never-started/, [['leader', 'PUT /_api/replication/logger-start']]],
  [/51-transaction-single/, transaction([['leader', SAVE, { _key: 't3', uid: 13, serial: 13 }]])],
  [
    /52-transaction-wait/,
    transaction([
      ['leader', SAVE, { _key: 't4', uid: 14, serial: 14 }],
      ['leader', 'DELETE /_api/document/people/t4'],
    ]),
  ],
  [/simple-remove-by-example/, [['leader', 'DELETE /_api/document/imported/i1']]],
  [/simple-update-by-example/, [['leader', 'PATCH /_api/document/imported/i2', { b: 3 }]]],
  [
    /graph-create/,
    [
      ['leader', 'POST /_api/collection', { name: 'gv' }],
      ['leader', 'POST /_api/collection', { name: 'ge', type: 3 }],
      [
        'leader',
        'POST /_api/document?collection=_graphs',
        {
          ...{ _key: 'g', vertices: 'gv', edges: 'ge', orphanCollections: [] },
          edgeDefinitions: [{ collection: 'ge', from: ['gv'], to: ['gv'] }],
        },
      ],
    ],
  ],
  [
    /aqlfunction-insert/,
    [
      ['leader', 'POST /_api/collection', { name: '_aqlfunctions', isSystem: true }],
      [
        'leader',
        'POST /_api/import?collection=_aqlfunctions&type=documents',
        { _key: 'MY::F', name: 'my::f', code: '1', isDeterministic: false },
      ],
    ],
  ],
];

function index(type: string, field: string): object {
  return { type, unique: false, fields: [field] };
}

/** Steps to be made before a recording; those before the first one for an empty name. */
export function stepsBefore(version: CapturedVersion, file: string): readonly Step[] {
  if (file === '') return AT_START[version];
  return BEFORE.find(([name]) => name === file)?.[1] ?? beforeFollower(version, file);
}

/** Steps to be made between the request of a recording and the look at the log. */
export function stepsAfter(version: CapturedVersion, file: string): readonly Step[] {
  if (version === '1.4.3' && file === 'applier/start-leader-logger-stopped.http') {
    return [['leader', 'PUT /_api/replication/logger-stop']];
  }
  if (version === '1.4.3' && file.includes('logger-stop')) return [];
  return AFTER.find(([files]) => files.test(file))?.[1] ?? [];
}
