import { describe, expect, test } from 'vitest';
import { splitMessage } from '../../../src/model/error-words.ts';
import { bytes, counted, duration, rounded, share } from '../../../src/ui/format.ts';
import type { ApplierPhase } from '../../../src/model/applier-phase.ts';
import type { ApplierStatus, LoggerStatus, LogLine } from '../../../src/ui/types.ts';
import {
  entrySubject,
  entryWords,
  headline,
  lagWords,
  logEndOf,
  positionOf,
  verifyWords,
  workWords,
} from '../../../src/ui/words.ts';

const TIME = '2024-05-14T09:00:00Z';

function loggerOf(state: Partial<LoggerStatus['state']>, clients: number[] = []): LoggerStatus {
  return {
    state: {
      ...{ running: true, lastLogTick: '90', firstTick: '1', holeAt: '0', totalEvents: 3 },
      time: TIME,
      ...state,
    },
    server: { version: '1.4.3', serverId: '1' },
    clients: clients.map((from) => ({
      ...{ serverId: String(from), lastServedTick: '0', from: String(from), time: TIME },
      ...{ retainedBytes: 0, lost: from === 0 },
    })),
  };
}

function applierOf(
  phase: ApplierPhase,
  state: Partial<ApplierStatus['state']> = {},
): ApplierStatus {
  return {
    state: {
      ...{ running: phase !== 'stopped' && phase !== 'failed', phase, since: TIME, time: TIME },
      lastAppliedContinuousTick: null,
      lastProcessedContinuousTick: null,
      lastAvailableContinuousTick: null,
      progress: { time: TIME, failedConnects: 0 },
      ...{ totalEvents: 0, totalResyncs: 0, totalIgnoredErrors: 0, lastErrors: [] },
      ...state,
    },
    endpoint: 'tcp://10.0.0.7:8529',
  };
}

const ALONE: ApplierStatus = { state: applierOf('stopped').state };

describe('the headline', () => {
  const why = { errorNum: 1210, errorMessage: 'unique constraint violated, offending marker: {}' };
  test.each<[string, string, LoggerStatus, ApplierStatus]>([
    ['On its own', 'ok', loggerOf({}), ALONE],
    ['Leading 2 followers', 'ok', loggerOf({}, [5, 6]), ALONE],
    ['1 follower lost the place', 'warn', loggerOf({}, [5, 0]), ALONE],
    ['The logger is stopped', 'warn', loggerOf({ running: false }), ALONE],
    [
      'In step with the leader',
      'ok',
      loggerOf({ running: false }),
      applierOf('tailing', { ticksBehind: 0 }),
    ],
    [
      'Following closely',
      'ok',
      loggerOf({}),
      applierOf('tailing', { ticksBehind: 9, secondsBehind: 2 }),
    ],
    [
      'Behind the leader',
      'warn',
      loggerOf({}),
      applierOf('tailing', { ticksBehind: 9, secondsBehind: 12 }),
    ],
    ['Following', 'busy', loggerOf({}), applierOf('tailing', { ticksBehind: null })],
    [
      'The leader cannot be reached',
      'warn',
      loggerOf({}),
      applierOf('backoff', { whyWaiting: why }),
    ],
    ['Stopped by an error', 'bad', loggerOf({}), applierOf('failed', { whyStopped: why })],
    ['Copying from the leader', 'busy', loggerOf({}), applierOf('syncing')],
    ['Not following', 'warn', loggerOf({}), applierOf('stopped')],
    [
      ...(['Writes are refused', 'bad'] as const),
      loggerOf({ storage: { writesRefused: { errorNum: 1304, message: 'the disk is full' } } }),
      applierOf('failed', { whyStopped: why }),
    ],
    [
      ...(['Stored data is damaged', 'bad'] as const),
      loggerOf({ storage: { damage: { count: 1, since: TIME, message: 'a block' } } }),
      applierOf('tailing', { ticksBehind: 0 }),
    ],
  ])('is "%s", which is %s', (text, tone, logger, applier) => {
    expect(headline(logger, applier)).toMatchObject({ text, tone });
  });

  test('warns of what was passed over, however far the follower is', () => {
    const words = (state: Partial<ApplierStatus['state']>) =>
      headline(loggerOf({}), applierOf('tailing', state));
    const lacks = 'This follower lacks these changes of the leader; verify shows what differs.';
    const text = '3 entries were passed over';
    for (const ticksBehind of [0, 9, null]) {
      const state = { ticksBehind, totalIgnoredErrors: 3 };
      expect(words(state)).toEqual({ tone: 'warn', text, more: lacks });
    }
    expect(words({ ticksBehind: 0, totalIgnoredErrors: 1 }).text).toBe('1 entry was passed over');
    const far = words({ ticksBehind: 9, secondsBehind: 12, totalIgnoredErrors: 3 });
    expect(far).toEqual({ tone: 'warn', text: 'Behind the leader', more: `${text}: ${lacks}` });
  });

  test('warns of a copy that was not finished, unless the applier runs', () => {
    const unfinishedSync = {
      ...{ leaderId: '4711', database: '_system', tick: '99' },
      ...{ collectionsDone: 1, collectionsExpected: 2 },
    };
    const stopped = headline(loggerOf({}), applierOf('stopped', { unfinishedSync }));
    expect(stopped).toMatchObject({ tone: 'bad', text: 'A copy was not finished' });
    expect(stopped.more).toContain('Of server 4711 1 of 2 collections are complete');
    const running = headline(
      loggerOf({}),
      applierOf('tailing', { unfinishedSync, ticksBehind: 0 }),
    );
    expect(running.tone).toBe('ok');
  });

  test('leaves the entry that an error is about to those who open it', () => {
    const words = headline(loggerOf({}), applierOf('failed', { whyStopped: why }));
    expect(words.more).toBe('unique constraint violated');
    expect(splitMessage(why.errorMessage)).toEqual({ text: words.more, entry: '{}' });
    expect(splitMessage('no marker')).toEqual({ text: 'no marker', entry: undefined });
    expect(splitMessage('could not connect to master at tcp://a:1: no').text).toBe(
      'could not connect to leader at tcp://a:1: no',
    );
    expect(splitMessage("collection 'master' is not here").text).toContain("'master'");
  });
});

describe('words for lags, places and entries', () => {
  test('say what is known', () => {
    const lag = (ticksBehind: number | null, secondsBehind: number | null): string =>
      lagWords(applierOf('tailing', { ticksBehind, secondsBehind }).state);
    expect(lag(0, 0)).toBe('none');
    expect(lag(1234, 61)).toBe('1 min 1 s, 1,234 ticks');
    expect(lag(7, null)).toBe('7 ticks');
    expect(lag(1, null)).toBe('1 tick');
    expect(lag(null, null)).toBe('unknown while the leader does not answer');
    expect(lagWords(ALONE.state)).toBe('not following');
  });

  test('tell how far a comparison is, as far as that is known', () => {
    const verify = {
      ...{ collectionsDone: 1, collectionsExpected: 4, collection: null },
      ...{ documentsDone: 0, documentsExpected: 50_000 },
      ...{ phase: 'comparing' as const, documentsPerSecond: 0, secondsLeft: null },
    };
    const all = '1 of 4 collections and 0 of 50,000 documents compared';
    expect(verifyWords({ ...verify, collectionsExpected: 0 })).toBe('');
    expect(verifyWords(verify)).toBe(`${all}.`);
    const people = { name: 'people', documentsDone: null, documentsExpected: null };
    expect(verifyWords({ ...verify, collection: { ...people, side: 'leader' } })).toBe(
      `people is read on the leader; ${all}.`,
    );
    const read = { ...people, documentsDone: 12_000, documentsExpected: 50_000 };
    const here = { ...verify, collection: { ...read, side: 'here' as const } };
    expect(verifyWords(here)).toBe(`people: 12,000 of 50,000 documents read here; ${all}.`);
    const fast = { ...here, documentsPerSecond: 1234.5, secondsLeft: 40.5 };
    expect(verifyWords({ ...fast, phase: 'rechecking' })).toBe(
      'people: 12,000 of 50,000 documents read here again, as it differed; ' +
        `${all}, 1,235/s, about 41 s left.`,
    );
    expect(verifyWords({ ...fast, secondsLeft: null })).toMatch(/, 1,235\/s\.$/);
  });

  test('name what goes over a collection', () => {
    const work = {
      ...{ collection: { id: '7', name: 'c' }, documentsDone: 1, documentsExpected: 2 },
      ...{ documentsPerSecond: 0, secondsLeft: null },
    };
    expect(workWords({ ...work, kind: 'search' })).toBe('Search of c for what differs');
    expect(workWords({ ...work, kind: 'checksum' })).toBe('Checksum of c');
    expect(workWords({ ...work, kind: 'index' })).toBe('Index of c');
    const index = { id: '9', type: 'hash', unique: false, fields: ['a', 'b'] };
    const cap = { id: '9', type: 'cap', unique: false };
    expect(workWords({ ...work, kind: 'index', index })).toBe('Index of c (hash on a, b)');
    expect(workWords({ ...work, kind: 'index', index: cap })).toBe('Index of c (cap)');
  });

  test('tell the position of a client exactly, however large ticks are', () => {
    const [client] = loggerOf({}, [1]).clients;
    const from = '9223372036854775001';
    expect(positionOf({ ...client!, from })).toBe(9223372036854775001n);
    expect(positionOf({ ...client!, from, lastServedTick: '9223372036854775002' })).toBe(
      9223372036854775002n,
    );
  });

  test.each<[Partial<LogLine> & { type: number }, string, string]>([
    [{ type: 2300, cname: 'c', key: 'k' }, 'document inserted', 'c/k'],
    [{ type: 2301, cname: 'c', key: 'k', oldRev: '1' }, 'edge updated', 'c/k'],
    [{ type: 2302, cname: 'c', key: 'k', oldRev: '1' }, 'removed', 'c/k'],
    [{ type: 2101, cname: 'c', id: '12' }, 'index dropped', 'c (index 12)'],
    [{ type: 2002, cname: 'c', collection: { name: 'd' } }, 'collection renamed', 'c to d'],
    [
      { type: 2100, cname: 'c', index: { type: 'hash', fields: ['a', 'b'] } },
      'index created',
      'c (hash on a, b)',
    ],
    [{ type: 2200, collections: [{ name: 'c', operations: 2 }] }, 'transaction begins', 'c (2)'],
    [{ type: 4711 }, 'entry of type 4711', ''],
  ])('name an entry %#', (line, what, subject) => {
    const whole: LogLine = { tick: '1', ...line };
    expect([entryWords(whole), entrySubject(whole)]).toEqual([what, subject]);
  });
});

describe('numbers for people', () => {
  test.each([
    [0.04, '0 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [59.6, '1 min'],
    [3600, '1 h'],
    [7_325, '2 h 2 min'],
    [90_000, '1 d 1 h'],
  ])('a duration of %d seconds is %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  test('sizes, rates, counts and shares', () => {
    expect([0, 1023, 1024, 150 * 1024, 3.5 * 1024 ** 3].map(bytes)).toEqual([
      ...['0 B', '1,023 B', '1 KiB', '150 KiB', '3.5 GiB'],
    ]);
    expect([0, 0.123, 12.34, 1234.5].map(rounded)).toEqual(['0', '0.12', '12.3', '1,235']);
    expect([counted(1, 'document'), counted(2000, 'document')]).toEqual([
      ...['1 document', '2,000 documents'],
    ]);
    expect([share(1, 4), share(5, 4), share(0, 0), share(1, null)]).toEqual([
      0.25,
      1,
      1,
      undefined,
    ]);
  });
});

test.each([
  ['tailing', '535', '520', '535'],
  ['tailing', '520', '535', '535'],
  ['tailing', '9', '10', '10'],
  ['failed', '535', '520', '520'],
  ['tailing', null, '520', '520'],
  ['tailing', '535', null, null],
] as const)('where the log ends: %s, applied %s of %s', (phase, applied, end, shown) => {
  const ticks = { lastAppliedContinuousTick: applied, lastAvailableContinuousTick: end };
  expect(logEndOf(applierOf(phase, ticks).state)).toBe(shown);
});
