import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ImportType, bodyCutter } from '../../../src/documents/import-lines.ts';

const MAX_BYTES = 1000;

/** Cuts a body that comes in pieces of the given lengths, again and again. */
function cutAll(
  type: ImportType,
  body: Buffer,
  lengths: readonly number[],
): (string | undefined)[] {
  const cutter = bodyCutter(type, MAX_BYTES);
  const texts: (string | undefined)[] = [];
  for (let at = 0, i = 0; at < body.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    texts.push(...cutter.cut(body.subarray(at, at + length)));
    at += length;
  }
  texts.push(...cutter.end());
  return texts;
}

const pieceLengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

describe('bodyCutter', () => {
  test('lines come out as they are, in whatever pieces the body comes', () => {
    const line = fc
      .string({ unit: 'binary', maxLength: 30 })
      .map((text) => text.replaceAll('\n', ' '));
    fc.assert(
      fc.property(fc.array(line), pieceLengths, (lines, lengths) => {
        const wellFormed = lines.map((each) => Buffer.from(each).toString());
        const body = Buffer.from(wellFormed.map((each) => `${each}\n`).join(''));
        expect(cutAll('documents', body, lengths)).toEqual(wellFormed);
      }),
    );
  });

  test('elements of an array mean what they mean in JSON, in whatever pieces it comes', () => {
    fc.assert(
      fc.property(fc.array(fc.json()), pieceLengths, (elements, lengths) => {
        const body = Buffer.from(` [ ${elements.join(' , ')} ]\n`);
        const texts = cutAll('array', body, lengths);
        const values = texts.map((text) => JSON.parse(text ?? '') as unknown);
        expect(values).toEqual(JSON.parse(body.toString()));
        if (elements.length > 0) expect(cutAll('auto', body, lengths)).toEqual(texts);
      }),
    );
  });

  test('only the line that is not UTF-8 is undefined', () => {
    const body = Buffer.concat([
      Buffer.from('a\nb\n'),
      Buffer.from([0xc3, 0x0a]),
      Buffer.from('ä\nd'),
    ]);
    for (const lengths of [[1], [3], [100]]) {
      expect(cutAll('documents', body, lengths)).toEqual(['a', 'b', undefined, 'ä', 'd']);
    }
  });

  test('a document is not collected beyond the limit', () => {
    const long = Buffer.from('x'.repeat(600));
    for (const type of ['documents', 'array', 'auto', 'tuples'] as const) {
      const cutter = bodyCutter(type, MAX_BYTES);
      if (type === 'array') cutter.cut(Buffer.from('['));
      cutter.cut(long);
      expect(() => cutter.cut(long)).toThrow(/larger than 1000 bytes/);
    }
  });
});
