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
const UNREACHABLE = 'tcp://127.0.0.1:1';

describePage('the last errors', (scene) => {
  let server: StartedServer;

  beforeAll(async () => {
    server = await scene.servers.start('follower');
  });

  test('are counted while a leader stays away, and remain when somebody stops that', async () => {
    const config = { endpoint: UNREACHABLE, maxConnectRetries: 0, connectionRetryWaitTime: 0.2 };
    await server.send('PUT', '/_api/replication/applier-config', config);
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, () => null);
    await openPage(page, server);
    await headline(page).getByText('Not following').waitFor();
    expect(await page.locator('#errors').isVisible()).toBe(false);
    await server.send('PUT', '/_api/replication/applier-start?from=1');
    await headline(page).getByText('The leader cannot be reached').waitFor();
    await page.locator('#failure-title').getByText('Why it waits (error 1400').waitFor();
    const rows = page.locator('#errors-rows details');
    await rows.getByText(/error 1400 × \d/).waitFor();
    await rows.first().click();
    await rows.getByText(/^\d+ times, from \d/).waitFor();
    await scene.browser.picture(page, 'leader-away');
    await server.send('PUT', '/_api/replication/applier-stop');
    await headline(page).getByText('Not following').waitFor();
    expect(await page.locator('#failure').isVisible()).toBe(false);
    expect(await rows.count()).toBe(1);
    // It was open, and stays so.
    expect(await rows.locator('.cure').isVisible()).toBe(true);
    expect(faults).toEqual([]);
  });

  test.each(['sync', 'make-follower'])('of a %s stands above, with what helps', async (command) => {
    const alone = await scene.servers.start(`alone-${command}`);
    const sync = alone.send('PUT', `/_api/replication/${command}`, { endpoint: UNREACHABLE });
    await expect(sync).rejects.toThrow('1400');
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, () => null);
    await openPage(page, alone);
    await page.locator('#failure-title').getByText('The last error (error 1400').waitFor();
    await page.locator('#failure-cure').getByText('Check the endpoint').waitFor();
    await scene.browser.picture(page, `${command}-failed`);
    expect(faults).toEqual([]);
  });

  test('are told one by one, with the entry each is about, wherever they fit', async () => {
    const entry = JSON.stringify({ tick: '70213', type: 2300, cname: 'boats', key: 'k', data: {} });
    const error = (
      minute: number,
      errorNum: number,
      errorMessage: string,
      more: Json = {},
    ): Json => ({
      time: new Date(Date.now() - minute * 60_000).toISOString().replace(/\.\d+/, ''),
      ...{ errorNum, errorMessage, ...more },
    });
    const refused = `unique constraint violated, offending marker: ${entry}`;
    const lastErrors = [
      error(1, 1210, refused, { tick: '70213', ignored: true }),
      error(5, 1400, 'could not connect to leader at tcp://leader.example.org:8529: timeout', {
        ...{ count: 1234, firstTime: '2024-05-14T08:00:00Z' },
      }),
      ...Array.from({ length: 18 }, (_, i) =>
        error(60 * i + 60, 1402, `HTTP 503: ${'a proxy in between says so, '.repeat(9)}`),
      ),
    ];
    for (const [name, options] of [
      ['errors', {}],
      ['errors-dark', { colorScheme: 'dark' }],
      ['errors-phone', { viewport: { width: 390, height: 844 }, isMobile: true }],
    ] as const) {
      await using tab = await scene.browser.tab(options);
      const { page, faults } = tab;
      await fullHistory(page, () => 0.1);
      await changed(page, APPLIER_STATE, (body) => ({
        ...body,
        state: { ...(body['state'] as Json), lastErrors },
      }));
      await openPage(page, server);
      const rows = page.locator('#errors-rows details');
      await expect.poll(() => rows.count()).toBe(20);
      await rows.first().click();
      await rows.first().getByText('passed over, error 1210').waitFor();
      await rows.first().getByText('lacks this change, and goes on. At tick 70213.').waitFor();
      await rows.first().getByText('"cname": "boats"').waitFor();
      expect(await rows.nth(1).innerText()).toContain('error 1400 × 1,234');
      expect(await overflow(page)).toBe(0);
      await scene.browser.picture(page, name);
      expect(faults).toEqual([]);
    }
  });
});
