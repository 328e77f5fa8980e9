import { afterEach, beforeEach, expect, test, vi } from 'vitest';
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
  // All of it came within five seconds.
  expect(line).toBe(
    'ticklog: dumping (80 %): 20 s left, 2.00 KiB/s, 20/s, 1 of 2 collections, ' +
      '1.60 k of 2.00 k documents, 160 KiB of 200 KiB; in work: b (60 %)',
  );
  expect(io.stdout.text).toBe("'a' was complete before: 1000 lines, 102400 bytes\ndumping 'b'\n");
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
  expect(io.stderr.text.split('\n')[1]).toContain('(50 %): 5 s left, 2.00 KiB/s, 0 of 1');
});
