import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scanDocument } from '../../../src/protocol/document-scan.ts';
import { parseDocument } from '../../../src/protocol/json-text.ts';

/** What parseDocument makes of it, without the value; undefined where it refuses. */
function parsed(text: string): unknown {
  try {
    const { key, rev, id, from, to, rest } = parseDocument(text);
    return { key, rev, id, from, to, rest };
  } catch {
    return undefined;
  }
}

/** Where the scan is sure, it says what the parser says. */
function expectAgreement(text: string): boolean {
  const scanned = scanDocument(text);
  if (!scanned) return false;
  const { key, rev, id, from, to, rest } = scanned;
  expect({ key, rev, id, from, to, rest }, text).toEqual(parsed(text));
  return true;
}

const names = fc.oneof(
  fc.constantFrom('_key', '_rev', '_id', '_from', '_to', '_keys', '_', 'a', 'b'),
  fc.string({ maxLength: 5 }),
);
const documents = fc.dictionary(names, fc.oneof(fc.string(), fc.jsonValue({ maxDepth: 4 })), {
  maxKeys: 8,
});

describe('the scan of a document', () => {
  test('is sure of plain documents', () => {
    for (const text of [
      '{}',
      ' { } ',
      '{"_key":"a"}',
      '{"_key":"a","n":-1.50,"s":"x\\u00e9\\n","o":{"a":[1,true,null,{}],"b":[]}}',
      '{"a":1,"_key":"k","b":2 , "_rev" : "r", "c" : [ 1 , 2 ]}',
      '{"_from":"a/b","_to":"c/d","_id":"x/y","é":"ü"}',
    ]) {
      expect(expectAgreement(text), text).toBe(true);
    }
  });

  test('leaves to the parser what is not plain or not right', () => {
    for (const text of [
      ...['', ' ', '[]', '1', '{', '{"a"}', '{"a":}', '{"a":1,}', '{,}', '{"a":1}x', '{"a":1}{}'],
      ...['{"a":01}', '{"a":-}', '{"a":1.}', '{"a":.5}', '{"a":+1}', '{"a":1e5}', '{"a":tru}'],
      ...['{"a":"\\x"}', '{"a":"\\u12g4"}', '{"a":"\n"}', '{"a":"x}', '{"a":"\\"}', '{"a":1 2}'],
      ...['{"a":[1,]}', '{"a":[1 2]}', '{"a":{"b"}}', '{"a":{"b":1,}}', '{"a":[}', "{'a':1}"],
      ...['{"a":1,"a":2}', '{"_key":1}', '{"_key":"\\u0061"}', '{"\\u005fkey":"a"}', '{"a":\t1}'],
      `{"a":${'['.repeat(50)}${']'.repeat(50)}}`,
    ]) {
      expect(scanDocument(text), text).toBeUndefined();
    }
  });

  test('never disagrees with the parser, whatever the document', () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(undefined, 1, ' '), (document, indent) => {
        expectAgreement(JSON.stringify(document, undefined, indent).replaceAll('\n', ' '));
      }),
      { numRuns: 1000 },
    );
  });

  test('never accepts a broken text', () => {
    fc.assert(
      fc.property(
        documents,
        fc.nat(),
        fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '1', '-', 'e', ' ', '\n', '0'),
        fc.nat(1),
        (document, position, piece, removed) => {
          const text = JSON.stringify(document);
          const at = position % (text.length + 1);
          expectAgreement(text.slice(0, at) + piece + text.slice(at + removed));
        },
      ),
      { numRuns: 3000 },
    );
  });
});
