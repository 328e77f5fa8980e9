import { describe, expect, test } from 'vitest';
import { type OwnAnswer, differences, errorNumOf } from '../support/capture-comparison.ts';
import { ReplayServers } from '../support/capture-replay.ts';
import {
  CAPTURED_VERSIONS,
  CAPTURES_FOUND,
  type Capture,
  type CapturedVersion,
  type Exchange,
  readCaptures,
  readTraffic,
} from '../support/captures.ts';
import { DEVIATIONS, type Deviation } from './golden-deviations.ts';
import { stepsAfter, stepsBefore } from './golden-situations.ts';

/*
 * Makes every recorded request in the order in which it was recorded, of a leader and a follower of ours that
 * claim to be of the recorded version, and compares the answers. golden-deviations.ts has what differs on purpose.
 */

// The recordings are no part of the project; say so instead of passing without them.
if (!CAPTURES_FOUND) console.warn('skipped: the captures of real servers are not at hand');

/** Recorded while the log of the real server stood still, and read from before that. */
const LOGGER_STOPPED = /-(?:insert-while-logger-stopped|logger-start)\./;

/** What programs sent to a leader. A restore replaces what followers ask for, so it comes last. */
const TRAFFIC: Readonly<Record<CapturedVersion, readonly string[]>> = {
  '1.4.3': [
    'wire/follower-to-leader.raw',
    'wire/follower-to-leader-small-chunks.raw',
    'tools/arangodump.raw',
    'tools/arangorestore.raw',
  ],
  '3.0.3': ['wire/follower-to-leader.raw', 'wire/follower-to-leader-small-chunks.raw'],
};

interface Outcome {
  readonly file: string;
  readonly found: readonly string[];
}

function rowsOf(version: CapturedVersion, file: string): Deviation[] {
  return DEVIATIONS.filter(
    (row) => (row.version === undefined || row.version === version) && row.files.test(file),
  );
}

/** What is wrong with an answer beyond what the table has; notes the rows that were needed. */
function compare(
  servers: ReplayServers,
  { version, file, isFirst }: { version: CapturedVersion; file: string; isFirst: boolean },
  theirs: Exchange,
  ours: OwnAnswer,
  needed: Set<Deviation>,
): string[] {
  const rows = rowsOf(version, file);
  const values = file.startsWith('events/') && isFirst;
  const mayLack = (path: string): boolean => {
    if (file.startsWith('wire/') && /^line \d+$/.test(path)) return true;
    const row = rows.find(({ lacks }) => lacks?.test(path));
    if (row) needed.add(row);
    return row !== undefined;
  };
  const errorNum = errorNumOf(ours.text);
  const isHead = theirs.method === 'HEAD';
  const row = rows.find((each) =>
    isFirst
      ? each.status === ours.status && (isHead || each.errorNum === errorNum)
      : each.logStatus === ours.status,
  );
  const isOther = theirs.status !== ours.status || errorNumOf(theirs.body) !== errorNum;
  if (row && isOther) {
    needed.add(row);
    return [];
  }
  return differences(theirs, ours, servers.ids, {
    ...{ values, mayLack },
    sameLines: file.startsWith('events/') && !isFirst,
  });
}

async function replay(
  servers: ReplayServers,
  version: CapturedVersion,
  { file, exchanges }: Capture,
  needed: Set<Deviation>,
): Promise<Outcome> {
  const found: string[] = [];
  await servers.prepare(stepsBefore(version, file));
  const [, log] = exchanges;
  if (log && !LOGGER_STOPPED.test(file)) await servers.learnPosition(log);
  const [start] = exchanges;
  if (start && file.startsWith('applier/start-')) await servers.learnPosition(start);
  for (const [i, theirs] of exchanges.entries()) {
    const ours = await servers.ask(theirs);
    if (i === 0) await servers.prepare(stepsAfter(version, file));
    if (!/^follow|-logger-stop\.|-while-logger/.test(file)) servers.learnLastTick(theirs, ours);
    const place = { version, file, isFirst: i === 0 };
    for (const each of compare(servers, place, theirs, ours, needed)) {
      found.push(`${theirs.method} ${theirs.target}: ${each}`);
    }
  }
  return { file, found };
}

/** Makes the requests of a real follower or tool in their order. What it wrote meanwhile was not recorded. */
async function replayTraffic(
  servers: ReplayServers,
  version: CapturedVersion,
  file: string,
  needed: Set<Deviation>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let compared = 0;
  for (const theirs of readTraffic(version, file)) {
    const isJob = theirs.target.includes('/_api/job/');
    // Ours may be done earlier.
    if (isJob && !theirs.headers.has('x-arango-async-id')) continue;
    const ours = isJob ? await servers.askUntilDone(theirs) : await servers.ask(theirs);
    // Whether there is anything new depends on the moment.
    if ([200, 204].includes(ours.status) && [200, 204].includes(theirs.status)) {
      if (ours.status !== theirs.status) continue;
    }
    const place = { version, file, isFirst: true };
    const found = compare(servers, place, theirs, ours, needed);
    outcomes.push({ file: `${file} ${theirs.method} ${theirs.target}`, found });
    compared++;
  }
  expect(compared, file).toBeGreaterThan(5);
  return outcomes;
}

describe.skipIf(!CAPTURES_FOUND)('what real servers answered', () => {
  const needed = new Set<Deviation>();

  test.each(CAPTURED_VERSIONS)(
    'is what this server answers as %s',
    async (version) => {
      await using servers = await ReplayServers.open(version);
      await servers.prepare(stepsBefore(version, ''));
      const outcomes: Outcome[] = [];
      const captures = readCaptures(version);
      for (const capture of captures) {
        outcomes.push(await replay(servers, version, capture, needed));
      }
      await servers.prepare(stepsBefore(version, 'wire/'));
      for (const file of TRAFFIC[version]) {
        outcomes.push(...(await replayTraffic(servers, version, file, needed)));
      }
      const unexpected = outcomes.filter(({ found }) => found.length > 0);
      expect(
        unexpected.map(({ file, found }) => `${file}\n    ${found.join('\n    ')}`).join('\n'),
      ).toBe('');
      expect(captures.length).toBeGreaterThan(350);
    },
    300_000,
  );

  test('and every row of the table of deviations is needed', () => {
    const rows = DEVIATIONS.filter((row) => !needed.has(row));
    expect(rows.map(({ files, why }) => `${String(files)}: ${why}`)).toEqual([]);
  });
});
