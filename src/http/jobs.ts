import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { counted } from '../base/words.ts';
import type { SyncNumbers } from '../model/sync-numbers.ts';
import type { VerifyNumbers } from '../model/verify-numbers.ts';
import { ServiceError } from '../model/errors.ts';
import type { WorkNumbers } from '../model/work-numbers.ts';

/** An answer as it was before it could be sent. */
export interface StoredAnswer {
  readonly status: number;
  /** In the order in which they were set; names as they were set. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** What a job is about. */
export interface JobRequest {
  readonly method: string;
  readonly path: string;
}

/** Where a request that nobody waits for says how far it is. */
export interface JobReport {
  /** Asked while the request runs, by whoever looks at the job. */
  progress?: (() => JobNumbers) | undefined;
}

/** How far a request is, by what it does. */
export interface JobNumbers {
  readonly sync?: SyncNumbers | undefined;
  readonly verify?: VerifyNumbers | undefined;
  /** What goes over the collection that the request is about. */
  readonly works?: readonly WorkNumbers[] | undefined;
}

/** A job as somebody sees who looks. */
export interface JobView extends JobRequest {
  readonly done: boolean;
  readonly startedMs: number;
  /** How long it has run, or ran. */
  readonly runningMs: number;
  /** What the request says of itself; undefined when it says nothing, or is done. */
  readonly progress: JobNumbers | undefined;
}

/** What a job is at: its answer is undefined while it runs. */
interface Job {
  readonly request: JobRequest;
  readonly report: JobReport;
  /** The user who asked; undefined where nobody says who he is. */
  readonly owner: string | undefined;
  readonly startedMs: number;
  doneMs: number;
  answer: StoredAnswer | undefined;
}

export interface JobsOptions {
  /** Requests that may run at a time without anyone waiting; further ones are refused. */
  readonly maxRunning?: number;
  /** Answers kept; the oldest goes first. */
  readonly maxStored?: number;
  /** Bytes of the bodies kept; the oldest goes first, but never the newest. */
  readonly maxStoredBytes?: number;
  /** How long an answer is kept, in ms. */
  readonly maxAgeMs?: number;
}

const MIB = 1024 * 1024;
const MAX_RUNNING = 64;
const MAX_STORED = 1000;
const MAX_STORED_BYTES = 64 * MIB;
const MAX_AGE_MS = 60 * 60 * 1000;

/**
 * Requests that are answered 202 and run on by themselves (contract 1.1): their ids, and their answers
 * until somebody fetches them, they grow old, or there are too many. Methods that are given an owner know his
 * jobs only, without one all.
 */
export class Jobs {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: Required<JobsOptions>;
  /** By id; the order is that of the starts. */
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Set<Promise<void>>();
  #lastId: bigint;

  constructor(deps: { clock: Clock; logger: Logger }, options: JobsOptions = {}) {
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#options = {
      maxRunning: options.maxRunning ?? MAX_RUNNING,
      maxStored: options.maxStored ?? MAX_STORED,
      maxStoredBytes: options.maxStoredBytes ?? MAX_STORED_BYTES,
      maxAgeMs: options.maxAgeMs ?? MAX_AGE_MS,
    };
    // So that an id of an earlier run is unknown, and not that of another request.
    this.#lastId = BigInt(deps.clock.nowMs()) * 1000n;
  }

  /**
   * Runs a request by itself.
   *
   * @param run resolves with its answer and must not reject
   * @param options.isKept whether the answer is wanted
   * @param options.owner the user whose it is
   * @param options.request what it is about
   * @returns the id, which is never given twice
   * @throws ServiceError resourceLimit (32) when too many run
   */
  start(
    run: (report: JobReport) => Promise<StoredAnswer>,
    wanted: { isKept: boolean; owner?: string | undefined; request: JobRequest },
  ): string {
    const { maxRunning } = this.#options;
    if (this.#running.size >= maxRunning) {
      throw new ServiceError(
        'resourceLimit',
        `only ${counted(maxRunning, 'request')} may run at a time without anybody waiting`,
      );
    }
    const id = (++this.#lastId).toString();
    const { isKept, owner, request } = wanted;
    const times = { startedMs: this.#clock.nowMs(), doneMs: 0 };
    const job: Job = { request, report: {}, owner, ...times, answer: undefined };
    if (isKept) this.#jobs.set(id, job);
    const running = run(job.report)
      .then((answer) => {
        this.#finish(job, answer);
      })
      .catch((error: unknown) => {
        this.#jobs.delete(id);
        this.#logger.error({ err: error, job: id }, 'a request that nobody waited for failed');
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    return id;
  }

  /** Ids of the jobs that run, or of those that are done, the oldest first. */
  list(state: 'pending' | 'done', max: number, owner?: string): string[] {
    this.#sweep();
    const wanted = [...this.#jobs].filter(
      ([, job]) => (job.answer === undefined) === (state === 'pending') && isOf(job, owner),
    );
    return wanted.slice(0, max).map(([id]) => id);
  }

  /** Whether the job is done. @throws ServiceError notFound when it is unknown */
  isDone(id: string, owner?: string): boolean {
    return this.#find(id, owner).answer !== undefined;
  }

  /** How far a job is. @throws ServiceError notFound when it is unknown */
  view(id: string, owner?: string): JobView {
    const { request, report, startedMs, doneMs, answer } = this.#find(id, owner);
    const done = answer !== undefined;
    return {
      ...{ ...request, done, startedMs },
      runningMs: Math.max(0, (done ? doneMs : this.#clock.nowMs()) - startedMs),
      progress: done ? undefined : report.progress?.(),
    };
  }

  /**
   * Hands out the answer of a job and forgets it; undefined while it runs.
   * @throws ServiceError notFound when it is unknown, or was fetched before
   */
  fetch(id: string, owner?: string): StoredAnswer | undefined {
    const { answer } = this.#find(id, owner);
    if (answer) this.#jobs.delete(id);
    return answer;
  }

  /** Forgets the answer of a job; one that runs goes on. @throws ServiceError notFound */
  remove(id: string, owner?: string): void {
    this.#find(id, owner);
    this.#jobs.delete(id);
  }

  /** Forgets all answers. */
  removeAll(owner?: string): void {
    for (const [id, job] of this.#jobs) {
      if (isOf(job, owner)) this.#jobs.delete(id);
    }
  }

  /** Forgets the answers of those that were done before this time, in ms since 1970. */
  removeDoneBefore(timeMs: number, owner?: string): void {
    for (const [id, job] of this.#jobs) {
      if (job.answer && job.doneMs < timeMs && isOf(job, owner)) this.#jobs.delete(id);
    }
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #find(id: string, owner: string | undefined): Job {
    this.#sweep();
    const job = this.#jobs.get(id);
    if (!job || !isOf(job, owner)) throw new ServiceError('notFound');
    return job;
  }

  #finish(job: Job, answer: StoredAnswer): void {
    job.answer = answer;
    job.doneMs = this.#clock.nowMs();
    this.#sweep();
  }

  /** Takes away what is too old or too much. */
  #sweep(): void {
    const { maxAgeMs, maxStored, maxStoredBytes } = this.#options;
    this.removeDoneBefore(this.#clock.nowMs() - maxAgeMs);
    const done = [...this.#jobs]
      .filter(([, { answer }]) => answer !== undefined)
      .sort(([, a], [, b]) => a.doneMs - b.doneMs);
    let bytes = done.reduce((sum, [, { answer }]) => sum + (answer?.body.length ?? 0), 0);
    let count = done.length;
    for (const [id, { answer }] of done) {
      if (count <= maxStored && (bytes <= maxStoredBytes || count === 1)) return;
      bytes -= answer?.body.length ?? 0;
      count--;
      this.#jobs.delete(id);
    }
  }
}

function isOf(job: Job, owner: string | undefined): boolean {
  return owner === undefined || job.owner === owner;
}
