import { expect, test } from 'vitest';
import { InvariantError } from '../../../src/base/assert.ts';
import { withCollectionIds, withoutTicks } from '../../../src/leader/dump-lines.ts';

function edge(from: string, to: string, rest = ''): string {
  return `{"tick":"7","type":2301,"key":"e","rev":"7","data":{"_key":"e","_rev":"7","_from":"${from}","_to":"${to}"${rest}}}\n`;
}

const REMOVAL = '{"tick":"8","type":2302,"key":"e","rev":"8"}\n';
const CIDS: Record<string, string> = { people: '42' };
const cidOf = (name: string): string | undefined => CIDS[name];

test('ids take the place of names in both ends, in whichever way the slash is spelled', () => {
  const body = Buffer.from(
    edge('people/a', 'people/b') + REMOVAL + edge('people\\/a', 'people\\/b'),
  );
  expect(withCollectionIds(body, cidOf).toString()).toBe(
    edge('42/a', '42/b') + REMOVAL + edge('42\\/a', '42\\/b'),
  );
});

test('names of unknown collections, and ends deeper in the document, stay', () => {
  const rest = ',"x":{"_key":"k","_rev":"r","_from":"people/a","_to":"people/b"},"ä":"people/c"';
  const body = Buffer.from(edge('gone/a', 'people/b', rest));
  expect(withCollectionIds(body, cidOf).toString()).toBe(edge('gone/a', '42/b', rest));
});

test('a line loses its tick and nothing else', () => {
  const body = Buffer.from(edge('people/ä', 'people/b') + REMOVAL);
  expect(withoutTicks(body).toString()).toBe(body.toString().replace(/^\{"tick":"\d+",/gm, '{'));
  expect(withoutTicks(Buffer.alloc(0))).toHaveLength(0);
});

test('a page that does not end with a whole line is a bug and not an answer', () => {
  const body = Buffer.from(REMOVAL.trimEnd());
  expect(() => withoutTicks(body)).toThrow(InvariantError);
  expect(() => withCollectionIds(body, cidOf)).toThrow(InvariantError);
});
