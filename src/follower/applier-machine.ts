import { assert } from '../base/assert.ts';

/*
 *            start              contacted
 *  stopped ────────▶ starting ───────────▶ tailing ◀──┐ contacted
 *     ▲                 │ ▲  resync           │ lost   │
 *     │ ended           │ └──synced── syncing ◀─┐      │
 *     │                 ▼ lost            │  resync    │
 *  stopping ◀── stop ── backoff ──────────┴──────┴─────┘
 *
 *  From everywhere but rest `stop` leads to stopping, and `broke` to failed; `start` leads out of it.
 */

/** Why an applier is at rest, or waiting. */
export interface Reason {
  readonly errorNum: number;
  readonly message: string;
}

/** The phase, and since when, in ms since 1970. */
export type ApplierMachine =
  | {
      readonly phase: 'stopped';
      readonly sinceMs: number;
      /** Undefined when it was never started. */
      readonly why: Reason | undefined;
    }
  | { readonly phase: 'starting' | 'syncing' | 'tailing' | 'stopping'; readonly sinceMs: number }
  | { readonly phase: 'backoff' | 'failed'; readonly sinceMs: number; readonly why: Reason };

/** What happens to an applier. */
export type ApplierEvent =
  | { readonly type: 'start' }
  /** The leader answered, and is the right one. */
  | { readonly type: 'contacted' }
  /** The leader did not answer. */
  | { readonly type: 'lost'; readonly why: Reason }
  /** A copy of everything begins, because of this. */
  | { readonly type: 'resync'; readonly why: Reason }
  | { readonly type: 'synced' }
  /** Something that trying again does not cure. */
  | { readonly type: 'broke'; readonly why: Reason }
  | { readonly type: 'stop' }
  /** The loop is at rest after a `stop`. */
  | { readonly type: 'ended'; readonly why: Reason };

/** Whether `running` is true on the wire (contract 5.4). */
export function isRunning(machine: ApplierMachine): boolean {
  return machine.phase !== 'stopped' && machine.phase !== 'failed';
}

/** The reason in the states that have one. */
export function reasonOf(machine: ApplierMachine): Reason | undefined {
  return 'why' in machine ? machine.why : undefined;
}

/** An applier that was never started. */
export function initialMachine(nowMs: number): ApplierMachine {
  return { phase: 'stopped', sinceMs: nowMs, why: undefined };
}

/** An applier at rest since a run that is over, or one that was never started. */
export function machineAt(
  ending:
    | { readonly phase: 'stopped' | 'failed'; readonly atMs: number; readonly why: Reason }
    | undefined,
  nowMs: number,
): ApplierMachine {
  if (!ending) return initialMachine(nowMs);
  return { phase: ending.phase, sinceMs: ending.atMs, why: ending.why };
}

/**
 * The state after an event; the same object when the event changes nothing. What the loop still
 * reports while it is being stopped changes nothing.
 *
 * @param nowMs time of the event, ms since 1970
 * @throws InvariantError for an event that cannot happen: reports of a loop that does not run
 */
export function next(machine: ApplierMachine, event: ApplierEvent, nowMs: number): ApplierMachine {
  switch (event.type) {
    case 'start':
      return isRunning(machine) ? machine : { phase: 'starting', sinceMs: nowMs };
    case 'stop':
      if (!isRunning(machine) || machine.phase === 'stopping') return machine;
      return { phase: 'stopping', sinceMs: nowMs };
    case 'broke':
      assertRuns(machine, event);
      return { phase: 'failed', sinceMs: nowMs, why: event.why };
    case 'ended':
      assert(machine.phase === 'stopping', `an applier that is ${machine.phase} does not just end`);
      return { phase: 'stopped', sinceMs: nowMs, why: event.why };
    case 'contacted':
      assertRuns(machine, event);
      assert(machine.phase !== 'syncing', 'the log is not followed during a copy');
      return enter(machine, 'tailing', nowMs);
    case 'resync':
      assertRuns(machine, event);
      return enter(machine, 'syncing', nowMs);
    case 'synced':
      assertRuns(machine, event);
      assert(
        machine.phase === 'syncing' || machine.phase === 'stopping',
        `nothing was copied while ${machine.phase}`,
      );
      return enter(machine, 'starting', nowMs);
    case 'lost':
      assertRuns(machine, event);
      if (machine.phase === 'stopping') return machine;
      // The time of the first failure stays, the reason is the newest one.
      return {
        phase: 'backoff',
        sinceMs: machine.phase === 'backoff' ? machine.sinceMs : nowMs,
        why: event.why,
      };
  }
}

function enter(
  machine: ApplierMachine,
  phase: 'starting' | 'syncing' | 'tailing',
  nowMs: number,
): ApplierMachine {
  if (machine.phase === phase || machine.phase === 'stopping') return machine;
  return { phase, sinceMs: nowMs };
}

function assertRuns(machine: ApplierMachine, event: ApplierEvent): void {
  assert(isRunning(machine), `'${event.type}' of an applier that is ${machine.phase}`);
}
