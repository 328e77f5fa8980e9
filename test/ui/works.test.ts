import { beforeAll, expect, test } from 'vitest';
import { describePage } from '../support/page-scene.ts';
import type { StartedServer } from '../support/running-servers.ts';
import { changed, fullHistory, headline, openPage, overflow } from '../support/status-page.ts';

describePage('what takes long', (scene) => {
  let leader: StartedServer;
  let follower: StartedServer;

  beforeAll(async () => {
    leader = await scene.servers.start('leader');
    follower = await scene.servers.start('follower');
    await leader.send('PUT', '/_api/replication/logger-start');
    await leader.send('POST', '/_api/collection', { name: 'people' });
    const { endpoint } = leader;
    await follower.send('PUT', '/_api/replication/make-follower', { endpoint });
  });

  test('is shown with its numbers, also while a comparison goes over one large collection', async () => {
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await fullHistory(page, () => 0);
    const collection = { id: '7', name: `measurements_of_station_${'0'.repeat(60)}` };
    const works = [
      {
        ...{ kind: 'index', collection, documentsDone: 4_210_000, documentsExpected: 12_000_000 },
        index: { id: '9', type: 'hash', unique: false, fields: ['station', 'takenAt'] },
        ...{ documentsPerSecond: 61_000, secondsLeft: 127.7 },
      },
      {
        ...{ kind: 'search', collection, documentsDone: 0, documentsExpected: 12_000_000 },
        ...{ documentsPerSecond: 0, secondsLeft: null },
      },
    ];
    await changed(page, '**/_admin/overview', (body) => ({ ...body, works }));
    let isDone = false;
    // The answer is there at once; it is kept back until the page has told how far it is.
    await page.route(/_api\/job\/\d+$/, async (route) => {
      if (isDone) await route.continue();
      else await route.fulfill({ status: 204 });
    });
    await changed(page, '**/_api/job/*/progress', (body) => ({
      ...body,
      verify: {
        ...{ phase: 'comparing', collectionsDone: 3, collectionsExpected: 40 },
        ...{ documentsDone: 1_000_000, documentsExpected: 14_000_000 },
        ...{ documentsPerSecond: 80_000, secondsLeft: 162.5 },
        collection: {
          ...{ name: 'people', side: 'here' },
          ...{ documentsDone: 812_345, documentsExpected: 12_000_000 },
        },
      },
    }));
    await openPage(page, follower);
    await headline(page).getByText('In step with the leader').waitFor();
    await page.locator('#works').getByText('(hash on station, takenAt)').waitFor();
    const row = page.locator('#works .work').filter({ hasText: 'hash on station' });
    await row
      .getByText('4,210,000 of 12,000,000 documents, 61,000/s, about 2 min 8 s left')
      .waitFor();
    await page.locator('#works').getByText('for what differs').waitFor();
    const [first] = await page.locator('#works progress').all();
    expect(await first?.getAttribute('value')).toMatch(/^0\.35/);
    await page.getByRole('button', { name: 'Verify' }).click();
    await page
      .locator('#activity')
      .getByText(
        'people: 812,345 of 12,000,000 documents read here; 3 of 40 collections and ' +
          '1,000,000 of 14,000,000 documents compared, 80,000/s, about 2 min 43 s left.',
      )
      .waitFor();
    // Nothing of a row is cut off.
    const cutOff =
      "(rows => rows.scrollWidth - rows.clientWidth)(document.getElementById('works-rows'))";
    expect(await page.evaluate(cutOff)).toBe(0);
    await scene.browser.picture(page, 'works');
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await overflow(page)).toBe(0);
    await scene.browser.picture(page, 'works-phone');
    isDone = true;
    await page.locator('#verify-dialog').getByText('All is equal: 1 collection').waitFor();
    expect(faults).toEqual([]);
  });
});
