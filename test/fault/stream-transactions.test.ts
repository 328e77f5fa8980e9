import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { HttpClient } from '../../bench/support/http-client.ts';
import { CrashPair } from '../support/crash-pair.ts';
import { Random } from '../support/random.ts';
import { followerDifferences, foundDocument, readServer } from '../support/server-reading.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** The long form: npm run test:fault. A run is repeated, as far as the clock allows, with TICKLOG_SEED. */
const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);
const KILLS = IS_LONG ? 30 : 3;
const CLIENTS = 4;
const DOCUMENTS_MAX = 40;
const ALIVE_MIN_MS = 200;
const ALIVE_MAX_MS = 900;
const TIMEOUT_MS = IS_LONG ? 20 * 60_000 : 120_000;

/** What became of a transaction, as far as its client knows. */
type Fate = 'committed' | 'open' | 'aborted' | 'unknown';

/** Sends transactions until there is no answer; each writes some documents in `c` and one in `d`. */
class Client {
  readonly fates: Map<string, Fate>;
  readonly #http: HttpClient;
  readonly #random: Random;
  readonly #name: string;
  #count = 0;

  constructor(deps: { http: HttpClient; random: Random; fates: Map<string, Fate> }, name: string) {
    this.#http = deps.http;
    this.#random = deps.random;
    this.fates = deps.fates;
    this.#name = name;
  }

  async run(): Promise<void> {
    try {
      for (;;) await this.#transaction();
    } catch (error) {
      // undici has codes for connections that break; everything else is a mistake.
      if (!(error instanceof Error) || !('code' in error)) throw error;
    }
  }

  async #transaction(): Promise<void> {
    const batch = `${this.#name}-${this.#count++}`;
    const size = 1 + this.#random.below(DOCUMENTS_MAX);
    const begun = await this.#send('POST', '/_api/transaction/begin', undefined, {
      collections: { write: ['c', 'd'] },
    });
    const { id } = begun['result'] as { id: string };
    this.fates.set(batch, 'open');
    await this.#send('POST', '/_api/document/d', id, { _key: batch, size });
    for (let n = 0; n < size; n++) {
      const body = { _key: `${batch}.${n}`, batch, text: 'x'.repeat(this.#random.below(400)) };
      await this.#send('POST', '/_api/document/c', id, body);
      if (n % 5 === 0) await this.#send('PATCH', `/_api/document/c/${batch}.${n}`, id, { n });
    }
    const chance = this.#random.below(100);
    // Some are left to the end of the server.
    if (chance < 10) return;
    if (chance < 20) {
      await this.#send('DELETE', `/_api/transaction/${id}`);
      this.fates.set(batch, 'aborted');
      return;
    }
    this.fates.set(batch, 'unknown');
    await this.#send('PUT', `/_api/transaction/${id}`);
    this.fates.set(batch, 'committed');
  }

  async #send(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    id?: string,
    body?: unknown,
  ): Promise<Record<string, unknown>> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string> = id === undefined ? {} : { 'x-arango-trx-id': id };
    const answer = await this.#http.request(method, path, text, headers);
    const json = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
    // Going down in order, it says so.
    if (answer.status === 503) throw Object.assign(new Error('stopping'), { code: 'STOPPING' });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(json)}`);
    return json;
  }
}

/** Each transaction is there whole, or not at all, as its client was told. */
async function verify(pair: CrashPair, fates: ReadonlyMap<string, Fate>): Promise<number> {
  const found = await readServer(pair.leader);
  const documents = (name: string) =>
    [...found.values()].find((each) => each.name === name)?.documents ?? new Map<string, never>();
  const sizes = new Map<string, number>();
  for (const [key, entry] of documents('d')) {
    sizes.set(key, (foundDocument(entry).content as { size: number }).size);
  }
  const counts = new Map<string, number>();
  for (const entry of documents('c').values()) {
    const { batch } = foundDocument(entry).content as { batch: string };
    counts.set(batch, (counts.get(batch) ?? 0) + 1);
  }
  expect(counts).toEqual(sizes);
  for (const [batch, fate] of fates) {
    if (fate === 'committed') expect(sizes.has(batch), batch).toBe(true);
    else if (fate !== 'unknown') expect(sizes.has(batch), batch).toBe(false);
  }
  await pair.caughtUp();
  expect(followerDifferences(found, await readServer(pair.follower))).toEqual([]);
  return sizes.size;
}

/** How many commits were answered. */
function answered(fates: ReadonlyMap<string, Fate>): number {
  return [...fates.values()].filter((fate) => fate === 'committed').length;
}

test(
  `P1, P4: of no transaction there is a part after SIGKILLs and stops of the server (seed ${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    await using dir = await makeTempDir();
    const options = { directory: dir.path, connections: CLIENTS + 1, chunkSize: 16_384 };
    await using pair = await CrashPair.start(options);
    const random = new Random(SEED);
    const fates = new Map<string, Fate>();
    await pair.leader.createCollection('c');
    await pair.leader.createCollection('d');
    await pair.makeFollower();
    let committed = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const clients = Array.from({ length: CLIENTS }, (_, n) => {
        const deps = { http: pair.leader.http, random: new Random(random.below(1e9)), fates };
        return new Client(deps, `${kill}-${n}`).run();
      });
      const before = answered(fates);
      await sleep(ALIVE_MIN_MS + random.below(ALIVE_MAX_MS - ALIVE_MIN_MS));
      // On a slow machine no commit may have been answered by then.
      for (let wait = 0; answered(fates) === before && wait < 200; wait++) await sleep(50);
      const withFollower = random.percent(30);
      await Promise.all([
        pair.end('leader', kill % 3 === 2),
        ...(withFollower ? [pair.end('follower')] : []),
      ]);
      await Promise.all(clients);
      await pair.restart('leader');
      if (withFollower) await pair.restart('follower');
      const now = await verify(pair, fates);
      expect(now).toBeGreaterThan(committed);
      committed = now;
    }
    const seen = new Set(fates.values());
    expect(seen).toContain('committed');
    // Each client is in the middle of a transaction when its server ends.
    expect(seen.has('open') || seen.has('unknown')).toBe(true);
  },
);
