import { beforeAll, expect, test } from 'vitest';
import { describePage } from '../support/page-scene.ts';
import type { StartedServer } from '../support/running-servers.ts';
import { type Json, changed, fullHistory, openPage, overflow } from '../support/status-page.ts';

const HISTORY = '**/_admin/history*';

describePage('followers and plots', (scene) => {
  let leader: StartedServer;

  beforeAll(async () => {
    leader = await scene.servers.start('leader');
    await leader.send('PUT', '/_api/replication/logger-start');
    await leader.send('POST', '/_api/collection', { name: 'c' });
    for (const serverId of ['126053522332197', '80002', '80003']) {
      await fetch(`${leader.url}/_api/replication/logger-follow?from=1&serverId=${serverId}`);
    }
  });

  test('on a phone each follower is read without scrolling sideways, with the name of each number', async () => {
    await using tab = await scene.browser.tab({
      viewport: { width: 390, height: 844 },
      isMobile: true,
    });
    const { page, faults } = tab;
    await fullHistory(page, () => null, true);
    await changed(page, '**/_api/replication/logger-state', (body) => {
      const [first, ...others] = body['clients'] as Json[];
      const lost = { ...first, lost: true, retainedBytes: 123_456_789 };
      return { ...body, clients: [lost, ...others] };
    });
    await openPage(page, leader);
    const rows = page.locator('#clients-rows tr');
    await expect.poll(() => rows.count()).toBe(3);
    const beyond = await page.evaluate<number>(
      `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(
        document.querySelector('#clients-box'))`,
    );
    expect(beyond).toBe(0);
    expect(await overflow(page)).toBe(0);
    const names = await page.evaluate<string[]>(
      `[...document.querySelector('#clients-rows tr').children]
        .map((cell) => getComputedStyle(cell, '::before').content)`,
    );
    expect(names.map((name) => name.replaceAll('"', ''))).toEqual([
      ...['Server id', 'Standing', 'Position', 'Ticks behind', 'Log kept for it', 'Last seen'],
    ]);
    await scene.browser.picture(page, 'followers-phone');
    expect(faults).toEqual([]);
  });

  test('a follower that is a tick behind is so in words, and what is applied is among the bytes', async () => {
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await changed(page, HISTORY, (body) => {
      const times = Array.from({ length: 300 }, (_, i) => 1_700_000_000 + 3 * i);
      const series = Object.keys(body['series'] as Json).map((name) => [
        name,
        times.map((_, i) => (name === 'followerTicksBehind' ? i % 2 : 1000)),
      ]);
      return { ...body, times, series: Object.fromEntries(series) as Json };
    });
    // What the axes say is drawn: it is told here as it is written.
    await page.addInitScript(`
      const { fillText } = CanvasRenderingContext2D.prototype;
      window.drawn = [];
      CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
        window.drawn.push(text);
        return fillText.call(this, text, ...more);
      };`);
    await openPage(page, leader);
    await page.locator('#plots figure').nth(3).locator('canvas').waitFor();
    const drawn = (): Promise<string[]> => page.evaluate('window.drawn');
    await expect.poll(drawn).toContain('0 ticks');
    const ticks = (await drawn()).filter((each) => each.includes('tick'));
    expect([...new Set(ticks)]).toEqual(['0 ticks', '1 tick']);
    const bytes = page.locator('#plots figure').nth(3);
    expect(await bytes.locator('figcaption').innerText()).toMatch(/logged.*applied.*copied/s);
    await page.locator('#logger-facts').getByText('over the last').waitFor();
    await scene.browser.picture(page, 'followers');
    expect(faults).toEqual([]);
  });
});
