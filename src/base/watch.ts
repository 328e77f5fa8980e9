import { sleep } from './sleep.ts';

/**
 * Waits for something long, and looks at it now and then meanwhile. A look that fails is the last one: what shows how
 * far something is must not be what breaks it.
 */
export async function watched<T>(
  work: Promise<T>,
  { everyMs, look }: { everyMs: number; look: (signal: AbortSignal) => Promise<void> },
): Promise<T> {
  const over = new AbortController();
  const looking = lookAgain(everyMs, look, over.signal);
  try {
    return await work;
  } finally {
    over.abort();
    await looking;
  }
}

async function lookAgain(
  everyMs: number,
  look: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      await sleep(everyMs, signal);
      if (signal.aborted) return;
      await look(signal);
    }
  } catch {
    // Those who wait see no more of it.
  }
}
