import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How long a reader may take nothing of an answer that holds memory all readers share. */
export interface ReaderLimits {
  /** In any case. */
  readonly stalledAfterMs: number;
  /** Whether others wait for that memory: then it is no longer than `PRESSED_MS`. */
  readonly isShort?: () => boolean;
}

/** Long enough for what a network loses to be sent again. */
const PRESSED_MS = 2000;

const watched = new WeakSet<Socket>();

/** Whether the time-outs of a connection are seen to by `watchReader`. */
export function isWatched(socket: Socket): boolean {
  return watched.has(socket);
}

/**
 * Cuts off the connection of an answer of which nothing is taken for too long.
 * @param isSending whether there is anything to be taken at the moment
 */
export function watchReader(
  res: ServerResponse,
  { stalledAfterMs, isShort }: ReaderLimits,
  isSending: () => boolean = () => true,
): void {
  const { socket } = res;
  if (!socket) return;
  const lookMs = Math.min(PRESSED_MS, stalledAfterMs);
  let quietMs = 0;
  let lookedMs = 0;
  watched.add(socket);
  res.setTimeout(lookMs, () => {
    const nowMs = performance.now();
    const sinceMs = nowMs - lookedMs;
    // It is not told of a time in which something was taken.
    quietMs = sinceMs < 1.5 * lookMs ? quietMs + sinceMs : lookMs;
    lookedMs = nowMs;
    if (isSending()) {
      if (quietMs >= stalledAfterMs || isShort?.() === true) {
        res.destroy();
        return;
      }
    } else {
      quietMs = 0;
    }
    socket.setTimeout(lookMs);
  });
  res.once('close', () => {
    watched.delete(socket);
    // Where another answer follows at once; for idle connections there is a time already.
    if (socket.timeout === lookMs) socket.setTimeout(stalledAfterMs);
  });
}
