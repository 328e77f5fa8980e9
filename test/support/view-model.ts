import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { CollectionView } from '../../src/documents/collection-view.ts';
import type { ChecksumParts } from '../../src/documents/checksum.ts';
import { dataOfLine } from '../../src/documents/stored-document.ts';
import { canonicalObject } from '../../src/protocol/canonical-json.ts';
import { Space } from '../../src/storage/keys.ts';
import type { Store } from '../../src/storage/store.ts';
import { type Documents, expectSame } from './journal-model.ts';

const LEFT_OUT: ReadonlySet<string> = new Set(['_key', '_rev', '_id']);

/** The checksum of these documents, by its definition. */
export function checksumOf(documents: Documents, parts: ChecksumParts): number {
  let sum = 0n;
  for (const [key, text] of documents) {
    const rev = parts.withRevisions ? revOf(text) : '';
    const data = parts.withData ? canonicalObject(text, LEFT_OUT) : '';
    const digest = createHash('sha1').update(`${key}\n${rev}\n${data}`).digest();
    sum += digest.readBigUInt64LE(0) & ((1n << 52n) - 1n);
  }
  return Number(sum & ((1n << 52n) - 1n));
}

/** Reads all of a view in each of its ways and compares it with what should be in it. */
export async function expectView(view: CollectionView, expected: Documents): Promise<void> {
  const what = `the view at ${view.tick}`;
  const pieces = [];
  for await (const piece of view.pointers()) pieces.push(piece);
  const pointers = pieces.flat();
  const keys = pointers.map(({ key }) => key);
  expect(keys, what).toEqual([...keys].sort());
  expect(pointers.map(({ key, pointer }) => [key, pointer.rev])).toEqual(
    keys.map((key) => [key, revOf(expected.get(key) ?? '{}')]),
  );
  const read: Documents = new Map();
  for await (const { key, line } of view.lines(pointers)) read.set(key, dataOfLine(line));
  expectSame(read, expected, what);
  for (const { key, pointer } of pointers) expect(view.pointer(key)?.tick).toBe(pointer.tick);
  expect(view.stats.count).toBe(expected.size);
}

/** How many pointers are kept for views, ended ones included. */
export async function keptCount({ level }: Store): Promise<number> {
  const range = { gte: Buffer.from([Space.view]), lt: Buffer.from([Space.view + 1]) };
  return (await level.keys(range).all()).length;
}

function revOf(text: string): string | undefined {
  return (JSON.parse(text) as { _rev?: string })._rev;
}
