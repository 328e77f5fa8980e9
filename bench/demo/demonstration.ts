import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { waitUntilApplied } from '../support/catch-up.ts';
import { UnexpectedAnswer } from '../support/http-client.ts';
import type { Pair } from '../support/pair.ts';
import { PROJECT_DIRECTORY } from '../support/project.ts';
import type { ServerProcess } from '../support/server-process.ts';
import {
  formatCount,
  formatNumberOf,
  formatSeconds,
  formatTable,
  median,
} from '../support/table.ts';
import { compareIndependently, runVerify, showDifferences } from './equality.ts';
import { watchLag } from './lag.ts';
import { Model, readDocuments } from './model.ts';
import type { Narrator } from './narrator.ts';
import { type Content, DEPENDS_ON, PACKAGES, readPackages } from './packages.ts';
import { WriterGroup } from './writer-group.ts';

export const WRITERS = 6;

const SEED = 1;
const EDGE_COLLECTION = 3;
/** How long the writers write in each part, and how long the follower stays dead. */
const CALM_MS = 3000;
const DEAD_MS = 1500;
const BEFORE_LEADER_KILL_MS = 1000;
const AFTER_LEADER_KILL_MS = 2000;
const ALL_MS = 90_000;
const READ_ONLY = 1004;

/** The demonstration: what is done, in its order, and what is told about it. */
export class Demonstration {
  readonly #pair: Pair;
  readonly #narrator: Narrator;
  readonly #model = new Model();
  readonly #signal = AbortSignal.timeout(ALL_MS);
  /** Rows of the summary. */
  readonly #summary: string[][] = [];

  constructor(deps: { pair: Pair; narrator: Narrator }) {
    this.#pair = deps.pair;
    this.#narrator = deps.narrator;
  }

  /**
   * @returns whether both servers were equal in the end
   * @throws Error when something on the way went wrong
   */
  async run(): Promise<boolean> {
    await this.#load();
    await this.#makeFollower();
    const { leaderApi: leader } = this.#pair;
    const writers = new WriterGroup({ leader, model: this.#model }, { count: WRITERS, seed: SEED });
    await this.#writeInPeace(writers);
    await this.#killFollower(writers);
    const kept = await this.#killLeader(writers);
    await this.#finish(writers);
    const equal = (await this.#verify()) && kept;
    await this.#stop();
    this.#narrator.step('Summary');
    this.#narrator.show(formatTable(['what', 'how much', 'time', 'rate'], this.#summary));
    return equal;
  }

  async #load(): Promise<void> {
    const narrator = this.#narrator;
    const { leaderApi: leader } = this.#pair;
    narrator.step('Loading every package.json below node_modules into the leader');
    const graph = readPackages(join(PROJECT_DIRECTORY, 'node_modules'));
    const { packages, dependencies, unreadable } = graph;
    const skipped = unreadable === 0 ? '' : ` (${unreadable} files were no JSON objects)`;
    narrator.say(
      `found ${formatNumberOf(packages.length, 'package')} and ` +
        `${formatCount(dependencies.length)} dependencies between them${skipped}`,
    );
    await leader.createCollection(PACKAGES);
    await leader.createCollection(DEPENDS_ON, EDGE_COLLECTION);
    await leader.createIndex(PACKAGES, { type: 'hash', fields: ['name'], unique: false });
    const startedAt = performance.now();
    await this.#import(PACKAGES, packages);
    await this.#import(DEPENDS_ON, dependencies);
    const seconds = (performance.now() - startedAt) / 1000;
    narrator.say(`imported them as documents and edges in ${formatSeconds(seconds)}`);
    this.#note('imported', packages.length + dependencies.length, 'document', seconds);
  }

  async #import(collection: string, contents: readonly Content[]): Promise<void> {
    const lines = contents.map((content) => Buffer.from(`${JSON.stringify(content)}\n`));
    await this.#pair.leaderApi.import(collection, lines, contents.length);
    for (const content of contents) {
      this.#model.acknowledge({ collection, key: content._key, content });
    }
  }

  async #makeFollower(): Promise<void> {
    const narrator = this.#narrator;
    const { leader, followerApi } = this.#pair;
    narrator.step('Making the second server a follower of the first');
    const endpoint = leader.endpoint;
    // A leader that is killed here is back in a second: asking rarely would only cost time.
    const patience = { maxConnectRetries: 0, connectionRetryWaitTime: 0.5 };
    await followerApi.configureApplier({ endpoint, autoStart: true, ...patience });
    narrator.say(`PUT applier-config  endpoint ${endpoint}, autoStart true`);
    const startedAt = performance.now();
    const { lastLogTick, collections } = await followerApi.sync(endpoint);
    const seconds = (performance.now() - startedAt) / 1000;
    narrator.say(
      `PUT sync            copied ${formatNumberOf(collections, 'collection')} as of tick ` +
        `${lastLogTick} in ${formatSeconds(seconds)}`,
    );
    this.#note('copied by the initial sync', this.#model.count, 'document', seconds);
    await followerApi.startApplier(lastLogTick);
    narrator.say(`PUT applier-start   follows the log from that tick on`);
    narrator.say(`a client that writes to the follower is told: ${await this.#refusal()}`);
  }

  /** @throws Error when the follower takes a write that would make it differ from its leader */
  async #refusal(): Promise<string> {
    try {
      await this.#pair.followerApi.insert(PACKAGES, '{"_key":"stray"}');
    } catch (error) {
      if (error instanceof UnexpectedAnswer && error.errorNum === READ_ONLY) {
        return `${error.status}, error ${READ_ONLY}, read only`;
      }
      throw error;
    }
    throw new Error('the follower took a write of its own');
  }

  async #writeInPeace(writers: WriterGroup): Promise<void> {
    const narrator = this.#narrator;
    const { leaderApi, followerApi } = this.#pair;
    narrator.step(`${WRITERS} writers insert, update and remove at the leader; the follower tails`);
    writers.start();
    const startedAt = performance.now();
    const lagsMs = await watchLag(leaderApi, followerApi, AbortSignal.timeout(CALM_MS));
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = writers.total / seconds;
    narrator.say(
      `${formatCount(writers.total)} writes acknowledged in ${formatSeconds(seconds)}: ` +
        `${formatCount(rate)} a second`,
    );
    const middle = `${median(lagsMs).toFixed(0)} ms`;
    const worst = `${Math.max(...lagsMs).toFixed(0)} ms`;
    narrator.say(`the follower lags ${middle} behind in the middle, ${worst} at worst`);
    this.#summary.push(['lag while tailing, middle', '', middle, '']);
    this.#summary.push(['lag while tailing, worst', '', worst, '']);
  }

  async #killFollower(writers: WriterGroup): Promise<void> {
    const narrator = this.#narrator;
    const { follower, followerApi, leaderApi } = this.#pair;
    narrator.step('Killing the follower in the middle of it');
    await follower.kill();
    narrator.say(`SIGKILL to process ${follower.pid}; the writers go on`);
    const before = writers.total;
    await sleep(DEAD_MS);
    await this.#restart(follower);
    const tick = await leaderApi.lastLogTick();
    const missed = writers.total - before;
    const startedAt = performance.now();
    narrator.say('its applier goes on by itself, from the position it wrote with the last page');
    await waitUntilApplied(followerApi, tick, this.#signal);
    const seconds = (performance.now() - startedAt) / 1000;
    narrator.say(
      `it has caught up with ${formatCount(missed)} changes made in its absence ` +
        `in ${formatSeconds(seconds)}`,
    );
    this.#note('caught up after its crash', missed, 'change', seconds);
  }

  /** @returns whether everything the leader had acknowledged was still there */
  async #killLeader(writers: WriterGroup): Promise<boolean> {
    const narrator = this.#narrator;
    const { leader, leaderApi } = this.#pair;
    narrator.step('Killing the leader while it is being written to');
    await sleep(BEFORE_LEADER_KILL_MS);
    const { pid } = leader;
    await leader.kill();
    await writers.stop();
    narrator.say(
      `SIGKILL to process ${pid}; ${formatCount(writers.total)} writes were acknowledged`,
    );
    await this.#restart(leader);
    const found = await readDocuments(leaderApi.http, this.#model.collections.keys());
    const { happened, lost } = this.#model.settle(found);
    narrator.say(
      `of ${formatNumberOf(happened + lost, 'write')} without an answer ` +
        `${happened} happened and ${lost} did not`,
    );
    const { collections } = this.#model;
    return showDifferences(narrator, 'acknowledged writes and leader', collections, found);
  }

  async #restart(server: ServerProcess): Promise<void> {
    const startedAt = performance.now();
    await server.restart();
    const seconds = (performance.now() - startedAt) / 1000;
    this.#narrator.say(
      `${server.name} started again on the same directory and port: ` +
        `ready after ${formatSeconds(seconds)}`,
    );
    this.#note(`start of the ${server.name} after SIGKILL`, undefined, '', seconds);
  }

  async #finish(writers: WriterGroup): Promise<void> {
    const narrator = this.#narrator;
    const { leaderApi, followerApi } = this.#pair;
    narrator.step('The writers go on; the follower finds its leader again');
    writers.start();
    await sleep(AFTER_LEADER_KILL_MS);
    await writers.stop();
    const { inserted, updated, removed } = writers.counts;
    narrator.say(
      `all writers are done: ${formatCount(inserted)} inserted, ${formatCount(updated)} updated, ` +
        `${formatCount(removed)} removed`,
    );
    const tick = await leaderApi.lastLogTick();
    const startedAt = performance.now();
    await waitUntilApplied(followerApi, tick, this.#signal);
    const seconds = (performance.now() - startedAt) / 1000;
    narrator.say(
      `the follower has applied the last tick, ${tick}, ${formatSeconds(seconds)} later`,
    );
    this.#note('acknowledged to the writers', writers.total, 'write');
    this.#note('behind when the writers ended', undefined, '', seconds);
  }

  async #verify(): Promise<boolean> {
    const narrator = this.#narrator;
    const { leader, follower, leaderApi, followerApi } = this.#pair;
    narrator.step('Are both equal?');
    const verified = await runVerify(narrator, leader.endpoint, follower.endpoint);
    narrator.say('and without the help of the product, from the dumps of both:');
    const compared = await compareIndependently(narrator, leaderApi, followerApi, this.#model);
    this.#note('compared on both sides', this.#model.count, 'document');
    return verified && compared;
  }

  async #stop(): Promise<void> {
    const { leader, follower } = this.#pair;
    await Promise.all([leader.stop(), follower.stop()]);
    this.#narrator.say('both servers ended in good order when they were told to');
  }

  #note(what: string, count: number | undefined, noun: string, seconds?: number): void {
    const known = count !== undefined && seconds !== undefined && seconds > 0;
    this.#summary.push([
      what,
      count === undefined ? '' : formatNumberOf(count, noun),
      seconds === undefined ? '' : formatSeconds(seconds),
      known ? `${formatCount(count / seconds)}/s` : '',
    ]);
  }
}
