import { describe, expect, test } from 'vitest';
import { DOCUMENT_BYTES, DocumentSource, dumpLine } from '../../bench/support/documents.ts';

describe('generated documents', () => {
  const source = new DocumentSource({ seed: 7 });

  test('every one is 300 bytes of compact JSON, whatever its number and version', () => {
    for (const number of [0, 9, 1234, 4_999_999]) {
      for (const version of [0, 1, 12]) {
        const text = source.text(number, version);
        expect(Buffer.byteLength(text)).toBe(DOCUMENT_BYTES);
        expect(JSON.stringify(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toMatchObject({ _key: source.key(number), number, version });
      }
    }
  });

  test('the same seed gives the same documents, another one others', () => {
    expect(new DocumentSource({ seed: 7 }).text(42)).toBe(source.text(42));
    expect(new DocumentSource({ seed: 8 }).text(42)).not.toBe(source.text(42));
  });

  test('chunks are the documents as lines, none left out and none twice', () => {
    const lines = Buffer.concat([...source.chunks(10, 10_010)])
      .toString()
      .split('\n');
    expect(lines.pop()).toBe('');
    expect(lines).toHaveLength(10_000);
    expect(lines[0]).toBe(source.text(10));
    expect(lines[9999]).toBe(source.text(10_009));
    expect(new Set(lines)).toHaveProperty('size', 10_000);
  });

  test('a line of a dump carries the document with a revision', () => {
    const line = JSON.parse(dumpLine(source, 5)) as { key: string; rev: string; data: object };
    expect(line.data).toEqual({
      ...(JSON.parse(source.text(5)) as object),
      _rev: line.rev,
    });
    expect(line.key).toBe(source.key(5));
  });
});
