import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { behind, cutPieces, readDataFiles } from '../../src/cli/data-pieces.ts';
import { makeTempDir } from '../support/temp-dir.ts';

async function* chunked(text: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let i = 0; at < text.length; i++) {
    const size = sizes.length === 0 ? text.length : sizes[i % sizes.length]!;
    // As a stream does, which may come back to the same memory.
    yield await Promise.resolve(Buffer.from(text.subarray(at, at + size)));
    at += size;
  }
}

async function collect<T>(pieces: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

const notBlank = (text: string): boolean => text !== '';

test('pieces hold all lines in their order, whole, and are no larger than asked for unless one line is', async () => {
  const line = fc.string({ maxLength: 60, unit: 'grapheme' }).map((s) => s.replaceAll('\n', ' '));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 60 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 200 }),
      async (lines, ends, chunkSizes, size) => {
        const text = Buffer.from(lines.join('\n') + (ends ? '\n' : ''));
        const cut = await collect(cutPieces(chunked(text, chunkSizes), size));
        const pieces = cut.map(({ lines }) => lines);
        const got = pieces.flatMap((piece) => piece.toString().split('\n').filter(notBlank));
        expect(got).toEqual(text.toString().split('\n').filter(notBlank));
        for (const piece of pieces) {
          expect(piece.length).toBeGreaterThan(0);
          expect(piece.at(0)).not.toBe(0x0a);
          expect(piece.at(-1)).not.toBe(0x0a);
          if (piece.includes('\n')) expect(piece.length).toBeLessThanOrEqual(size);
        }
        // Behind each of them the rest comes as it would have come.
        for (const [i, { end }] of cut.entries()) {
          const rest = await collect(cutPieces(behind(chunked(text, chunkSizes), end), size));
          const left = rest.flatMap((each) => each.lines.toString().split('\n').filter(notBlank));
          expect(left).toEqual(
            pieces.slice(i + 1).flatMap((piece) => piece.toString().split('\n').filter(notBlank)),
          );
        }
      },
    ),
  );
});

test('pieces are filled: few requests for many short lines', async () => {
  const text = Buffer.from('{"_key":"a"}\n'.repeat(1000));
  const pieces = await collect(cutPieces(chunked(text, [100]), 1300));
  expect(pieces).toHaveLength(10);
});

test('files are read one behind the other, plain and compressed, with a newline between', async () => {
  await using dir = await makeTempDir();
  const paths = ['a.data.json', 'b.data.json.gz', 'empty.data.json.gz', 'c.data.json'].map((name) =>
    join(dir.path, name),
  );
  await writeFile(paths[0]!, '1\n2');
  await writeFile(paths[1]!, gzipSync('3\n4\n'));
  await writeFile(paths[2]!, '');
  await writeFile(paths[3]!, '5');
  const { signal } = new AbortController();
  const text = Buffer.concat(await collect(readDataFiles(paths, signal))).toString();
  expect(text.split('\n').filter(notBlank)).toEqual(['1', '2', '3', '4', '5']);
});

test.each([
  ['cut off', gzipSync('{"_key":"a"}\n'.repeat(5000)).subarray(0, 60)],
  ['not compressed at all', Buffer.from('{"_key":"a"}\n')],
])('a compressed file that is %s is an error that names it', async (_, content) => {
  await using dir = await makeTempDir();
  const path = join(dir.path, 'a.data.json.gz');
  await writeFile(path, content);
  const { signal } = new AbortController();
  await expect(collect(readDataFiles([path], signal))).rejects.toThrow(path);
});

test('reading ends with the signal', async () => {
  await using dir = await makeTempDir();
  const path = join(dir.path, 'a.data.json');
  await writeFile(path, 'x\n'.repeat(1_000_000));
  const ending = new AbortController();
  const reading = (async () => {
    for await (const chunk of readDataFiles([path], ending.signal)) {
      expect(chunk.length).toBeGreaterThan(0);
      ending.abort(new Error('enough'));
    }
  })();
  await expect(reading).rejects.toThrow('enough');
});
