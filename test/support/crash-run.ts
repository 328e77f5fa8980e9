import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient } from '../../bench/support/http-client.ts';
import { Arena } from './arena.ts';
import type { CrashPair, Side } from './crash-pair.ts';
import type { BatchKind, KillPoint } from './kill-points.ts';
import type { ImportLimits } from './import-operations.ts';
import { LeaderModel, ModelCollection } from './leader-model.ts';
import { ModelWriter } from './model-writer.ts';
import { Random } from './random.ts';
import { type FoundServer, followerDifferences, readServer } from './server-reading.ts';
import {
  DOCUMENT_COLLECTION,
  SHARED_COLLECTION,
  UNIQUE_FIELD,
  WriteTarget,
} from './write-target.ts';

export interface CrashRunOptions {
  readonly seed: number;
  readonly writers: number;
  readonly kills: number;
  /** Documents written in all, at least. */
  readonly documents: number;
  readonly imports: ImportLimits;
  /** After so many kills follower and leader are compared. */
  readonly compareEvery: number;
}

/** Who dies at which point of its work. */
interface Death {
  readonly side: Side;
  readonly point: KillPoint;
}

/** When who is killed: in the middle of catching up, of a copy of everything, or at a point. */
type Strike = 'leader' | 'follower' | 'both' | 'catching up' | 'copying' | Death;

/** What leader and follower do while they only follow. */
const POINTS: readonly Death[] = [
  ...deathsAt('leader', ['write', 'catalogue', 'merge']),
  ...deathsAt('follower', ['page', 'catalogue', 'merge']),
];
/** What a follower does while it copies everything. */
const COPY_POINTS: readonly Death[] = deathsAt('follower', ['copy', 'switch']);

function deathsAt(side: Side, kinds: readonly BatchKind[]): Death[] {
  return kinds.flatMap((kind) => [
    { side, point: `${kind}:before` as const },
    { side, point: `${kind}:after` as const },
  ]);
}

const STRIKES: readonly Strike[] = [
  ...(['leader', 'leader', 'follower', 'follower'] as const),
  ...(['both', 'catching up', 'copying'] as const),
  ...POINTS,
  ...COPY_POINTS,
];
const TERM_PERCENT = 15;
const DOWN_MAX_MS = 400;
const SYNC_KILL_MAX_MS = 250;
const CATCH_UP_KILL_MAX_MS = 150;
/** A point that is not come to in this time is given up, and its server killed. */
const POINT_MS = 3000;
/** The switch comes when everything is copied: for each document that there may be it gets this much longer. */
const SWITCH_MS_PER_DOCUMENT = 0.06;
const POINT_TIMES = 4;
const POLL_MS = 5;
const ROUND_TIMEOUT_MS = 120_000;

/**
 * Writers that know what must come out, while leader and follower are killed again and again. After each
 * death of the leader everything that it acknowledged must be there; at the end of `run` the follower is
 * equal to the leader.
 */
export class CrashRun {
  readonly model = new LeaderModel();
  /** Deaths by SIGKILL. */
  readonly kills = { leader: 0, follower: 0 };
  /** How often one died at each of the named points. */
  readonly points = new Map<KillPoint, number>();
  readonly #pair: CrashPair;
  readonly #options: CrashRunOptions;
  readonly #random: Random;
  #writers: readonly ModelWriter[] = [];
  #arena: Arena | undefined;
  readonly #clients: HttpClient[] = [];
  #writing: { readonly stop: AbortController; readonly done: Promise<unknown> } | undefined;
  #following: Promise<void> = Promise.resolve();
  /** The follower has a position that it must not lose. */
  #hasPosition = false;

  constructor(deps: { pair: CrashPair }, options: CrashRunOptions) {
    this.#pair = deps.pair;
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  get #killed(): number {
    return this.kills.leader + this.kills.follower;
  }

  /**
   * @returns what the leader holds in the end
   * @throws Error naming what was lost, or is different
   */
  async run(): Promise<FoundServer> {
    const { kills, documents, compareEvery } = this.#options;
    const leastShare = documents / kills / 4;
    try {
      await this.#begin();
      let compared = 0;
      while (this.#killed < kills) {
        // The last ones are written after the last death.
        const left = Math.max(documents - this.model.documentsWritten, leastShare);
        const share = left / (kills - this.#killed + 1);
        await this.#writeDocuments(share * (0.5 + this.#random.next()));
        await this.#strike();
        if (this.#killed - compared < compareEvery) continue;
        compared = this.#killed;
        await this.#compare();
        this.#startWriters();
      }
      await this.#writeDocuments(Math.max(documents - this.model.documentsWritten, leastShare));
      return await this.#compare();
    } finally {
      this.#writing?.stop.abort();
      await Promise.allSettled([this.#writing?.done]);
      for (const client of this.#clients) await client[Symbol.asyncDispose]();
    }
  }

  /** The first documents; then the first sync, in the middle of which one of the two is killed. */
  async #begin(): Promise<void> {
    await this.#createWriters();
    this.#startWriters();
    const { documents, kills } = this.#options;
    await this.#writeDocuments(documents / (kills + 1));
    await this.#strikeAtCopy();
  }

  /** Kills one of the two while the follower copies everything, which then begins again or goes on. */
  async #strikeAtCopy(): Promise<void> {
    await this.#startCopy();
    await sleep(this.#random.below(SYNC_KILL_MAX_MS));
    await this.#strikeAt([this.#random.percent(50) ? 'leader' : 'follower'], false);
  }

  async #startCopy(): Promise<void> {
    await this.#following;
    this.#hasPosition = false;
    this.#following = this.#pair.makeFollower().then(() => {
      this.#hasPosition = true;
    });
    // Looked at when it is waited for.
    this.#following.catch(() => undefined);
  }

  async #createWriters(): Promise<void> {
    const { leader } = this.#pair;
    const create = async (name: string): Promise<ModelCollection> => {
      const body = JSON.stringify({ name });
      const { id } = (await leader.http.json('POST', '/_api/collection', body)) as { id: string };
      return new ModelCollection({ cid: id, name, type: DOCUMENT_COLLECTION });
    };
    const shared = this.model.add(await create(SHARED_COLLECTION));
    const arena = new Arena(await create('arena'));
    await leader.createIndex('arena', { type: 'hash', fields: [UNIQUE_FIELD], unique: true });
    this.#arena = arena;
    this.#writers = Array.from({ length: this.#options.writers }, (_, i) => {
      const http = new HttpClient({ url: this.#url() });
      this.#clients.push(http);
      const random = new Random(this.#options.seed * 1000 + i);
      return new ModelWriter(
        {
          ...{ http, arena },
          context: { random, model: this.model, name: `w${i}` },
          shared: new WriteTarget(shared),
          mayBeLost: () => this.#pair.isDown('leader'),
        },
        { imports: this.#options.imports, changesShared: i === 0 },
      );
    });
  }

  #url(): string {
    return this.#pair.endpoint('leader').replace('tcp:', 'http:');
  }

  #startWriters(): void {
    const stop = new AbortController();
    const done = Promise.all(this.#writers.map((writer) => writer.run(stop.signal)));
    // Whoever waits for documents, or for their end, is told.
    done.catch(() => stop.abort());
    this.#writing = { stop, done };
  }

  async #stopWriters(): Promise<void> {
    this.#writing?.stop.abort();
    await this.#writing?.done;
  }

  /** Waits until so many more are written. */
  async #writeDocuments(count: number): Promise<void> {
    const until = this.model.documentsWritten + count;
    const deadlineMs = performance.now() + ROUND_TIMEOUT_MS;
    while (this.model.documentsWritten < until) {
      await sleep(POLL_MS);
      // Only an error ends them here.
      if (this.#writing?.stop.signal.aborted) await this.#writing.done;
      if (performance.now() > deadlineMs) throw new Error('the writers do not get on');
    }
    await sleep(this.#random.below(50));
  }

  /** Whichever of the two was spared so far comes first. */
  #nextStrike(): Strike {
    if (this.kills.leader === 0) return 'leader';
    if (this.kills.follower === 0) return 'follower';
    return this.#random.pick(STRIKES) ?? 'both';
  }

  async #strike(): Promise<void> {
    const strike = this.#nextStrike();
    if (strike === 'catching up') {
      await this.#strikeAt(['follower'], false, DOWN_MAX_MS * 2);
      await sleep(this.#random.below(CATCH_UP_KILL_MAX_MS));
      const side = this.#random.percent(30) ? 'leader' : 'follower';
      await this.#strikeAt([side], false);
      return;
    }
    if (strike === 'copying') {
      await this.#strikeAtCopy();
      // P6: what it had is there until it has the new.
      const count = await this.#pair.follower.count(SHARED_COLLECTION);
      if (count === 0) throw new Error('the follower has lost what it had');
      return;
    }
    if (typeof strike === 'object') {
      await this.#strikeAtPoint(strike);
      return;
    }
    const orderly = strike !== 'both' && this.#random.percent(TERM_PERCENT);
    await this.#strikeAt(strike === 'both' ? ['leader', 'follower'] : [strike], orderly);
  }

  /** Has one of them die at a point, while it copies if that is when it comes to it. */
  async #strikeAtPoint(death: Death): Promise<void> {
    if (COPY_POINTS.includes(death)) await this.#startCopy();
    const { side, point } = death;
    const isSwitch = point.startsWith('switch');
    const times = isSwitch ? 1 : 1 + this.#random.below(POINT_TIMES);
    const copyMs = isSwitch ? this.#options.documents * SWITCH_MS_PER_DOCUMENT : 0;
    const timeoutMs = POINT_MS + copyMs;
    const before = this.#hasPosition ? await this.#appliedTick() : 0n;
    const isReached = await this.#pair.endAt(side, point, times, timeoutMs);
    if (isReached) this.points.set(point, (this.points.get(point) ?? 0) + 1);
    this.kills[side]++;
    await this.#afterDeath([side], DOWN_MAX_MS, before);
  }

  /** Ends them, leaves them down for a moment, and starts them again; after that the writers write. */
  async #strikeAt(sides: readonly Side[], orderly: boolean, downMs = DOWN_MAX_MS): Promise<void> {
    const before = this.#hasPosition ? await this.#appliedTick() : 0n;
    await Promise.all(sides.map((side) => this.#pair.end(side, orderly)));
    if (!orderly) for (const side of sides) this.kills[side]++;
    await this.#afterDeath(sides, downMs, before);
  }

  async #afterDeath(sides: readonly Side[], downMs: number, before: bigint): Promise<void> {
    const hitsLeader = sides.includes('leader');
    // Each of them finds out by itself that the leader is gone.
    if (hitsLeader) await this.#writing?.done;
    await sleep(this.#random.below(downMs));
    await Promise.all(sides.map((side) => this.#pair.restart(side)));
    if (hitsLeader) {
      await this.#settle();
      this.#startWriters();
    }
    await this.#expectPosition(before);
  }

  /** P5: what the leader holds must be what it has acknowledged. The writers must be at rest. */
  async #settle(): Promise<FoundServer> {
    const found = await readServer(this.#pair.leader);
    for (const writer of this.#writers) writer.settle(found);
    const { cid = '' } = this.#arena ?? {};
    const differences = [
      ...this.model.differences(found, new Set([cid])),
      ...(this.#arena?.settle(found) ?? []),
    ];
    if (differences.length > 0) {
      throw new Error(`the leader differs from what it said:\n${differences.join('\n')}`);
    }
    return found;
  }

  /** Where the follower stands, if it follows already. */
  async #appliedTick(): Promise<bigint> {
    const { appliedTick } = await this.#pair.follower.applierState();
    return appliedTick;
  }

  /** P3: it goes on where it was. */
  async #expectPosition(before: bigint): Promise<void> {
    const tick = await this.#appliedTick();
    if (tick < before) throw new Error(`the follower stood at ${before} and is at ${tick} now`);
  }

  /** Lets the writers rest; then follower and leader must be equal. */
  async #compare(): Promise<FoundServer> {
    await this.#stopWriters();
    await this.#following;
    const leader = await this.#settle();
    await this.#pair.caughtUp();
    const differences = followerDifferences(leader, await readServer(this.#pair.follower));
    if (differences.length === 0) return leader;
    throw new Error(`the follower differs from its leader:\n${differences.join('\n')}`);
  }
}
