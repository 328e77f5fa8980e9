import { setFlagsFromString } from 'node:v8';

/**
 * Lets the heap of this process become two and a half times what is left of it after a collection before it is collected
 * as a whole again. Left to itself the engine takes a server with little to do for one that is short of memory, and
 * collects all of it every few MB, for 10 ms each; under load it is as generous as this.
 */
export function letHeapGrow(): void {
  setFlagsFromString('--heap-growing-percent=150');
}
