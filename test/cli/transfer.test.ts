import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { IndexProgress } from '../../src/cli/index-progress.ts';
import { Transfer } from '../../src/cli/transfer.ts';
import { CollectingStream } from '../support/cli-run.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const KIB = 1024;

function ioOf() {
  const [stdout, stderr] = [new CollectingStream(), new CollectingStream()];
  return { stdout, stderr, isTty: false, isErrTty: false, useColor: false, isJson: false };
}

test('what an interrupted run has done is done, and does not count for the rate', async () => {
  const io = ioOf();
  using transfer = new Transfer(io, { verb: 'dumping', progress: true });
  transfer.expect([
    { name: 'a', documents: 1000, bytes: 100 * KIB },
    { name: 'b', documents: 1000, bytes: 100 * KIB },
  ]);
  vi.advanceTimersByTime(5000);
  await transfer.keep('a', { lines: 1000, bytes: 100 * KIB, requests: 7 });
  const b = await transfer.begin('b');
  b.resume({ lines: 500, bytes: 50 * KIB, requests: 3 });
  b.addRequest({ lines: 100, bytes: 10 * KIB });
  vi.advanceTimersByTime(5000);
  const [, line] = io.stderr.text.split('\n');
  // All of it came within ten seconds.
  expect(line).toBe(
    'ticklog: dumping (80 %): 40 s left, 1.00 KiB/s, 10/s, 1 of 2 collections, ' +
      '1.60 k of 2.00 k documents, 160 KiB of 200 KiB; in work: b (60 %)',
  );
  expect(io.stdout.text).toBe("'a' was complete before: 1,000 lines, 102,400 bytes\ndumping 'b'\n");
  await transfer.end('dumped', 'b', b);
  expect(transfer.result()).toMatchObject({
    collections: [
      { name: 'a', lines: 1000 },
      { name: 'b', lines: 600 },
    ],
    ...{ lines: 1600, resumed: { collections: 1, lines: 1500, bytes: 150 * KIB } },
  });
});

test('files that are read from their beginning again count as read now', async () => {
  const io = ioOf();
  using transfer = new Transfer(io, { verb: 'restoring', progress: true });
  transfer.expect([{ name: 'b', documents: 1000, bytes: 20 * KIB }]);
  vi.advanceTimersByTime(5000);
  const b = await transfer.begin('b');
  // Of lines, which are longer than the compressed file.
  b.resume({ lines: 500, bytes: 50 * KIB, requests: 3 });
  b.read(10 * KIB);
  vi.advanceTimersByTime(5000);
  expect(io.stderr.text.split('\n')[1]).toContain('(50 %): 10 s left, 1.00 KiB/s, 0 of 1');
});

test('the first line has a rate, and says how long it takes', async () => {
  const io = ioOf();
  using transfer = new Transfer(io, { verb: 'dumping', progress: true });
  transfer.expect([{ name: 'a', documents: 1000, bytes: 100 * KIB }]);
  const a = await transfer.begin('a');
  a.addRequest({ lines: 500, bytes: 50 * KIB });
  vi.advanceTimersByTime(5000);
  expect(io.stderr.text).toContain('dumping (50 %): 5 s left, 10.0 KiB/s, 100/s, 0 of 1');
});

describe('while indexes are made', () => {
  const index = (field: string) => ({ id: field, type: 'hash', fields: [field], unique: false });
  const indexes = [{ type: 'primary', fields: ['_key'] }, index('x'), index('y')];
  const progress = new IndexProgress({ name: 'a', structure: JSON.stringify({ indexes }) });
  const works = (of: object | undefined, kind = 'index') => ({
    works: [
      {
        ...{ kind, index: of, documentsDone: 140, documentsExpected: 1000 },
        ...{ documentsPerSecond: 20, secondsLeft: 43 },
      },
    ],
  });

  test.each([
    ['a', '99 %): 1 m 33 s left, 0 of 1 collection,'],
    // How long those of others take nobody knows.
    ['b', '66 %): 0 of 2 collections,'],
  ])('it says how far they are, not how fast lines came; with %s', async (other, shown) => {
    const io = ioOf();
    using transfer = new Transfer(io, { verb: 'restoring', progress: true });
    const expected = new Map([['a', 100 * KIB]]).set(other, other === 'a' ? 100 * KIB : 50 * KIB);
    transfer.expect([...expected].map(([name, bytes]) => ({ name, documents: 1000, bytes })));
    const a = await transfer.begin('a');
    a.addRequest({ lines: 1000, bytes: 100 * KIB });
    a.indexing = progress.read(works(index('x')));
    vi.advanceTimersByTime(5000);
    expect(io.stderr.text).toContain(`indexing (${shown}`);
    expect(io.stderr.text).toContain(
      '; in work: a, index 1 of 2 (14 %, 140 of 1.00 k documents, 1 m 33 s left, 20/s)\n',
    );
  });

  test('the last takes no longer than itself, and other works are none of it', () => {
    expect(progress.read(works(index('y')))).toMatchObject({
      ...{ indexing: 'index 2 of 2', documentsDone: 140, secondsLeft: 43 },
    });
    expect(progress.read(works(index('z')))).toMatchObject({ indexing: 'indexes' });
    expect(progress.read(works(undefined, 'checksum'))).toBeUndefined();
    expect(progress.read({ works: [] })).toBeUndefined();
  });
});
