import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { ChildServer } from '../support/child-server.ts';
import { LoadRun, growth } from '../support/load-run.ts';

const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const SECONDS = Number(process.env['TICKLOG_LOAD_SECONDS'] ?? (IS_LONG ? 600 : 4));
const FOLLOWERS = Number(process.env['TICKLOG_LOAD_FOLLOWERS'] ?? (IS_LONG ? 1000 : 100));
const SEED = Number(process.env['TICKLOG_LOAD_SEED'] ?? Date.now() % 1_000_000);
const WRITERS = 12;
/** Who look together for what was acknowledged. */
const READERS = 8;
const MIB = 1024 * 1024;
const STOP_MS = 5000;
/** Between a quarter of the time and all of it: documents are held by nobody. */
const GROWTH_BYTES = 48 * MIB;
/** Pages on their way differ from moment to moment; what they may take is bound. */
const PAGES_BYTES = 96 * MIB;
const DESCRIPTORS_GROWTH = 40;

test(
  `${FOLLOWERS} followers and mixed load for ${SECONDS} s leave heap and descriptors flat (seed ${SEED})`,
  { timeout: 120_000 + SECONDS * 1500 },
  async () => {
    await using server = await ChildServer.start({ 'server.stalled-timeout': '2' });
    await using run = await LoadRun.start(server, {
      ...{ seed: SEED, followers: FOLLOWERS, writers: WRITERS },
    });
    await vi.waitFor(() => expect(run.connected).toBe(FOLLOWERS), 20_000);
    await sleep(SECONDS * 250);
    const warm = await server.figures();
    // Beside all others one that reads nothing of what it asked for.
    const slow = connect(server.port, '127.0.0.1');
    slow.on('error', () => undefined);
    slow.pause();
    slow.write(
      'GET /_api/replication/dump?collection=c&chunkSize=8000000 HTTP/1.1\r\n\r\n'.repeat(20),
    );
    await sleep(SECONDS * 750);
    const last = await server.figures();
    slow.destroy();
    const { requests, refused, toldBytes } = run.figures;
    const grown = growth(warm, last);
    console.info(JSON.stringify({ requests, toldBytes, warm, last, grown }));
    expect(refused).toEqual([]);
    expect(run.connected).toBe(FOLLOWERS);
    expect(requests).toBeGreaterThan(SECONDS * 100);
    expect(grown.heapBytes).toBeLessThan(GROWTH_BYTES);
    expect(grown.bufferBytes).toBeLessThan(PAGES_BYTES);
    expect(grown.descriptors).toBeLessThan(DESCRIPTORS_GROWTH);
  },
);

test(
  'a stop under load takes less than 5 s and loses nothing that was acknowledged',
  { timeout: 120_000 },
  async () => {
    await using server = await ChildServer.start();
    const options = { seed: SEED, followers: FOLLOWERS, writers: WRITERS };
    await using run = await LoadRun.start(server, options);
    await sleep(1500);
    // Where the machine is busy it takes a while until all followers are there and writers get their turn.
    await vi.waitFor(() => expect(run.acknowledged.size).toBeGreaterThan(200), 60_000);
    const tookMs = await server.stop();
    await run.stopWriting();
    console.info(`stopped in ${Math.round(tookMs)} ms`);
    expect(tookMs).toBeLessThan(STOP_MS);
    expect(run.figures.refused).toEqual([]);
    await server.startAgain();
    const lost: string[] = [];
    const acknowledged = run.acknowledged.entries();
    // All of them take the next from the same list.
    const looking = Array.from({ length: READERS }, async () => {
      for (const [key, rev] of acknowledged) {
        const answer = await fetch(`${server.url}/_api/document/c/${key}`, { method: 'HEAD' });
        if (answer.headers.get('etag') !== `"${rev}"`) lost.push(key);
      }
    });
    await Promise.all(looking);
    expect(run.acknowledged.size).toBeGreaterThan(100);
    expect(lost).toEqual([]);
  },
);
