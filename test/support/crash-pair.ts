import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntilApplied } from '../../bench/support/catch-up.ts';
import { ServerApi } from '../../bench/support/server-api.ts';
import { ServerProcess } from '../../bench/support/server-process.ts';
import { buildForChild } from './child-build.ts';
import { CONTROL_VARIABLE, type KillPoint } from './kill-points.ts';

/** Which of the two. */
export type Side = 'leader' | 'follower';

export interface CrashPairOptions {
  readonly directory: string;
  /** Connections to the leader. */
  readonly connections: number;
  /** Bytes of log that the follower asks for at once, 0 for what suits it. */
  readonly chunkSize: number;
  readonly leaderFlags?: readonly string[];
}

const CAUGHT_UP_MS = 90_000;
const SYNC_ATTEMPTS_MAX = 100;
const RETRY_MS = 100;

/**
 * A leader that logs from its first write on and never forgets, and its follower: processes of their own,
 * which are killed and started again on their directories and ports.
 */
export class CrashPair implements AsyncDisposable {
  readonly leader: ServerApi;
  readonly follower: ServerApi;
  readonly #servers: Readonly<Record<Side, ServerProcess>>;
  readonly #options: CrashPairOptions;
  readonly #down = new Set<Side>();
  /** Counts what was done to either. */
  #disturbances = 0;

  private constructor(servers: Record<Side, ServerProcess>, options: CrashPairOptions) {
    this.#servers = servers;
    this.#options = options;
    const { connections } = options;
    this.leader = new ServerApi({ url: servers.leader.url, connections });
    // A sync is a request that waits; the state is asked for beside it.
    this.follower = new ServerApi({ url: servers.follower.url, connections: 4 });
  }

  static async start(options: CrashPairOptions): Promise<CrashPair> {
    const code = join(options.directory, 'code');
    const watcher = await buildForChild(code, 'test/support/kill-points.ts');
    const start = (name: Side, flags: readonly string[] = []): Promise<ServerProcess> => {
      const directory = join(options.directory, name);
      const env = {
        NODE_OPTIONS: `--import=${pathToFileURL(watcher).href}`,
        [CONTROL_VARIABLE]: killPointFile(directory),
      };
      return ServerProcess.start({ name, directory, flags, env });
    };
    const [leader, follower] = await Promise.all([
      start('leader', options.leaderFlags),
      start('follower'),
    ]);
    const pair = new CrashPair({ leader, follower }, options);
    await pair.leader.liftLoggerCaps();
    return pair;
  }

  /** `tcp://127.0.0.1:PORT` */
  endpoint(side: Side): string {
    return this.#servers[side].endpoint;
  }

  /** Where its data lies. */
  directory(side: Side): string {
    return join(this.#options.directory, side);
  }

  /** The end of what both have printed. */
  get output(): string {
    const { leader, follower } = this.#servers;
    return [leader, follower].map(({ name, output }) => `--- ${name} ---\n${output}`).join('\n');
  }

  isDown(side: Side): boolean {
    return this.#down.has(side);
  }

  /** Ends one of them. @param orderly with SIGTERM, after which its exit code must be 0; else SIGKILL */
  async end(side: Side, orderly = false): Promise<void> {
    this.#disturbances++;
    this.#down.add(side);
    await (orderly ? this.#servers[side].stop() : this.#servers[side].kill());
  }

  /**
   * Has one of them kill itself at a point of its work; where it does not come to it in time, it is killed.
   * @returns whether it came to it
   */
  async endAt(side: Side, point: KillPoint, times: number, timeoutMs: number): Promise<boolean> {
    this.#disturbances++;
    // It may be gone from now on.
    if (side === 'leader') this.#down.add(side);
    const control = killPointFile(this.directory(side));
    await writeFile(control, `${point} ${times}`);
    const isReached = await this.#servers[side].endsWithin(timeoutMs);
    this.#down.add(side);
    if (!isReached) await this.#servers[side].kill();
    await rm(control);
    this.#disturbances++;
    return isReached;
  }

  /** Starts it again after `end` or `endAt`. */
  async restart(side: Side): Promise<void> {
    await this.#servers[side].restart();
    this.#down.delete(side);
    this.#disturbances++;
  }

  /**
   * Makes the second a follower of the first, as an operator does: configuration, sync, start. Begins again
   * when one of them is killed in the meantime.
   * @throws Error when it fails and none was
   */
  async makeFollower(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      while (this.#down.size > 0) await sleep(RETRY_MS);
      const before = this.#disturbances;
      try {
        await this.#makeFollowerOnce();
        return;
      } catch (error) {
        // Of one that has just died by itself others may hear before.
        await sleep(RETRY_MS);
        if (this.#disturbances === before || attempt === SYNC_ATTEMPTS_MAX) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  /** Waits until the follower has applied all that is in the leader's log now. @throws when it stops */
  async caughtUp(): Promise<void> {
    const tick = await this.leader.lastLogTick();
    await waitUntilApplied(this.follower, tick, AbortSignal.timeout(CAUGHT_UP_MS));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leader[Symbol.asyncDispose]();
    await this.follower[Symbol.asyncDispose]();
    for (const server of Object.values(this.#servers)) await server[Symbol.asyncDispose]();
  }

  async #makeFollowerOnce(): Promise<void> {
    const { follower } = this;
    const endpoint = this.endpoint('leader');
    // One that was killed may have started by itself, with nothing to start from.
    await follower.stopApplier();
    await follower.configureApplier({
      ...{ endpoint, autoStart: true, chunkSize: this.#options.chunkSize },
      // A leader that is killed here is back in a moment.
      ...{ maxConnectRetries: 0, connectionRetryWaitTime: 0.1 },
    });
    const { lastLogTick } = await follower.sync(endpoint);
    await follower.startApplier(lastLogTick);
  }
}

function killPointFile(directory: string): string {
  return `${directory}-kill-point`;
}
