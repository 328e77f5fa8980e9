import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkAnswer } from '../support/api-check.ts';
import { allOperations } from '../support/api-document.ts';
import { TestBrowser, chromiumPath, noChromium } from '../support/browser.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';

if (chromiumPath === undefined) console.warn(`\nSKIPPED: ${noChromium}\n`);

type Json = Record<string, unknown>;

const APPLIER_STATE = '**/_api/replication/applier-state';
const PASSWORD = 'a long password';
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
function fullHistory(
  page: Page,
  seconds: (i: number) => number | null,
  followers = false,
): Promise<void> {
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
        followerTicksBehind: list((i) => (followers ? wave(40, i) : null)),
      },
    };
  });
}

describe.skipIf(chromiumPath === undefined)('the status page', { timeout: 90_000 }, () => {
  let browser: TestBrowser;
  let servers: RunningServers;
  let leader: StartedServer;
  let follower: StartedServer;
  let guarded: StartedServer;

  beforeAll(async () => {
    browser = await TestBrowser.open();
    console.log(`pictures of the status page: ${browser.pictures}`);
    servers = await RunningServers.open();
    leader = await servers.start('leader');
    follower = await servers.start('follower');
    const file = join(servers.dir.path, 'root.password');
    await writeFile(file, PASSWORD, { mode: 0o600 });
    const flags = { 'server.authentication': 'true', 'server.root-password-file': file };
    guarded = await servers.start('guarded', flags);
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

  test('makes a follower when asked twice, verifies it, stops and starts it, and copies anew', async () => {
    await using tab = await browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, (i) => (i > 120 && i < 150 ? (150 - i) / 2.3 : i % 7 === 0 ? 0.2 : 0));
    await open(page, follower);
    await headline(page).getByText('On its own').waitFor();
    await page.locator('#collections-note').getByText('none yet').waitFor();
    await browser.picture(page, 'empty');
    await page.getByRole('button', { name: 'Make follower…' }).click();
    await page.getByLabel('Leader', { exact: true }).fill(leader.endpoint);
    const go = page.getByRole('button', { name: 'Replace and follow' });
    await go.click();
    // Nothing is sent before it is said that data may be replaced.
    expect(await page.locator('#leader-dialog').isVisible()).toBe(true);
    await browser.picture(page, 'make-follower', false);
    await page.getByLabel('Replace what is in').check();
    await go.click();
    await headline(page).getByText('In step with the leader').waitFor();
    await page.locator('#activity').getByText('Copied 4 collections').waitFor();
    await expect.poll(() => page.locator('#collections-rows tr').count()).toBe(4);
    await browser.picture(page, 'follower-in-step');

    await page.getByRole('button', { name: 'Verify' }).click();
    await page.locator('#verify-dialog').getByText('All is equal: 4 collections').waitFor();
    await browser.picture(page, 'verified', false);
    await page.getByRole('button', { name: 'Close' }).click();

    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await headline(page).getByText('Not following').waitFor();
    await page.getByRole('button', { name: 'Sync…' }).click();
    const endpoint = page.getByLabel('Leader', { exact: true });
    expect(await endpoint.inputValue()).toBe(leader.endpoint);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Sync…' }).click();
    await page.getByLabel('Replace what is in').check();
    await page.getByRole('button', { name: 'Replace and copy' }).click();
    await page.locator('#activity').getByText('Copied 4 collections.').waitFor();
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await headline(page).getByText('In step with the leader').waitFor();

    await using other = await browser.tab();
    await open(other.page, leader);
    await headline(other.page).getByText('Leading 1 follower').waitFor();
    await other.page.locator('#clients-rows tr').getByText('in step').waitFor();
    await fullHistory(other.page, () => null, true);
    await other.page.reload();
    await other.page.locator('#clients-rows tr').getByText('in step').waitFor();
    await browser.picture(other.page, 'leader');
    expect([...faults, ...other.faults]).toEqual([]);
  });

  test('says how far a follower is behind, in dark as well', async () => {
    await using tab = await browser.tab({ colorScheme: 'dark' });
    const { page, faults } = tab;
    await fullHistory(page, (i) => (i < 180 ? 0.2 : (i - 180) / 1.6));
    await changed(page, APPLIER_STATE, (body) => {
      const following = { eventsPerSecond: 812.4, bytesPerSecond: 190_311, secondsLeft: 59.3 };
      const state = {
        ...(body['state'] as Json),
        ticksBehind: 48_211,
        secondsBehind: 73.4,
        following,
      };
      return { ...body, state };
    });
    await open(page, follower);
    await headline(page).getByText('Behind the leader').waitFor();
    await page.locator('#applier-facts').getByText('1 min 13 s, 48,211 ticks').waitFor();
    await page.locator('#headline-more').getByText('in step in 59 s').waitFor();
    await browser.picture(page, 'follower-behind-dark');
    expect(faults).toEqual([]);
  });

  test('shows each collection of a sync under way', async () => {
    await using tab = await browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, () => null);
    const part = (name: string, status: string, done: number, of: number): Json => ({
      ...{ id: String(name.length), name, status },
      ...{
        documentsDone: done,
        documentsExpected: of,
        bytesDone: done * 131,
        bytesExpected: of * 131,
      },
    });
    const sync = {
      phase: 'copying',
      collection: { id: '6', name: 'orders' },
      ...{ collectionsDone: 1, collectionsExpected: 4 },
      ...{ documentsDone: 912_000, documentsExpected: 2_340_000 },
      ...{ bytesDone: 119_472_000, bytesExpected: 306_540_000 },
      ...{ documentsPerSecond: 61_234.5, bytesPerSecond: 8_021_000 },
      ...{ secondsRunning: 15.1, secondsLeft: 23.4 },
      resumedFrom: { collections: 1, documents: 40_000, bytes: 5_240_000 },
      collections: [
        part('customers', 'done', 340_000, 340_000),
        part('orders', 'copying', 572_000, 1_400_000),
        part('parts', 'waiting', 0, 599_800),
        part('suppliedBy', 'waiting', 0, 200),
      ],
    };
    await changed(page, APPLIER_STATE, (body) => {
      const { ticksBehind, secondsBehind, following, ...state } = body['state'] as Json;
      expect([ticksBehind, secondsBehind, following].length).toBe(3);
      return { ...body, state: { ...state, phase: 'syncing', sync } };
    });
    await open(page, follower);
    await headline(page).getByText('Copying from the leader').waitFor();
    await page.locator('#sync-left').getByText('about 23 s left').waitFor();
    const row = page.locator('#sync-rows tr').nth(1);
    expect(await row.innerText()).toMatch(/orders\s+being copied\s+572,000 of 1,400,000/);
    expect(await row.locator('progress').getAttribute('value')).toMatch(/^0\.40/);
    await browser.picture(page, 'sync-running');
    expect(faults).toEqual([]);
  });

  test('shows why it stopped, what helps, and the entry that it is about', async () => {
    await follower.send('PUT', '/_api/replication/applier-stop');
    const index = { type: 'hash', fields: ['name'], unique: true };
    await follower.send('POST', '/_api/index?collection=customers', index);
    await follower.send('PUT', '/_api/replication/applier-start');
    const twin = { _key: 'twin', name: 'customer number 7' };
    await leader.send('POST', '/_api/document?collection=customers', twin);
    await using tab = await browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, (i) => (i > 260 ? null : 0.1));
    await open(page, follower);
    await headline(page).getByText('Stopped by an error').waitFor();
    await page.locator('#failure-title').getByText('Why it stopped (error 1210').waitFor();
    await page
      .locator('#failure-cure')
      .getByText(/\w+ \w+/)
      .waitFor();
    await page.getByText('The entry that it is about').first().click();
    await page.locator('#failure-entry-text').getByText('"name": "customer number 7"').waitFor();
    await browser.picture(page, 'stopped-by-an-error');
    await changed(page, APPLIER_STATE, (body) => {
      const state = body['state'] as Json & {
        whyStopped: { errorNum: number; errorMessage: string };
      };
      const { errorNum, errorMessage } = state.whyStopped;
      const long = `${'a reason that does not end and says it again, '.repeat(60)}${errorMessage}`;
      return { ...body, state: { ...state, whyStopped: { errorNum, errorMessage: long } } };
    });
    await page.locator('#failure-text').getByText('a reason that does not end').waitFor();
    await browser.picture(page, 'long-error');
    expect(await overflow(page)).toBe(0);
    expect(faults).toEqual([]);
    await follower.send('DELETE', '/_api/replication/applier-state');
  });

  test('wants a log-in where the server does, and lets a token or the browser answer', async () => {
    await using tab = await browser.tab();
    const { page, faults } = tab;
    await open(page, guarded);
    await page.getByLabel('User', { exact: true }).first().fill('root');
    await page.getByLabel('Password', { exact: true }).first().fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('#login-error').getByText('no active user').waitFor();
    await browser.picture(page, 'log-in');
    await page.getByLabel('Password', { exact: true }).first().fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await headline(page).getByText('On its own').waitFor();
    await page.locator('#user').getByText('root').waitFor();
    await page.reload();
    await headline(page).getByText('On its own').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    expect(await page.locator('#page').isVisible()).toBe(false);

    await using basic = await browser.tab({
      httpCredentials: { username: 'root', password: PASSWORD },
    });
    await open(basic.page, guarded);
    await basic.page.getByRole('button', { name: 'Let the browser ask' }).click();
    await headline(basic.page).getByText('On its own').waitFor();
    expect([...faults, ...basic.faults]).toEqual([]);
  });

  test('lets who may only look press nothing', async () => {
    const authorization = `Basic ${btoa(`root:${PASSWORD}`)}`;
    const send = (method: string, path: string, body: unknown): Promise<Response> =>
      fetch(guarded.url + path, { method, body: JSON.stringify(body), headers: { authorization } });
    expect((await send('POST', '/_api/user', { user: 'guest', passwd: 'seeing' })).status).toBe(
      201,
    );
    const grant = { grant: 'ro' };
    const granted = await send('PUT', '/_api/user/guest/database/_system', grant);
    expect(granted.status).toBe(200);
    await using tab = await browser.tab();
    const { page, faults } = tab;
    await open(page, guarded);
    await page.getByLabel('User', { exact: true }).first().fill('guest');
    await page.getByLabel('Password', { exact: true }).first().fill('seeing');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('#user').getByText('guest (may only look)').waitFor();
    const buttons = page.locator('[data-writes]:not([hidden])');
    expect(await buttons.count()).toBeGreaterThan(4);
    for (const button of await buttons.all()) expect(await button.isDisabled()).toBe(true);
    expect(faults).toEqual([]);
  });

  test('holds two hundred collections, finds among them, and shows another database', async () => {
    const server = await servers.start('crowded');
    for (let i = 0; i < 200; i++) {
      const name = `measurements_of_station_${String(i).padStart(3, '0')}`;
      await server.send('POST', '/_api/collection', { name });
    }
    await server.send('POST', '/_api/database', { name: 'second' });
    await using tab = await browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, () => null);
    await open(page, server);
    const rows = page.locator('#collections-rows tr');
    await expect.poll(() => rows.count()).toBe(200);
    await browser.picture(page, 'crowded');
    await page.getByLabel('Find').fill('_17');
    await expect.poll(() => rows.count()).toBe(10);
    await page.getByLabel('Database', { exact: true }).selectOption('second');
    await page.locator('#collections-note').getByText('none yet').waitFor();
    expect(new URL(page.url()).hash).toBe('#second');
    expect(faults).toEqual([]);
  });

  test('fits a phone, and is worked by keys alone', async () => {
    await using tab = await browser.tab({ viewport: { width: 390, height: 844 }, isMobile: true });
    const { page, faults } = tab;
    await fullHistory(page, () => null);
    await open(page, leader);
    await headline(page).getByText(/\w/).waitFor();
    await page.locator('#plots canvas').first().waitFor();
    await expect.poll(() => page.locator('#collections-rows tr').count()).toBe(4);
    expect(await overflow(page)).toBe(0);
    await browser.picture(page, 'phone');

    await page.keyboard.press('Tab');
    const focused = page.locator(':focus');
    expect(await focused.innerText()).toBe('Skip to the state');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe(
      'solid',
    );
    const stop = page.getByRole('button', { name: 'Stop logging…' });
    for (let i = 0; i < 30 && !(await stop.evaluate((each) => each.matches(':focus'))); i++) {
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.locator('#confirm-dialog').waitFor();
    // Who presses Enter without reading has done nothing.
    expect(await focused.innerText()).toBe('Cancel');
    await page.keyboard.press('Enter');
    await page.locator('#confirm-dialog').waitFor({ state: 'hidden' });
    const { state } = await leader.send('GET', '/_api/replication/logger-state');
    expect(state).toMatchObject({ running: true });
    await stop.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await headline(page).getByText('The logger is stopped').waitFor();
    expect(faults).toEqual([]);
  });

  test('names every control and every region', async () => {
    await using tab = await browser.tab();
    const { page } = tab;
    await open(page, leader);
    await headline(page).getByText(/\w/).waitFor();
    const unnamed = await page.evaluate<string[]>(`
      [...document.querySelectorAll('button, input, select, [role="region"]')]
        .filter((each) => {
          const labels = each.labels?.length ?? 0;
          const text = each.tagName === 'BUTTON' ? each.textContent.trim() : '';
          const hasAny = ['aria-label', 'aria-labelledby'].some((name) => each.hasAttribute(name));
          return labels === 0 && text === '' && !hasAny;
        })
        .map(({ id }) => id)
    `);
    // Their text is written when they are shown.
    expect(unnamed.filter((id) => id !== 'leader-go' && id !== 'confirm-go')).toEqual([]);
  });

  test('has the HTTP reference beside it', async () => {
    await using tab = await browser.tab();
    const { page, faults } = tab;
    await open(page, leader);
    await page.getByRole('link', { name: 'HTTP reference' }).click();
    await page.getByRole('heading', { name: 'HTTP reference' }).waitFor();
    const operations = allOperations();
    for (const { operation } of operations) {
      expect(await page.locator(`#${operation.operationId}`).count()).toBe(1);
    }
    await page.locator('#followLog').scrollIntoViewIfNeeded();
    await browser.picture(page, 'reference', false);
    const broken = await page.evaluate<string[]>(`
      [...document.querySelectorAll('a[href^="#"]')]
        .map((each) => each.getAttribute('href'))
        .filter((href) => !document.getElementById(href.slice(1)))
    `);
    expect(broken).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('says when the server is gone, and shows on what it knew', async () => {
    const server = await servers.start('leaving');
    await using tab = await browser.tab();
    const { page } = tab;
    await open(page, server);
    await headline(page).getByText('On its own').waitFor();
    await server.server.stop();
    await page.locator('#trouble').getByText('The server does not answer').waitFor();
    expect(await headline(page).innerText()).toBe('On its own');
    await browser.picture(page, 'server-gone');
  });
});

/** By how many pixels the page is wider than its window. */
function overflow(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
}
