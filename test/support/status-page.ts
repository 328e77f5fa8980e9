import type { Page, Route } from 'playwright-core';
import { checkAnswer } from './api-check.ts';
import type { StartedServer } from './running-servers.ts';

export type Json = Record<string, unknown>;

const HISTORY = '**/_admin/history*';

/** Answers with what the server says, changed: states that cannot be held still. It is checked like any answer. */
export async function changed(
  page: Page,
  pattern: string,
  change: (body: Json) => Json,
): Promise<void> {
  await page.route(pattern, async (route: Route) => {
    const response = await route.fetch();
    const body = change((await response.json()) as Json);
    const text = JSON.stringify(body);
    const { pathname } = new URL(route.request().url());
    checkAnswer('GET', pathname, { status: 200, headers: response.headers(), text });
    await route.fulfill({ response, body: text });
  });
}

/** A quarter of an hour, which no test can wait for. */
export function fullHistory(
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
        appliedBytes: list((i) => wave(178_000, i + 4)),
        syncedBytes: list(() => 0),
        ticksBehind: list((i) => (seconds(i) ?? 0) * 800),
        secondsBehind: list(seconds),
        followerTicksBehind: list((i) => (followers ? wave(40, i) : null)),
      },
    };
  });
}

/** What the page says first of all. */
export const headline = (page: Page): ReturnType<Page['locator']> => page.locator('#headline-text');

export async function openPage(page: Page, { url }: StartedServer): Promise<void> {
  await page.goto(`${url}/_admin/ui/`);
}

/** By how many pixels the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
}
