import { afterAll, beforeAll, describe } from 'vitest';
import { TestBrowser, chromiumPath, noChromium } from './browser.ts';
import { RunningServers } from './running-servers.ts';

/** What tests of the status page work with, from the first `beforeAll` on. */
export interface PageScene {
  readonly browser: TestBrowser;
  /** None is started yet. */
  readonly servers: RunningServers;
}

/**
 * A group of tests that look at the status page with a browser. Where none is installed they do not run, and it is
 * said so.
 */
export function describePage(what: string, tests: (scene: PageScene) => void): void {
  if (chromiumPath === undefined) console.warn(`\nSKIPPED: ${noChromium}\n`);
  describe.skipIf(chromiumPath === undefined)(what, { timeout: 90_000 }, () => {
    const scene = {} as { browser: TestBrowser; servers: RunningServers };
    beforeAll(async () => {
      scene.browser = await TestBrowser.open();
      console.log(`pictures of ${what}: ${scene.browser.pictures}`);
      scene.servers = await RunningServers.open();
    });
    afterAll(async () => {
      await scene.browser[Symbol.asyncDispose]();
      await scene.servers[Symbol.asyncDispose]();
    });
    tests(scene);
  });
}
