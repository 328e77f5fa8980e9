import { createRequire } from 'node:module';
import type { Pool } from 'undici';

/**
 * The pool of undici, of which `dispatch` can be called. Loaded by itself: the whole package, which has what browsers
 * have, takes a quarter of the time in which a command starts.
 */
export const HttpPool = createRequire(import.meta.url)(
  'undici/lib/dispatcher/pool.js',
) as typeof Pool;
