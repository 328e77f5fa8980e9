import { beforeAll, expect, test } from 'vitest';
import { describePage } from '../support/page-scene.ts';
import type { StartedServer } from '../support/running-servers.ts';
import {
  type Json,
  changed,
  fullHistory,
  headline,
  openPage,
  overflow,
} from '../support/status-page.ts';

const APPLIER_STATE = '**/_api/replication/applier-state';

describePage('the status page', (scene) => {
  let leader: StartedServer;
  let follower: StartedServer;

  beforeAll(async () => {
    leader = await scene.servers.start('leader');
    follower = await scene.servers.start('follower');
    await leader.send('PUT', '/_api/replication/logger-start');
    for (const name of ['orders', 'customers', 'parts']) {
      await leader.send('POST', '/_api/collection', { name });
    }
    await leader.send('POST', '/_api/collection', { name: 'suppliedBy', type: 3 });
    await addPeople(leader, 'customers', 0, 400);
    await addPeople(leader, 'orders', 0, 1500);
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

  test('is where a browser is sent to that asks for nothing, and shows a server on its own', async () => {
    await using tab = await scene.browser.tab();
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
    await scene.browser.picture(page, 'lone-leader');
    await leader.send('POST', '/_api/document?collection=parts', { _key: 'bolt', size: 8 });
    await page.locator('#entries-rows').getByText('parts/bolt').click();
    await page.locator('#entries-rows pre').getByText('"size": 8').waitFor();
    expect(faults).toEqual([]);
  });

  test('makes a follower when asked twice, verifies it, stops and starts it, and copies anew', async () => {
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, (i) => (i > 120 && i < 150 ? (150 - i) / 2.3 : i % 7 === 0 ? 0.2 : 0));
    await openPage(page, follower);
    await headline(page).getByText('On its own').waitFor();
    await page.locator('#collections-note').getByText('none yet').waitFor();
    await scene.browser.picture(page, 'empty');
    await page.getByRole('button', { name: 'Make follower…' }).click();
    await page.getByLabel('Leader', { exact: true }).fill(leader.endpoint);
    const go = page.getByRole('button', { name: 'Replace and follow' });
    await go.click();
    // Nothing is sent before it is said that data may be replaced.
    expect(await page.locator('#leader-dialog').isVisible()).toBe(true);
    await scene.browser.picture(page, 'make-follower', false);
    await page.getByLabel('Replace what is in').check();
    await go.click();
    await headline(page).getByText('In step with the leader').waitFor();
    await page.locator('#activity').getByText('Copied 4 collections').waitFor();
    await expect.poll(() => page.locator('#collections-rows tr').count()).toBe(4);
    await scene.browser.picture(page, 'follower-in-step');

    await page.getByRole('button', { name: 'Verify' }).click();
    await page.locator('#verify-dialog').getByText('All is equal: 4 collections').waitFor();
    await scene.browser.picture(page, 'verified', false);
    await page.getByRole('button', { name: 'Close' }).click();

    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await headline(page).getByText('Not following').waitFor();
    await page.getByRole('button', { name: 'Sync…' }).click();
    await page.locator('#leader-dialog').waitFor();
    const endpoint = page.getByLabel('Leader', { exact: true });
    expect(await endpoint.inputValue()).toBe(leader.endpoint);
    await page.keyboard.press('Escape');
    await page.locator('#leader-dialog').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Sync…' }).click();
    await page.getByLabel('Replace what is in').check();
    await page.getByRole('button', { name: 'Replace and copy' }).click();
    await page.locator('#activity').getByText('Copied 4 collections.').waitFor();
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await headline(page).getByText('In step with the leader').waitFor();

    await using other = await scene.browser.tab();
    await openPage(other.page, leader);
    await headline(other.page).getByText('Leading 1 follower').waitFor();
    await other.page.locator('#clients-rows tr').getByText('in step').waitFor();
    await fullHistory(other.page, () => null, true);
    await other.page.reload();
    await other.page.locator('#clients-rows tr').getByText('in step').waitFor();
    await scene.browser.picture(other.page, 'leader');
    expect([...faults, ...other.faults]).toEqual([]);
  });

  test('says how far a follower is behind, in dark as well', async () => {
    await using tab = await scene.browser.tab({ colorScheme: 'dark' });
    const { page, faults } = tab;
    await fullHistory(page, (i) => (i < 180 ? 0.2 : (i - 180) / 1.6));
    await changed(page, APPLIER_STATE, (body) => {
      const following = { eventsPerSecond: 812.4, bytesPerSecond: 190_311, secondsLeft: 59.3 };
      const state = {
        ...(body['state'] as Json),
        ...{ running: true, phase: 'tailing' },
        ticksBehind: 48_211,
        secondsBehind: 73.4,
        following,
      };
      return { ...body, state };
    });
    await openPage(page, follower);
    await headline(page).getByText('Behind the leader').waitFor();
    await page.locator('#applier-facts').getByText('1 min 13 s, 48,211 ticks').waitFor();
    await page.locator('#headline-more').getByText('in step in 59 s').waitFor();
    await scene.browser.picture(page, 'follower-behind-dark');
    expect(faults).toEqual([]);
  });

  test('shows each collection of a sync under way', async () => {
    await using tab = await scene.browser.tab();
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
    const counted = { documentsDone: 231_000, documentsExpected: 680_000 };
    const indexing = { ...counted, documentsPerSecond: 61_234.5, secondsLeft: 7.3 };
    const sync = {
      ...{ endpoint: 'tcp://10.9.9.9:8529', since: new Date().toISOString().replace(/\.\d+/, '') },
      phase: 'copying',
      collection: { id: '6', name: 'orders' },
      ...{ collectionsDone: 1, collectionsExpected: 4 },
      ...{ documentsDone: 912_000, documentsExpected: 2_340_000 },
      ...{ bytesDone: 119_472_000, bytesExpected: 306_540_000 },
      ...{ documentsPerSecond: 61_234.5, bytesPerSecond: 8_021_000 },
      ...{ secondsRunning: 15.1, secondsLeft: 23.4 },
      resumedFrom: { collections: 1, documents: 40_000, bytes: 5_240_000 },
      collections: [
        { ...part('customers', 'indexing', 340_000, 340_000), indexing },
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
    await openPage(page, follower);
    await headline(page).getByText('Copying from tcp://10.9.9.9:8529').waitFor();
    await page.locator('#sync-left').getByText('about 23 s left').waitFor();
    await page.locator('#sync-rows tr').first().getByText('being indexed, 33 %').waitFor();
    const row = page.locator('#sync-rows tr').nth(1);
    expect(await row.innerText()).toMatch(/orders\s+being copied\s+572,000 of 1,400,000/);
    expect(await row.locator('progress').getAttribute('value')).toMatch(/^0\.40/);
    await scene.browser.picture(page, 'sync-running');
    await page.setViewportSize({ width: 390, height: 844 });
    const beyond = await page.evaluate<number>(
      `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(
        document.querySelector('#sync-box'))`,
    );
    expect(beyond).toBe(0);
    const names = await page.evaluate<string[]>(
      `[...document.querySelector('#sync-rows tr').children]
        .map((cell) => getComputedStyle(cell, '::before').content)`,
    );
    expect(names.map((name) => name.replaceAll('"', ''))).toEqual([
      ...['Collection', 'State', 'Done', 'Documents', 'Size'],
    ]);
    await scene.browser.picture(page, 'sync-phone');
    expect(faults).toEqual([]);
  });

  test('shows why it stopped, what helps, and the entry that it is about', async () => {
    await follower.send('PUT', '/_api/replication/applier-stop');
    await follower.send('POST', '/_api/collection', { name: 'invoices' });
    await follower.send('POST', '/_api/document?collection=invoices', { own: true });
    await leader.send('POST', '/_api/collection', { name: 'invoices' });
    await follower.send('PUT', '/_api/replication/applier-start');
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, (i) => (i > 260 ? null : 0.1));
    await openPage(page, follower);
    await headline(page).getByText('Stopped by an error').waitFor();
    await page.locator('#failure-title').getByText('Why it stopped (error 1207').waitFor();
    await page
      .locator('#failure-cure')
      .getByText(/^Run ticklog verify /)
      .waitFor();
    await page.getByText('The entry that it is about').first().click();
    await page.locator('#failure-entry-text').getByText('"cname": "invoices"').waitFor();
    // The one above all needs no second place.
    expect(await page.locator('#errors-rows').isVisible()).toBe(false);
    await scene.browser.picture(page, 'stopped-by-an-error');
    await changed(page, APPLIER_STATE, (body) => {
      const state = body['state'] as Json & {
        whyStopped: { errorNum: number; errorMessage: string };
      };
      const { errorNum, errorMessage } = state.whyStopped;
      const long = `${'a reason that does not end and says it again, '.repeat(60)}${errorMessage}`;
      return { ...body, state: { ...state, whyStopped: { errorNum, errorMessage: long } } };
    });
    await page.locator('#failure-text').getByText('a reason that does not end').waitFor();
    await scene.browser.picture(page, 'long-error');
    expect(await overflow(page)).toBe(0);
    expect(faults).toEqual([]);
    await follower.send('DELETE', '/_api/replication/applier-state');
  });

  test('holds two hundred collections, finds among them, and shows another database', async () => {
    const server = await scene.servers.start('crowded');
    for (let i = 0; i < 200; i++) {
      const name = `measurements_of_station_${String(i).padStart(3, '0')}`;
      await server.send('POST', '/_api/collection', { name });
    }
    await server.send('POST', '/_api/database', { name: 'second' });
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, () => null);
    await openPage(page, server);
    const rows = page.locator('#collections-rows tr');
    await expect.poll(() => rows.count()).toBe(200);
    await scene.browser.picture(page, 'crowded');
    await page.getByLabel('Find').fill('_17');
    await expect.poll(() => rows.count()).toBe(10);
    await page.locator('#database').selectOption('second');
    await page.locator('#collections-note').getByText('none yet').waitFor();
    expect(new URL(page.url()).hash).toBe('#second');
    expect(faults).toEqual([]);
  });

  test('fits a phone, and is worked by keys alone', async () => {
    await using tab = await scene.browser.tab({
      viewport: { width: 390, height: 844 },
      isMobile: true,
    });
    const { page, faults } = tab;
    await fullHistory(page, () => null);
    await openPage(page, leader);
    await headline(page).getByText(/\w/).waitFor();
    await page.locator('#plots canvas').first().waitFor();
    await expect.poll(() => page.locator('#collections-rows tr').count()).toBe(5);
    expect(await overflow(page)).toBe(0);
    await scene.browser.picture(page, 'phone');

    await page.keyboard.press('Tab');
    const focused = page.locator(':focus');
    expect(await focused.innerText()).toBe('Skip to the state');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe(
      'solid',
    );
    const stop = page.locator('#do-log-stop');
    for (let i = 0; i < 30 && (await page.locator('#do-log-stop:focus').count()) === 0; i++) {
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
});
