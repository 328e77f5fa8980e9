/** Where the present time comes from; tests put a clock in its place that they move by hand. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970-01-01 UTC. May jump when the machine's clock is set. */
  nowMs(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = { nowMs: () => Date.now() };
