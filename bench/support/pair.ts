import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerApi } from './server-api.ts';
import { ServerProcess } from './server-process.ts';
import { cpuSeconds } from './usage.ts';
import { WorkDirectory } from './work-directory.ts';

const SETTLE_STEP_MS = 250;
/** Background work goes round once a second; a server is idle when it was for longer than that. */
const IDLE_STEPS = 5;
const SETTLE_MAX_MS = 15_000;
/** Part of a core below which a server counts as idle. */
const IDLE_LOAD = 0.05;

/** Leader and follower, each a process with a directory of its own, and a way to talk to them. */
export class Pair implements AsyncDisposable {
  readonly leader: ServerProcess;
  readonly follower: ServerProcess;
  readonly leaderApi: ServerApi;
  readonly followerApi: ServerApi;
  readonly #directory: WorkDirectory;

  constructor(
    servers: { leader: ServerProcess; follower: ServerProcess },
    options: { connections: number; directory: WorkDirectory },
  ) {
    this.leader = servers.leader;
    this.follower = servers.follower;
    this.leaderApi = new ServerApi({ url: this.leader.url, connections: options.connections });
    this.followerApi = new ServerApi({ url: this.follower.url });
    this.#directory = options.directory;
  }

  /** Starts both on empty directories. @param connections to the leader */
  static async start(options: { connections?: number } = {}): Promise<Pair> {
    const directory = new WorkDirectory();
    const start = (name: string): Promise<ServerProcess> =>
      ServerProcess.start({ name, directory: join(directory.path, name) });
    const [leader, follower] = await Promise.all([start('leader'), start('follower')]);
    return new Pair({ leader, follower }, { connections: options.connections ?? 1, directory });
  }

  /** Waits until neither has anything more to do in the background, 15 seconds at most. */
  async settle(): Promise<void> {
    const used = (): number =>
      (cpuSeconds(this.leader.pid) ?? 0) + (cpuSeconds(this.follower.pid) ?? 0);
    const deadlineMs = performance.now() + SETTLE_MAX_MS;
    let idleSteps = 0;
    for (let before = used(); idleSteps < IDLE_STEPS && performance.now() < deadlineMs;) {
      await sleep(SETTLE_STEP_MS);
      const now = used();
      const isIdle = now - before < (IDLE_LOAD * SETTLE_STEP_MS) / 1000;
      idleSteps = isIdle ? idleSteps + 1 : 0;
      before = now;
    }
  }

  /** Ends both and removes their data. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leaderApi[Symbol.asyncDispose]();
    await this.followerApi[Symbol.asyncDispose]();
    await this.leader[Symbol.asyncDispose]();
    await this.follower[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }
}
