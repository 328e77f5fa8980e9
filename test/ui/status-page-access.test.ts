import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { allOperations } from '../support/api-document.ts';
import { describePage } from '../support/page-scene.ts';
import type { StartedServer } from '../support/running-servers.ts';
import { headline, openPage } from '../support/status-page.ts';

const PASSWORD = 'a long password';

describePage('the way into the status page', (scene) => {
  let plain: StartedServer;
  let guarded: StartedServer;

  beforeAll(async () => {
    plain = await scene.servers.start('plain');
    const file = join(scene.servers.dir.path, 'root.password');
    await writeFile(file, PASSWORD, { mode: 0o600 });
    const flags = { 'server.authentication': 'true', 'server.root-password-file': file };
    guarded = await scene.servers.start('guarded', flags);
  });

  test('wants a log-in where the server does, and lets a token or the browser answer', async () => {
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await openPage(page, guarded);
    await page.getByLabel('User', { exact: true }).first().fill('root');
    await page.getByLabel('Password', { exact: true }).first().fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('#login-error').getByText('no active user').waitFor();
    await scene.browser.picture(page, 'log-in');
    await page.getByLabel('Password', { exact: true }).first().fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await headline(page).getByText('On its own').waitFor();
    await page.locator('#user').getByText('root').waitFor();
    await page.reload();
    await headline(page).getByText('On its own').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    expect(await page.locator('#page').isVisible()).toBe(false);

    await using basic = await scene.browser.tab({
      httpCredentials: { username: 'root', password: PASSWORD },
    });
    await openPage(basic.page, guarded);
    await basic.page.getByRole('button', { name: 'Let the browser ask' }).click();
    await headline(basic.page).getByText('On its own').waitFor();
    expect([...faults, ...basic.faults]).toEqual([]);
  });

  test('asks for nothing while it waits for a log-in', async () => {
    await using tab = await scene.browser.tab();
    const { page } = tab;
    await page.clock.install();
    await openPage(page, guarded);
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.clock.runFor(10_000);
    // What was asked before this is known when this is.
    await page.evaluate(() => fetch('/_admin/ui/').then((answer) => answer.text()));
    expect(asked).toEqual(['/_admin/ui/']);
  });

  test('lets who may only look press nothing', async () => {
    const authorization = `Basic ${btoa(`root:${PASSWORD}`)}`;
    const send = (method: string, path: string, body: unknown): Promise<Response> =>
      fetch(guarded.url + path, {
        method,
        body: JSON.stringify(body),
        headers: { authorization },
      });
    expect((await send('POST', '/_api/user', { user: 'guest', passwd: 'seeing' })).status).toBe(
      201,
    );
    const grant = { grant: 'ro' };
    const granted = await send('PUT', '/_api/user/guest/database/_system', grant);
    expect(granted.status).toBe(200);
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await openPage(page, guarded);
    await page.getByLabel('User', { exact: true }).first().fill('guest');
    await page.getByLabel('Password', { exact: true }).first().fill('seeing');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('#user').getByText('guest (may only look)').waitFor();
    const buttons = page.locator('[data-writes]:not([hidden])');
    expect(await buttons.count()).toBe(3);
    for (const button of await buttons.all()) expect(await button.isDisabled()).toBe(true);
    expect(faults).toEqual([]);
  });

  test('names every control and every region', async () => {
    await using tab = await scene.browser.tab();
    const { page } = tab;
    await openPage(page, plain);
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
    await using tab = await scene.browser.tab();
    const { page, faults } = tab;
    await openPage(page, plain);
    await page.getByRole('link', { name: 'HTTP reference' }).click();
    await page.getByRole('heading', { name: 'HTTP reference' }).waitFor();
    const operations = allOperations();
    for (const { operation } of operations) {
      const id = operation.operationId;
      expect(await page.locator(`#${id}`).count(), id).toBe(1);
    }
    await page.locator('#followLog').scrollIntoViewIfNeeded();
    await scene.browser.picture(page, 'reference', false);
    const broken = await page.evaluate<string[]>(`
      [...document.querySelectorAll('a[href^="#"]')]
        .map((each) => each.getAttribute('href'))
        .filter((href) => !document.getElementById(href.slice(1)))
    `);
    expect(broken).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('says when the server is gone, and shows on what it knew', async () => {
    const server = await scene.servers.start('leaving');
    await using tab = await scene.browser.tab();
    const { page } = tab;
    await openPage(page, server);
    await headline(page).getByText('On its own').waitFor();
    await server.server.stop();
    await page.locator('#trouble').getByText('The server does not answer').waitFor();
    expect(await headline(page).innerText()).toBe('On its own');
    await scene.browser.picture(page, 'server-gone');
  });
});
