import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitUntilApplied } from '../../bench/support/catch-up.ts';
import { ServerApi } from '../../bench/support/server-api.ts';
import { ServerProcess } from '../../bench/support/server-process.ts';
import { checkDirectory } from '../../src/check-directory.ts';
import { FailingIo } from '../support/failing-io.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { type TempDir, makeTempDir } from '../support/temp-dir.ts';

/** The long form: npm run test:fault. */
const ROUNDS = process.env['TICKLOG_LONG'] === '1' ? 20 : 1;
const MIB = 1024 * 1024;
const DISK_BYTES = 96 * MIB;
const BACK_MS = 30_000;
const POLL_MS = 20;
const PAD = 'x'.repeat(20_000);

let dir: TempDir;

beforeAll(async () => {
  dir = await makeTempDir();
});

afterAll(() => dir[Symbol.asyncDispose]());

/** One after another, until one is refused. */
class Writer {
  readonly acknowledged = new Set<string>();
  readonly #api: ServerApi;
  #next = 0;

  constructor(api: ServerApi) {
    this.#api = api;
  }

  /** Writes so many. */
  async write(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const { status, body } = await this.attempt();
      if (status !== 202) throw new Error(`${status}: ${JSON.stringify(body)}`);
    }
  }

  async attempt(): Promise<{ status: number; body: Record<string, unknown> }> {
    const key = `k${this.#next++}`;
    const text = JSON.stringify({ _key: key, pad: PAD });
    const path = '/_api/document?collection=c';
    const { status, body } = await this.#api.http.request('POST', path, text);
    if (status === 202 || status === 201) this.acknowledged.add(key);
    return { status, body: JSON.parse(body.toString()) as Record<string, unknown> };
  }

  /** The first refusal. */
  async untilRefused(): Promise<{ status: number; body: Record<string, unknown> }> {
    for (let n = 0; n < 10_000; n++) {
      const answer = await this.attempt();
      if (answer.status >= 300) return answer;
    }
    throw new Error('nothing was refused');
  }

  /** Until writes are taken again. @returns after how many seconds the first one was answered that was */
  async untilTaken(): Promise<number> {
    const sinceMs = performance.now();
    for (;;) {
      const { status, body } = await this.attempt();
      const tookMs = performance.now() - sinceMs;
      if (status < 300) return tookMs / 1000;
      if (tookMs > BACK_MS) throw new Error(`still ${status}: ${JSON.stringify(body)}`);
      await sleep(POLL_MS);
    }
  }

  /** Nothing acknowledged is missing, and each can be read. */
  async expectAll(): Promise<void> {
    for (const key of this.acknowledged) {
      const { status } = await this.#api.http.request('GET', `/_api/document/c/${key}`);
      if (status !== 200) throw new Error(`${key}: ${status}`);
    }
  }
}

async function expectWhole(directory: string): Promise<void> {
  const { findings } = await checkDirectory(directory, new AbortController().signal);
  expect(findings).toEqual([]);
}

describe('a full disk', () => {
  test(
    'writes are refused with 507, what is there can be read, and it goes on when there is room',
    { timeout: 60_000 + ROUNDS * 20_000 },
    async ({ skip }) => {
      const backAfter: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const found = await SmallDisk.mount(DISK_BYTES);
        if (typeof found === 'string') return skip(found);
        await using disk = found;
        // Now here, now there: within a batch, at a new log, or when a table is made.
        backAfter.push(...(await fillUp(disk, round * 700_000)));
      }
      console.info(`a full disk: writes were taken again after ${spread(backAfter)}`);
    },
  );

  test(
    'a follower whose disk is full goes on where it was when there is room',
    { timeout: 90_000 },
    async ({ skip }) => {
      const found = await SmallDisk.mount(DISK_BYTES);
      if (typeof found === 'string') return skip(found);
      await using disk = found;
      const leaderDirectory = join(dir.path, 'leader');
      const directory = join(disk.path, 'data');
      await using leader = await ServerProcess.start({
        name: 'leader',
        directory: leaderDirectory,
      });
      await using follower = await ServerProcess.start({ name: 'follower', directory });
      await using leaderApi = new ServerApi({ url: leader.url });
      await using followerApi = new ServerApi({ url: follower.url });
      await leaderApi.createCollection('c');
      const writer = new Writer(leaderApi);
      await writer.write(50);
      await followerApi.configureApplier({ endpoint: leader.endpoint });
      const { lastLogTick } = await followerApi.sync(leader.endpoint);
      await followerApi.startApplier(lastLogTick);
      await disk.fill(MIB);
      await writer.write(600);
      const until = performance.now() + BACK_MS;
      for (;;) {
        const { running, errorNum } = await followerApi.applierState();
        if (!running && errorNum === 1104) break;
        if (performance.now() > until) throw new Error('the applier does not notice');
        await sleep(50);
      }
      await disk.free();
      const tick = await leaderApi.lastLogTick();
      await waitUntilRunning(followerApi);
      await waitUntilApplied(followerApi, tick, AbortSignal.timeout(BACK_MS));
      expect(await followerApi.count('c')).toBe(await leaderApi.count('c'));
      await follower.stop();
      await expectWhole(directory);
    },
  );
});

/** The smallest, the middle and the largest of some times in seconds. */
function spread(seconds: readonly number[]): string {
  const sorted = [...seconds].sort((a, b) => a - b).map((each) => each.toFixed(2));
  const [least, middle, most] = [0, sorted.length >> 1, sorted.length - 1].map((i) => sorted[i]);
  return `${least} to ${most} s, ${middle} s in the middle of ${sorted.length}`;
}

/**
 * Twice fills the disk of a server, but for so many bytes, gives the room back, and looks whether all is well.
 * @returns the seconds until writes were taken again
 */
async function fillUp(disk: SmallDisk, leaveBytes: number): Promise<number[]> {
  const directory = join(disk.path, 'data');
  await using server = await ServerProcess.start({ name: 'full', directory });
  await using api = new ServerApi({ url: server.url });
  await api.createCollection('c');
  const writer = new Writer(api);
  await writer.write(100);
  const backAfter: number[] = [];
  for (let time = 0; time < 2; time++) {
    await disk.fill(leaveBytes);
    const { status, body } = await writer.untilRefused();
    expect({ status, errorNum: body['errorNum'] }).toEqual({ status: 507, errorNum: 1104 });
    expect(body['errorMessage']).toMatch(/full.*make room/i);
    await writer.expectAll();
    await disk.free();
    backAfter.push(await writer.untilTaken());
    await writer.expectAll();
  }
  await writer.write(100);
  await writer.expectAll();
  await server.stop();
  await expectWhole(directory);
  return backAfter;
}

async function waitUntilRunning(api: ServerApi): Promise<void> {
  const until = performance.now() + BACK_MS;
  while (performance.now() < until) {
    try {
      if ((await api.applierState()).running) return;
    } catch {
      // It is opened anew at this moment.
    }
    await sleep(50);
  }
  throw new Error('the applier does not run again');
}

test(
  'I/O errors: writes are refused with 500, what is there can be read, and it goes on when they are over',
  { timeout: 60_000 + ROUNDS * 10_000 },
  async ({ skip }) => {
    const directory = join(dir.path, 'io');
    const io = await FailingIo.build(dir.path, directory);
    if (typeof io === 'string') return skip(io);
    await using server = await ServerProcess.start({ name: 'io', directory, env: io.env });
    await using api = new ServerApi({ url: server.url });
    await api.createCollection('c');
    const writer = new Writer(api);
    const backAfter: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await writer.write(50 + round);
      await io.begin();
      const { status, body } = await writer.untilRefused();
      expect({ status, errorNum: body['errorNum'] }).toEqual({ status: 500, errorNum: 4 });
      expect(body['errorMessage']).toMatch(/could not be written.*[Ii]nput\/output error.*Mend/);
      await writer.expectAll();
      await io.end();
      backAfter.push(await writer.untilTaken());
      await writer.expectAll();
    }
    console.info(`I/O errors: writes were taken again after ${spread(backAfter)}`);
    await server.stop();
    await expectWhole(directory);
  },
);
