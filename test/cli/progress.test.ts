import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { drawnRow, rowsOf } from '../../src/cli/progress-rows.ts';
import { amountParts, progressLine, resumedText } from '../../src/cli/progress-text.ts';
import { ProgressDisplay, type ProgressFigures } from '../../src/cli/progress.ts';
import { syncFigures } from '../../src/cli/sync-figures.ts';
import { CollectingStream, closedPipe, runCli } from '../support/cli-run.ts';
import { LeaderScript, json } from '../support/leader-script.ts';

const MIB = 1024 * 1024;
const FIGURES: ProgressFigures = {
  phase: 'dumping',
  ...{ collectionsDone: 1, collectionsExpected: 3 },
  ...{ documentsDone: 1200, documentsExpected: 5000, bytesDone: 5 * MIB, bytesExpected: 20 * MIB },
  ...{ documentsPerSecond: 300, bytesPerSecond: 2 * MIB, secondsLeft: 130 },
  inWork: [
    {
      name: 'orders',
      ...{ documentsDone: 10, documentsExpected: 40, bytesDone: 1, bytesExpected: 2 },
    },
  ],
};

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function ioOf(isErrTty: boolean) {
  const stderr = Object.assign(new CollectingStream(), { isTTY: isErrTty, columns: 200 });
  const stdout = new CollectingStream();
  const io = { stdout, stderr, isTty: false, isErrTty, useColor: false, isJson: false };
  return { io, stdout, stderr };
}

test('elsewhere than on a terminal: a plain line every few seconds, on the error stream', () => {
  const { io, stdout, stderr } = ioOf(false);
  const display = ProgressDisplay.start(io, true, () => FIGURES);
  vi.advanceTimersByTime(4900);
  expect(stderr.text).toBe('');
  vi.advanceTimersByTime(5200);
  display?.[Symbol.dispose]();
  vi.advanceTimersByTime(20_000);
  const line =
    'ticklog: dumping (25 %): 2 m 10 s left, 2.00 MiB/s, 300/s, 1 of 3 collections, 1.20 k of ' +
    '5.00 k documents, 5.00 MiB of 20.0 MiB; in work: orders (50 %)\n';
  expect(stderr.text).toBe(line + line);
  expect(stdout.text).toBe('');
});

test('on a terminal: a bar for all and one for each collection in work, gone at the end', () => {
  const { io, stderr } = ioOf(true);
  const display = ProgressDisplay.start(io, true, () => FIGURES);
  vi.advanceTimersByTime(600);
  expect(display?.isDrawn).toBe(true);
  expect(stderr.text).toContain(
    `dumping              ${'█'.repeat(6)}${'░'.repeat(18)}  25 %  2 m`,
  );
  expect(stderr.text).toContain(`  orders             ${'█'.repeat(12)}${'░'.repeat(12)}  50 %  `);
  display?.say('above');
  display?.[Symbol.dispose]();
  // Nothing of a bar stays behind it.
  expect(stderr.text).toContain('above\x1b[K\n');
  const { length } = stderr.text;
  vi.advanceTimersByTime(2000);
  display?.[Symbol.dispose]();
  expect(stderr.text).toHaveLength(length);
});

const INDEXING = {
  ...{ phase: 'indexing', collectionsDone: 1, collectionsExpected: 2 },
  ...{ documentsDone: 5000, documentsExpected: 5000, bytesDone: 20 * MIB, bytesExpected: 20 * MIB },
  ...{ documentsPerSecond: 17, bytesPerSecond: 4711, secondsLeft: 12 },
  collections: [
    {
      ...{ name: 'orders_of_all_the_years', status: 'indexing' },
      indexing: {
        ...{ documentsDone: 2300, documentsExpected: 5000 },
        ...{ documentsPerSecond: 225, secondsLeft: 12 },
      },
    },
  ],
};
const SPEED = '2 m 10 s left, 2.00 MiB/s, 300/s';
const SUMS = '1.20 k of 5.00 k documents, 5.00 MiB of 20.0 MiB';

test.each([
  [60, '2 m 10 s left, 2.00 MiB/s', SUMS, '1 B of 2 B', 'indexes'],
  [80, SPEED, `${SUMS}, 1/3 collections`, '10 of 40 documents, 1 B of 2 B', '5.00 k documents'],
  [100, SPEED, `${SUMS}, 1/3 collections`, '1 B of 2 B', '5.00 k documents, 12 s left, 225/s'],
  [120, SPEED, `${SUMS}, 1/3 collections`, '1 B of 2 B', '5.00 k documents, 12 s left, 225/s'],
  [200, `${SPEED}, ${SUMS}, 1/3 collections`, undefined, '1 B of 2 B', '12 s left, 225/s'],
])(
  'on %i columns every figure is whole, and what matters least is left out',
  (columns, first, second, ofCollection, ofIndexes) => {
    const shown = (figures: ProgressFigures): string[] =>
      rowsOf(figures, columns).map((row) => drawnRow(row, row.fraction ?? 0, columns));
    const rows = shown(FIGURES);
    const [all = '', ...more] = rows;
    expect(all.slice(all.indexOf('%') + 3)).toBe(first);
    if (second !== undefined) expect(more.shift()).toBe(`  ${second}`);
    expect(more).toEqual([
      expect.stringMatching(new RegExp(`^  orders .* 50 %  .*${ofCollection}$`)),
    ]);
    const indexed = shown(syncFigures(INDEXING) as ProgressFigures);
    expect(indexed.at(-1)).toMatch(new RegExp(`46 %  .*${ofIndexes}$`));
    for (const row of [...rows, ...indexed]) expect(row.length).toBeLessThanOrEqual(columns);
  },
);

test('while all that is in work is indexed there is its rate, and none of what came before', () => {
  expect(progressLine(syncFigures(INDEXING) as ProgressFigures)).toBe(
    'indexing (99 %): 12 s left, 1 of 2 collections, 5.00 k of 5.00 k documents, 20.0 MiB of 20.0 MiB; ' +
      'in work: orders_of_all_the_years, indexes (46 %, 2.30 k of 5.00 k documents, 12 s left, 225/s)',
  );
});

test('numbers of one are not those of several', () => {
  const one = { documentsDone: 1, documentsExpected: 1, bytesDone: 1, bytesExpected: 1 };
  const figures = { phase: 'dumping', collectionsDone: 1, collectionsExpected: 1, ...one };
  expect(progressLine({ ...figures, inWork: [] })).toBe(
    'dumping (100 %): 1 of 1 collection, 1 of 1 document, 1 B of 1 B',
  );
  expect(amountParts({ documentsDone: 1, bytesDone: 0 })).toEqual(['1 document']);
  expect(amountParts({ documentsDone: 0, bytesDone: 0 })).toEqual(['0 documents']);
  expect(resumedText({ collections: 2, documents: 1, bytes: 0 })).toBe(
    'resumed from what was copied before: 2 collections, 1 document, 0 B',
  );
});

test('nothing is shown that is not wanted', () => {
  const { io } = ioOf(true);
  expect(ProgressDisplay.start(io, false, () => FIGURES)).toBeUndefined();
});

test.each([false, true])(
  'a sync shows what the server tells of it; terminal: %s',
  async (isErrTty) => {
    vi.useRealTimers();
    await using server = await LeaderScript.open();
    const sync = {
      ...{ phase: 'copying', collectionsDone: 2, collectionsExpected: 3 },
      ...{ documentsDone: 7, documentsExpected: 9, bytesDone: 70, bytesExpected: 90 },
      collections: [{ name: 'orders', status: 'copying', documentsDone: 1, bytesDone: 2 }],
      resumedFrom: { collections: 1, documents: 1200, bytes: 5 * MIB },
    };
    server
      .always('PUT check-leader', json({ server: { serverId: '1', version: '1.4.3' } }))
      .always('GET applier-state', json({ state: { running: false, phase: 'syncing', sync } }))
      .always('PUT sync', async () => {
        await new Promise((resolve) => setTimeout(resolve, isErrTty ? 1600 : 5600));
        return json({ collections: [], lastLogTick: '7' });
      });
    const argv = ['sync', 'tcp://127.0.0.1:1', '--yes', '--server.endpoint', server.endpoint];
    const { code, stdout, stderr } = await runCli(argv, { isErrTty });
    expect(code).toBe(0);
    expect(stdout).toBe(
      'copied 0 collections from tcp://127.0.0.1:1, database _system\nlastLogTick 7\n',
    );
    expect(stderr).toContain(isErrTty ? '  77 %  ' : 'ticklog: copying (77 %): 2 of 3 collections');
    expect(stderr).toContain('orders');
    const resumed = 'resumed from what was copied before: 1 collection, 1.20 k documents, 5.00 MiB';
    expect(stderr.split(isErrTty ? resumed : `ticklog: ${resumed}\n`)).toHaveLength(2);
  },
  15_000,
);

test('whoever reads the output may go away: it ends without a word', async () => {
  await using server = await LeaderScript.open();
  server.always('GET inventory', json({ collections: [], tick: '1' }));
  vi.useRealTimers();
  const stdout = closedPipe();
  const at = ['--server.endpoint', server.endpoint];
  for (const more of [[], ['-o', 'json']]) {
    expect(await runCli(['inventory', ...more, ...at], { stdout })).toMatchObject({
      ...{ code: 0, stderr: '' },
    });
  }
});
