import { describe, expect, test } from 'vitest';
import { DumpPageWriter } from '../../../src/follower/dump-page-writer.ts';
import { CollectionType } from '../../../src/model/collection.ts';
import { metaKey } from '../../../src/storage/keys.ts';
import { holdNextWrite } from '../../support/batch-control.ts';
import { TestCore } from '../../support/store.ts';

const NOTHING = (): void => undefined;
const PARAMETERS = {
  ...{ version: 4, type: CollectionType.document, cid: '55', deleted: false, doCompact: true },
  ...{ maximalSize: 33_554_432, name: 'c', isVolatile: false, waitForSync: false },
} as const;

/** A line of a dump page. */
function dumpLine(tick: string, type: number, rev: string, rest = ''): string {
  return `{"tick":"${tick}","type":${type},"key":"k","rev":"${rev}"${rest}}\n`;
}

describe('pages of a dump', () => {
  test.each([
    ['a newer version', (tick: string) => dumpLine(tick, 2300, '2', ',"data":{"x":2}'), '"x":2'],
    ['a removal', (tick: string) => dumpLine(tick, 2302, '2'), undefined],
  ])(
    '%s in a later page is what counts, also where both are in one batch',
    async (_, line, text) => {
      await using core = await TestCore.open();
      const copy = await core.copies.create(core.system, PARAMETERS, NOTHING);
      // As long as the ticks that are drawn, so that a plain line is copied as it is.
      const tick = core.store.lastCommitted.toString();
      const odd = dumpLine(tick, 2300, 'ä1', ',"data":{"x":1}');
      const held = holdNextWrite(core.store);
      const busy = core.store.commit((tx) => tx.put(metaKey('y', 1), Buffer.from('busy')));
      await held.began;
      const pages = [odd, line(tick)].map((body) => {
        const page = { body: Buffer.from(body), checkMore: true, lastIncluded: 1n, verified: true };
        const lines = new DumpPageWriter(page, copy);
        return core.copies.append(copy, (writer) => void lines.writeSlice(writer, 1e6), NOTHING);
      });
      held.release();
      await Promise.all([busy, ...pages]);
      const found = core.store.readLine(copy.number, 'k')?.line;
      if (text === undefined) expect(found).toBeUndefined();
      else expect(found).toContain(text);
    },
  );
});
