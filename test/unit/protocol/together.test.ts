import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type TogetherEntry, listLine, readTogether } from '../../../src/protocol/together.ts';

function entry(collection: string, length: number): TogetherEntry {
  return { collection, length, lastIncluded: '7', deletionsSince: '5' };
}

describe('collections in one body', () => {
  test('are taken apart as they were put together', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 20 }), (texts) => {
        const lines = texts.map((text) => Buffer.from(text));
        const entries = lines.map(({ length }, i) => entry(String(i + 1), length));
        const read = readTogether(Buffer.concat([listLine(entries), ...lines]));
        expect(read).toEqual(entries.map((each, i) => ({ ...each, lines: lines[i] })));
      }),
    );
  });

  test.each([
    ['without a list', 'nothing'],
    ['with a list that is none', '{}\n'],
    ['with a list that is no JSON', '[{]\n'],
    ['that is shorter than its list says', `${listLine([entry('1', 4)]).toString()}abc`],
    ['that is longer than its list says', `${listLine([entry('1', 2)]).toString()}abc`],
    ['with a negative length', listLine([entry('1', -1)]).toString()],
    ['with half a length', listLine([entry('1', 0.5)]).toString()],
    ['with an id that is no number', listLine([entry('x', 0)]).toString()],
    ['with a tick that is none', '[{"collection":"1","length":0,"lastIncluded":7}]\n'],
  ])('%s are none', (_what, text) => {
    expect(readTogether(Buffer.from(text))).toBeUndefined();
  });
});
