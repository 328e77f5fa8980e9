import type { Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkAnswer } from '../support/api-check.ts';
import { TestBrowser, chromiumPath, noChromium } from '../support/browser.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';

if (chromiumPath === undefined) console.warn(`\nSKIPPED: ${noChromium}\n`);

type Json = Record<string, unknown>;

const APPLIER_STATE = '**/_api/replication/applier-state';
const HISTORY = '**/_admin/history*';

/** Answers with what the server says, changed: states that cannot be held still. It is checked like any answer. */
async function changed(page: Page, pattern: string, change: (body: Json) => Json): Promise<void> {
  await page.route(pattern, async (route: Route) => {
    const response = await route.fetch();
    const body = change((await response.json()) as Json);
    const text = JSON.stringify(body);
    const { pathname } = new URL(route.request().url());
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    checkAnswer('GET', pathname, { status: 200, headers, text });
    await route.fulfill({ response, body: text });
  });
}

/** A quarter of an hour, which no test can wait for. */
function fullHistory(page: Page, seconds: (i: number) => number | null): Promise<void> {
  return changed(page, HISTORY, (body) => {
    const times = Array.from({ length: 300 }, (_, i) => Date.now() / 1000 - (299 - i) * 3);
    const wave = (size: number, i: number): number =>
      Math.max(0, size * (1 + Math.sin(i / 17) / 2 + Math.sin(i / 3.7) / 6));
    const list = (value: (i: number) => number | null): unknown => times.map((_, i) => value(i));
    return {
      ...body,
      times,
      series: {
        loggedEvents: list((i) => wave(840, i)),
        loggedBytes: list((i) => wave(190_000, i)),
        appliedEvents: list((i) => wave(790, i + 4)),
        syncedBytes: list(() => 0),
        ticksBehind: list((i) => (seconds(i) ?? 0) * 800),
        secondsBehind: list(seconds),
        followerTicksBehind: list((i) => wave(40, i)),
      },
    };
  });
}

describe.skipIf(chromiumPath === undefined)('the status page', () => {
  let browser: TestBrowser;
  let servers: RunningServers;
  let leader: StartedServer;
  let follower: StartedServer;

  beforeAll(async () => {
    browser = await TestBrowser.open();
    console.log(`pictures of the status page: ${browser.pictures}`);
    servers = await RunningServers.open();
    leader = await servers.start('leader');
    follower = await servers.start('follower');
    await leader.send('PUT', '/_api/replication/logger-start');
    for (const name of ['orders', 'customers', 'parts']) {
      await leader.send('POST', '/_api/collection', { name });
    }
    await leader.send('POST', '/_api/collection', { name: 'suppliedBy', type: 3 });
    await addPeople(leader, 'customers', 0, 400);
    await addPeople(leader, 'orders', 0, 1500);
  });

  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await servers[Symbol.asyncDispose]();
  });

  function addPeople(
    server: StartedServer,
    collection: string,
    from: number,
    count: number,
  ): Promise<Json> {
    const lines = Array.from({ length: count }, (_, i) =>
      JSON.stringify({
        _key: `k${from + i}`,
        name: `customer number ${from + i}`,
        paid: i % 3 > 0,
      }),
    );
    const path = `/_api/import?collection=${collection}&type=documents`;
    return server.send('POST', path, lines.join('\n'));
  }

  const headline = (page: Page): ReturnType<Page['locator']> => page.locator('#headline-text');
  const open = (page: Page, server: StartedServer): Promise<unknown> =>
    page.goto(`${server.url}/_admin/ui/`);

  test('is where a browser is sent to that asks for nothing, and shows a server on its own', async () => {
    await using tab = await browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, () => null);
    await page.goto(`${leader.url}/`);
    expect(page.url()).toBe(`${leader.url}/_admin/ui/`);
    await headline(page).getByText('On its own').waitFor();
    const rows = page.locator('#collections-rows tr');
    await expect.poll(() => rows.count()).toBe(4);
    expect(await rows.first().innerText()).toMatch(/customers\s+documents\s+400\s/);
    await page.locator('#plots canvas').first().waitFor();
    await expect.poll(() => page.locator('#entries-rows details').count()).toBe(50);
    await browser.picture(page, 'lone-leader');
    await leader.send('POST', '/_api/document?collection=parts', { _key: 'bolt', size: 8 });
    await page.locator('#entries-rows').getByText('parts/bolt').click();
    await page.locator('#entries-rows pre').getByText('"size": 8').waitFor();
    expect(faults).toEqual([]);
  });
});
