import type { Page, Request } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { describePage } from '../support/page-scene.ts';
import type { StartedServer } from '../support/running-servers.ts';
import { openPage } from '../support/status-page.ts';

const LONG = { timeout: 20_000 };

function isFeed(request: Request): boolean {
  return request.headers()['accept']?.includes('ndjson') === true;
}

/** The feeds that a page has opened, and which of them it has closed. */
class Feeds {
  readonly opened: Request[] = [];
  readonly closed: Request[] = [];

  constructor(page: Page) {
    page.on('request', (request) => {
      if (isFeed(request)) this.opened.push(request);
    });
    page.on('requestfailed', (request) => this.closed.push(request));
  }

  /** Ticks after which they began. */
  get places(): (string | null)[] {
    return this.opened.map((request) => new URL(request.url()).searchParams.get('from'));
  }

  get open(): Request[] {
    return this.opened.filter((each) => !this.closed.includes(each));
  }
}

function setHidden(page: Page, isHidden: boolean): Promise<unknown> {
  return page.evaluate(
    `Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} });
     document.dispatchEvent(new Event('visibilitychange'));`,
  );
}

describePage('the newest log entries', (scene) => {
  let server: StartedServer;

  beforeAll(async () => {
    server = await scene.servers.start('leader');
    await server.send('PUT', '/_api/replication/logger-start');
    await server.send('POST', '/_api/collection', { name: 'parts' });
  });

  const put = (key: string, size: number): Promise<unknown> =>
    server.send('POST', '/_api/document?collection=parts&overwrite=true', { _key: key, size });

  test('come by a feed, and tell an insert from an update and from a removal', async () => {
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    const feeds = new Feeds(page);
    await openPage(page, server);
    const rows = page.locator('#entries-rows summary');
    await rows.getByText('collection created').waitFor();
    await expect.poll(() => feeds.opened.length, LONG).toBeGreaterThan(0);
    await page.route('**/logger-follow*', async (route) => {
      if (isFeed(route.request())) await route.continue();
      else await route.abort();
    });
    await put('bolt', 8);
    await rows.getByText('parts/bolt').waitFor();
    await server.send('PATCH', '/_api/document/parts/bolt', { size: 9 });
    await server.send('DELETE', '/_api/document/parts/bolt');
    await expect.poll(() => rows.count()).toBe(5);
    const shown = (await rows.allInnerTexts()).slice(0, 3).map((text) => text.split('\n')[0]);
    expect(shown).toEqual(['removed', 'document updated', 'document inserted']);
    await scene.browser.picture(page, 'entries');
    expect(faults).toEqual([]);
  });

  test('are not asked for while nobody sees them, and go on where they were', async () => {
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    const feeds = new Feeds(page);
    await openPage(page, server);
    await put('nut', 4);
    const newest = page.locator('#entries-rows details').first();
    await newest.getByText('parts/nut').waitFor();
    const tick = await newest.locator('.tick').innerText();
    await setHidden(page, true);
    await expect.poll(() => feeds.open.length, LONG).toBe(0);
    const count = feeds.opened.length;
    await put('washer', 4);
    await setHidden(page, false);
    await newest.getByText('parts/washer').waitFor();
    expect(feeds.places[count]).toBe(tick);

    await page.getByRole('button', { name: 'Pause' }).click();
    await expect.poll(() => feeds.open.length, LONG).toBe(0);
    await put('screw', 4);
    await page.getByRole('button', { name: 'Go on' }).click();
    await newest.getByText('parts/screw').waitFor();
    expect(faults).toEqual([]);
  });

  test('are those of the database that is looked at', async () => {
    await server.send('POST', '/_api/database', { name: 'second' });
    await server.send('PUT', '/_db/second/_api/replication/logger-start');
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    const feeds = new Feeds(page);
    await openPage(page, server);
    await page.locator('#entries-rows').getByText('parts/nut').first().waitFor();
    await page.locator('#database').selectOption('second');
    await page.locator('#entries-rows').getByText('logger started').waitFor();
    expect(await page.locator('#entries-rows details').count()).toBe(1);
    await expect
      .poll(() => feeds.open.map((each) => /_db\/\w+/.exec(each.url())?.[0]), LONG)
      .toEqual(['_db/second']);
    await put('rivet', 1);
    await server.send('POST', '/_db/second/_api/collection', { name: 'theirs' });
    await page.locator('#entries-rows').getByText('theirs').waitFor();
    expect(await page.locator('#entries-rows details').count()).toBe(2);
    expect(faults).toEqual([]);
  });

  test('of a log that is written faster than they can be looked at are the newest', async () => {
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await openPage(page, server);
    await page.locator('#entries-rows details').first().waitFor();
    const text = 'x'.repeat(8000);
    for (let round = 0; round < 20; round++) {
      const lines = Array.from({ length: 200 }, (_, i) => JSON.stringify({ text, n: i }));
      await server.send('POST', '/_api/import?collection=parts&type=documents', lines.join('\n'));
    }
    await put('last', 1);
    await page.locator('#entries-rows details').first().getByText('parts/last').waitFor();
    expect(await page.locator('#entries-rows details').count()).toBe(50);
    expect(faults).toEqual([]);
  });
});
