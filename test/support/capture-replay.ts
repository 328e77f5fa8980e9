import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { silentLogger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { checkAnswer } from './api-check.ts';
import { IdTranslation, type OwnAnswer } from './capture-comparison.ts';
import type { CapturedVersion, Exchange } from './captures.ts';
import { makeTempDir } from './temp-dir.ts';

/** A request that makes the situation of a recording; addresses in it are the recorded ones. */
export type RequestStep = readonly [
  server: Exchange['server'],
  target: string,
  body?: object | string,
];

/** A request, or what the follower is waited for. */
export type Step = RequestStep | { readonly until: (state: ApplierState) => boolean } | 'caught up';

/** `state` of the follower's applier, as far as steps look at it. */
export interface ApplierState {
  readonly running: boolean;
  readonly lastAppliedContinuousTick: string | null;
  readonly lastAvailableContinuousTick: string | null;
}

const STATE = '/_api/replication/applier-state';
const POLL_MS = 20;
/** How often it is looked whether the follower is as it should be. */
const POLLS_MAX = 1500;

/** Addresses of the recorded servers; the leader was also reached through two proxies. */
const RECORDED_PORTS: Readonly<Record<string, Exchange['server'] | 'nobody'>> = {
  ...{ '8611': 'leader', '8613': 'leader', '8614': 'leader', '8612': 'follower' },
  ...{ '8711': 'leader', '8713': 'leader', '8714': 'leader', '8712': 'follower' },
  '1': 'nobody',
};

/** A leader and a follower of ours that are asked what real ones were asked. */
export class ReplayServers implements AsyncDisposable {
  readonly ids = new IdTranslation();
  readonly #agent = new Agent();
  readonly #servers: Readonly<Record<Exchange['server'], RunningServer>>;
  readonly #close: () => Promise<void>;

  private constructor(
    servers: Readonly<Record<Exchange['server'], RunningServer>>,
    close: () => Promise<void>,
  ) {
    this.#servers = servers;
    this.#close = close;
  }

  /** Starts both, claiming to be of the recorded version; the log of 3.x is always on, that of 1.4 off at first. */
  static async open(version: CapturedVersion): Promise<ReplayServers> {
    const directory = await makeTempDir();
    const start = (name: string): Promise<RunningServer> => {
      const flags = {
        'server.endpoint': 'tcp://127.0.0.1:0',
        'server.compatible-version': version,
        'database.directory': join(directory.path, name),
        'logger.auto-start': String(version !== '1.4.3'),
      };
      const config = readConfig({ flags, env: {}, readFile: () => '' });
      return startServer({ logger: silentLogger }, config);
    };
    const leader = await start('leader');
    const follower = await start('follower');
    return new ReplayServers({ leader, follower }, async () => {
      await Promise.all([leader.stop(), follower.stop()]);
      await directory[Symbol.asyncDispose]();
    });
  }

  /**
   * Makes the situation of a recording. Steps behind one that begins a transaction are a part of that, and
   * its id is put in the place of `<id>`. @throws Error when a step is refused
   */
  async prepare(steps: readonly Step[]): Promise<void> {
    let transaction: string | undefined;
    for (const step of steps) {
      if (step === 'caught up' || 'until' in step) {
        await (step === 'caught up' ? this.#caughtUp() : this.#until(step.until));
        continue;
      }
      const [server, target, body] = step;
      const [method = '', path = ''] = target.replace('<id>', transaction ?? '').split(' ');
      const text = this.#body(typeof body === 'object' ? JSON.stringify(body) : (body ?? ''));
      const headers = transaction === undefined ? {} : { 'x-arango-trx-id': transaction };
      const answer = await this.#send(server, method, path, text, headers);
      if (answer.status >= 400) throw new Error(`${target}: ${answer.status} ${answer.text}`);
      if (!path.endsWith('/transaction/begin')) continue;
      transaction = (JSON.parse(answer.text) as { result: { id: string } }).result.id;
    }
  }

  /** Makes a recorded request, ids and addresses in ours. */
  ask({ server, method, target, requestBody, requestHeaders }: Exchange): Promise<OwnAnswer> {
    return this.#send(
      server,
      method,
      this.#target(target),
      this.#body(requestBody),
      requestHeaders,
    );
  }

  /** Notes that the position a recorded look at the log begins at is where ours ends now. */
  async learnPosition({ target }: Exchange): Promise<void> {
    const [, from] = /[?&]from=(\d+)/.exec(target) ?? [];
    // 1 is recorded where any tick would do.
    if (from === undefined || from === '1') return;
    this.ids.learnTick(from, await this.#lastLogTick(), true);
  }

  /** Notes which ticks both logs ended with when they were looked at. */
  learnLastTick(theirs: Exchange, ours: OwnAnswer): void {
    const name = 'x-arango-replication-lasttick';
    this.ids.learnTick(theirs.headers.get(name) ?? '', String(ours.headers[name] ?? ''));
  }

  /** Asks for the answer of a request that nobody waits for until it is there. */
  async askUntilDone(exchange: Exchange): Promise<OwnAnswer> {
    for (;;) {
      const answer = await this.ask(exchange);
      const isPending = answer.status === 204 && answer.headers['x-arango-async-id'] === undefined;
      if (!isPending) return answer;
      await sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
    await this.#close();
  }

  async #until(wanted: (state: ApplierState) => boolean): Promise<void> {
    for (let polls = 0; ; polls++) {
      const { text } = await this.#send('follower', 'GET', STATE, '', {});
      const { state } = JSON.parse(text) as { state: ApplierState };
      if (wanted(state)) return;
      if (polls > POLLS_MAX) throw new Error(`the follower is still ${text}`);
      await sleep(POLL_MS);
    }
  }

  /** Waits until the follower has applied what the leader has logged by now, or has stopped. */
  async #caughtUp(): Promise<void> {
    const tick = BigInt(await this.#lastLogTick());
    await this.#until(
      ({ running, lastAppliedContinuousTick: applied }) => !running || BigInt(applied ?? 0) >= tick,
    );
  }

  async #lastLogTick(): Promise<string> {
    const { text } = await this.#send('leader', 'GET', '/_api/replication/logger-state', '', {});
    return (JSON.parse(text) as { state: { lastLogTick: string } }).state.lastLogTick;
  }

  #target(target: string): string {
    const { ids } = this;
    return target
      .replace(/(\/_api\/index\/\w+\/)(\d+)/, (_, path: string, id: string) => path + ids.id(id))
      .replace(
        /(\/_api\/(?:replication\/(?:batch|barrier|keys)|job)\/)(\d+)/,
        (_, path: string, id: string) => path + ids.id(id),
      )
      .replace(
        /([?&](?:collection|barrier)=)(\d+)/,
        (_, name: string, id: string) => name + ids.id(id),
      )
      .replace(
        /([?&](?:from|to|firstRegular(?:Tick)?)=)(\d+)/g,
        (_, name: string, tick: string) => name + (tick === '1' ? tick : ids.tick(tick)),
      );
  }

  #body(body: string): string {
    return body
      .replace(/tcp:\/\/127\.0\.0\.1:(\d+)/g, (text, port: string) => {
        const role = RECORDED_PORTS[port];
        return role === undefined || role === 'nobody'
          ? text
          : this.#servers[role].url.replace('http:', 'tcp:');
      })
      .replace(/("tick":")(\d+)"/g, (_, name: string, tick: string) => {
        return `${name}${this.ids.tick(tick)}"`;
      });
  }

  async #send(
    server: Exchange['server'],
    method: string,
    target: string,
    body: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<OwnAnswer> {
    const wanted = Object.entries(headers).filter(([name]) => name.startsWith('x-arango-'));
    const response = await request(this.#servers[server].url + target, {
      dispatcher: this.#agent,
      method: method,
      headers: Object.fromEntries(wanted),
      body: body === '' ? null : body,
    });
    const text = await response.body.text();
    const answer = { status: response.statusCode, headers: response.headers, text };
    checkAnswer(method, target, answer);
    return answer;
  }
}
