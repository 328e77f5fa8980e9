import { describe, expect, test } from 'vitest';
import { RunParts } from '../../../src/protocol/run-part.ts';

function name(cid: string, cname: string): string {
  return `,"cid":"${cid}","cname":"${cname}","key":"`;
}

describe('the parts of a page', () => {
  test('are one for each collection and name, also where the hashes of all their ids meet', () => {
    const names = [name('71', 'a'), name('72', 'b'), name('71', 'renamed'), name('73', 'c')];
    const page = Buffer.from([...names, ...names, ...names].map((text) => `${text}k"}\n`).join(''));
    const parts = new RunParts(page, { hash: () => 7 });
    const found = [];
    for (let at = 0; at < page.length; at = page.indexOf('\n', at) + 1) found.push(parts.at(at));
    expect(found.slice(0, 4).map((part) => [part?.cid, part?.cname])).toEqual([
      ['71', 'a'],
      ['72', 'b'],
      ['71', 'renamed'],
      ['73', 'c'],
    ]);
    expect(new Set(found).size).toBe(4);
    for (const [i, part] of found.entries()) expect(part).toBe(found[i % 4]);
    for (const part of found) part!.isRefused = true;
    parts.admitAll();
    expect(found.map((part) => part?.isRefused)).toEqual(found.map(() => false));
  });
});
