import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core';

const PLACES = [
  process.env['TICKLOG_CHROMIUM'] ?? '',
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
];

/** Where a chromium is installed; undefined where none is. */
export const chromiumPath = PLACES.find((path) => path !== '' && existsSync(path));

const STEP_MS = 20_000;

/** Says why a test does not run; it must not be passed over in silence. */
export const noChromium =
  'no chromium is installed (looked for $TICKLOG_CHROMIUM and in /usr/bin): ' +
  'THE STATUS PAGE IS NOT TESTED. .ci/run installs it; by hand: apt-get install chromium';

/** A tab, and what went wrong in it. */
export interface Tab extends AsyncDisposable {
  readonly page: Page;
  /** What the console called an error, scripts that threw, and requests to anywhere else. */
  readonly faults: readonly string[];
}

/** A browser that is steered by tests, and the directory where it leaves its pictures. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  /** Stays, so that somebody can look at it. */
  readonly pictures: string;

  private constructor(browser: Browser, pictures: string) {
    this.#browser = browser;
    this.pictures = pictures;
  }

  static async open(): Promise<TestBrowser> {
    const browser = await chromium.launch({
      executablePath: chromiumPath ?? '',
      // Its sandbox does not work for root, as whom tests run in containers.
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    });
    return new TestBrowser(browser, await mkdtemp(join(tmpdir(), 'ticklog-page-')));
  }

  async tab(options: BrowserContextOptions = {}): Promise<Tab> {
    const viewport = { width: 1280, height: 900 };
    const context = await this.#browser.newContext({ viewport, colorScheme: 'light', ...options });
    // So that what is missing is named before the test runs out of time.
    context.setDefaultTimeout(STEP_MS);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      // That a request was refused is for the page to say.
      const isRefusal = /^Failed to load resource/.test(message.text());
      if (message.type() === 'error' && !isRefusal) faults.push(message.text());
    });
    page.on('request', (request) => {
      const { origin, hostname, protocol } = new URL(request.url());
      const isOwn = hostname === '127.0.0.1' || protocol === 'data:';
      if (!isOwn) faults.push(`a request to ${origin}`);
    });
    const close = async (): Promise<void> => {
      // A request may be on its way through a route of the test in this moment.
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await context.close();
    };
    return { page, faults, [Symbol.asyncDispose]: close };
  }

  /** Takes a picture of the whole page, or of what is in the window. */
  async picture(page: Page, name: string, fullPage = true): Promise<void> {
    await page.screenshot({ path: join(this.pictures, `${name}.png`), fullPage });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
