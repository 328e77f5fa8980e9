import { describe, expect, test } from 'vitest';
import { LogLines } from '../../../src/ui/log-lines.ts';

describe('lines of the log', () => {
  test('are entries wherever their text was cut into pieces', () => {
    const text = '{"tick":"1","type":2300,"key":"ä"}\n\n{"tick":"2","type":2302}\n';
    for (let at = 0; at <= text.length; at++) {
      const lines = new LogLines();
      const entries = [...lines.add(text.slice(0, at)), ...lines.add(text.slice(at))];
      expect(entries.map(({ line }) => line.tick)).toEqual(['1', '2']);
      expect(entries.map((each) => each.text).join('\n\n')).toBe(text.trim());
    }
  });

  test('are not held as a whole when they are very large', () => {
    const head = '{"tick":"7","type":2300,"cname":"c","key":"k","data":{"text":"';
    const lines = new LogLines();
    const pieces = [head, ...Array.from({ length: 40 }, () => 'x'.repeat(64 * 1024))];
    expect(pieces.flatMap((piece) => lines.add(piece))).toEqual([]);
    const [entry, next] = lines.add('"}}\n{"tick":"8","type":1000}\n');
    expect(entry?.line).toEqual({ tick: '7', type: 2300, cname: 'c', key: 'k' });
    expect(entry?.text.length).toBeLessThan(80 * 1024);
    expect(next?.line.tick).toBe('8');
  });

  test('are known by tick and type even where the rest cannot be read', () => {
    const names = `{"cid":"1","name":"${'n'.repeat(70_000)}"}`;
    const line = `{"tick":"7","type":2200,"tid":"6","collections":[${names}]}\n`;
    expect(new LogLines().add(line)[0]?.line).toEqual({ tick: '7', type: 2200 });
  });
});
