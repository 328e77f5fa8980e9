import { readFileSync } from 'node:fs';

/** What a process used while it was watched; undefined where the system does not tell (not Linux). */
export interface Usage {
  /** User and system time. */
  readonly cpuSeconds: number | undefined;
  /** Largest anonymous resident memory seen: heap and buffers, not files mapped by the store. */
  readonly peakRssAnonBytes: number | undefined;
}

/** Memory is looked at this often; a peak that is shorter may be missed. */
const SAMPLE_INTERVAL_MS = 20;
/** USER_HZ, in which Linux tells processor times; it is 100 on every platform Node runs on. */
const CLOCK_TICKS_PER_SECOND = 100;
const UTIME_FIELD = 11;
const STIME_FIELD = 12;
const CUTIME_FIELD = 13;
const CSTIME_FIELD = 14;

/** Watches a process, or one with all that it has started, from its construction until `end`. */
export class UsageMeter {
  readonly #pid: number;
  readonly #withChildren: boolean;
  readonly #cpuBefore: number | undefined;
  readonly #timer: NodeJS.Timeout;
  #peakAnon: number | undefined;
  #cpuAfter: number | undefined;

  constructor(pid: number, options: { withChildren?: boolean } = {}) {
    this.#pid = pid;
    this.#withChildren = options.withChildren ?? false;
    this.#cpuBefore = this.#cpuSeconds();
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS);
  }

  /** Ends the watch. The process should still be there. */
  end(): void {
    clearInterval(this.#timer);
    this.#sample();
    this.#cpuAfter = this.#cpuSeconds();
  }

  /** What was used up to `end`. */
  get usage(): Usage {
    const before = this.#cpuBefore;
    const after = this.#cpuAfter;
    return {
      cpuSeconds: after === undefined || before === undefined ? undefined : after - before,
      peakRssAnonBytes: this.#peakAnon,
    };
  }

  #sample(): void {
    const all = this.#pids().map((pid) => rssAnonBytes(pid));
    const now = all.reduce(
      (sum, bytes) => (bytes === undefined ? sum : (sum ?? 0) + bytes),
      undefined,
    );
    if (now !== undefined) this.#peakAnon = Math.max(this.#peakAnon ?? 0, now);
  }

  #cpuSeconds(): number | undefined {
    if (!this.#withChildren) return cpuSeconds(this.#pid);
    return this.#pids().reduce((sum, pid) => sum + cpuSecondsWithEnded(pid), 0);
  }

  #pids(): readonly number[] {
    return this.#withChildren ? familyOf(this.#pid) : [this.#pid];
  }
}

/** A process and everything below it. */
function familyOf(pid: number): readonly number[] {
  const children = readProc(pid, `task/${pid}/children`)?.trim() ?? '';
  return [
    pid,
    ...children
      .split(' ')
      .filter(Boolean)
      .flatMap((child) => familyOf(Number(child))),
  ];
}

/** With that of its children that have ended, 0 when it has ended itself: then its parent has it. */
function cpuSecondsWithEnded(pid: number): number {
  const fields = statFields(pid);
  if (fields === undefined) return 0;
  const times = [UTIME_FIELD, STIME_FIELD, CUTIME_FIELD, CSTIME_FIELD];
  const ticks = times.reduce((sum, field) => sum + Number(fields[field]), 0);
  return ticks / CLOCK_TICKS_PER_SECOND;
}

/** User and system time of a process since it began, in seconds. */
export function cpuSeconds(pid: number): number | undefined {
  const fields = statFields(pid);
  if (fields === undefined) return undefined;
  return (Number(fields[UTIME_FIELD]) + Number(fields[STIME_FIELD])) / CLOCK_TICKS_PER_SECOND;
}

/** User and system time of all children of this process that have ended, in seconds; 0 where it is not told. */
export function cpuSecondsOfChildren(): number {
  const fields = statFields(process.pid);
  if (fields === undefined) return 0;
  return (Number(fields[CUTIME_FIELD]) + Number(fields[CSTIME_FIELD])) / CLOCK_TICKS_PER_SECOND;
}

/** The fields behind the name of the program, which stands in parentheses and may hold anything, blanks too. */
function statFields(pid: number): readonly string[] | undefined {
  const text = readProc(pid, 'stat');
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function rssAnonBytes(pid: number): number | undefined {
  return statusBytes(pid, 'RssAnon');
}

/** Largest resident memory of a process since it began, mapped files included. */
export function peakRssBytes(pid: number): number | undefined {
  return statusBytes(pid, 'VmHWM');
}

function statusBytes(pid: number, name: 'RssAnon' | 'VmHWM'): number | undefined {
  const [, kib] =
    new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readProc(pid, 'status') ?? '') ?? [];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    // Another system, or the process has just ended: there is nothing to tell.
    return undefined;
  }
}
