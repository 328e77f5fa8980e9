import { readFileSync } from 'node:fs';
import process from 'node:process';
import { Level } from 'level';

/*
 * Loaded into a server before it (`node --import`), or imported by a test program: kills the process with SIGKILL
 * at a named point. The product knows nothing of it: what a batch is about is read off its keys.
 */

/** What a batch does, by its keys; the first that fits. */
export type BatchKind =
  'switch' | 'copy' | 'page' | 'merge' | 'catalogue' | 'retention' | 'write' | 'erase';

/** Before a batch of a kind is written, or after that and before anybody is told. */
export type KillPoint = `${BatchKind}:${'before' | 'after'}`;

/** Names the file that says where to die: a point and the how manieth time, `page:before 3`. */
export const CONTROL_VARIABLE = 'TICKLOG_KILL_POINT_FILE';

/** As the store uses one, again and again. */
interface Batch {
  _put(key: Buffer, value: Buffer): void;
  _del(key: Buffer): void;
  _write(options: unknown): Promise<void>;
}

/** The first two bytes of a key, and its length where that says more. */
function nameOf(key: Buffer): string {
  const space = String.fromCharCode(key[0] ?? 0);
  if (space !== 'm') return space;
  const letter = String.fromCharCode(key[1] ?? 0);
  return letter === 'y' ? `my${key.length}` : `m${letter}`;
}

/** Of a sync: its one plan, and the position of one of its copies. */
const PLAN = 'my6';
const COPY = 'my10';

/** Of the beginning of a log that is to be erased: the key of a block of a log, as it is packed. */
const LOG_ERASURE = 'me of a log';
const PACKED_LOG_KEY = Buffer.from([0xc4, 13, 0x6c]);

function kindOf(puts: ReadonlySet<string>, dels: ReadonlySet<string>): BatchKind | undefined {
  if (dels.has(PLAN)) return 'switch';
  if (puts.has(COPY)) return 'copy';
  if (puts.has('mk')) return 'page';
  if ((puts.has('j') && dels.has('j')) || (puts.has('l') && dels.has('l'))) return 'merge';
  if (['mc', 'md'].some((name) => puts.has(name) || dels.has(name))) return 'catalogue';
  if (puts.has(LOG_ERASURE)) return 'retention';
  if (puts.has('j') || puts.has('l')) return 'write';
  return ['j', 'l', 'p', 'i'].some((name) => dels.has(name)) ? 'erase' : undefined;
}

let armed = '';
let left = 0;

/** Dies here, if this is where to die. */
function pass(point: KillPoint): void {
  const path = process.env[CONTROL_VARIABLE] ?? '';
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Not armed.
    return;
  }
  if (text !== armed) {
    armed = text;
    left = Number(text.split(' ')[1] ?? 1);
  }
  if (text.split(' ')[0] !== point || --left > 0) return;
  process.kill(process.pid, 'SIGKILL');
}

function watched(batch: Batch): Batch {
  const puts = new Set<string>();
  const dels = new Set<string>();
  const put = batch._put.bind(batch);
  const del = batch._del.bind(batch);
  const write = batch._write.bind(batch);
  batch._put = (key, value) => {
    const name = nameOf(key);
    puts.add(name === 'me' && value.includes(PACKED_LOG_KEY) ? LOG_ERASURE : name);
    put(key, value);
  };
  batch._del = (key) => {
    dels.add(nameOf(key));
    del(key);
  };
  batch._write = async (options) => {
    const kind = kindOf(puts, dels);
    puts.clear();
    dels.clear();
    if (kind) pass(`${kind}:before`);
    await write(options);
    if (kind) pass(`${kind}:after`);
  };
  return batch;
}

interface Batching {
  batch: (this: Batching, ...args: unknown[]) => unknown;
}

/** Watches all batches of this process from now on. */
function install(): void {
  const prototype = Level.prototype as unknown as Batching;
  const original = prototype.batch;
  prototype.batch = function batch(this: Batching, ...args: unknown[]): unknown {
    const made = original.apply(this, args);
    return args.length === 0 ? watched(made as Batch) : made;
  };
}

if (process.env[CONTROL_VARIABLE] !== undefined) install();
