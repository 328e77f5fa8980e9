import { expect, test } from 'vitest';
import { makeChanges } from '../../bench/support/changes.ts';
import { DocumentSource } from '../../bench/support/documents.ts';
import { DigestBuilder } from '../../bench/support/dump.ts';

test('what is expected after changes in two parts is what is there', async () => {
  const source = new DocumentSource({ seed: 3 });
  const there = new Map<string, string>();
  const expected = new DigestBuilder();
  for (let number = 0; number < 100; number++) {
    there.set(source.key(number), source.text(number));
    expected.add(source.text(number));
  }
  const set = (key: string, text: string, isNew: boolean): Promise<void> => {
    expect(there.has(key)).toBe(!isNew);
    there.set(key, text);
    return Promise.resolve();
  };
  const target = {
    insert: (key: string, text: string) => set(key, text, true),
    replace: (key: string, text: string) => set(key, text, false),
    remove: (key: string) => {
      expect(there.delete(key)).toBe(true);
      return Promise.resolve();
    },
  };
  const targets = [target, target, target];
  await makeChanges(targets, { documents: 100, changes: 60 }, source, expected);
  await makeChanges(targets, { documents: 100, changes: 40, from: 60 }, source, expected);
  expect(there.size).toBe(100 + 80 - 5);
  const found = new DigestBuilder();
  for (const text of there.values()) found.add(text);
  expect(found).toEqual(expected);
});
