import { expect, test } from 'vitest';
import { DigestBuilder, LineCounter } from '../../bench/support/dump.ts';

test('a digest does not depend on the order of the documents', () => {
  const [left, right] = [new DigestBuilder(), new DigestBuilder()];
  for (const text of ['a', 'b', 'c']) left.add(text);
  for (const text of ['c', 'x', 'a', 'b']) right.add(text);
  expect(right).not.toEqual(left);
  right.remove('x');
  expect(right).toEqual(left);
});

test('lines that are cut between two pieces are counted once', () => {
  const counter = new LineCounter();
  for (const piece of ['{"a":1}\n{"b', '":2}', '\n', '{"c":3}\n']) counter.add(Buffer.from(piece));
  expect(counter).toMatchObject({ lines: 3, bytes: 24 });
});
