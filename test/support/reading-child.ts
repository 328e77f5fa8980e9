import { readFileSync } from 'node:fs';
import process from 'node:process';
import { readBlocks, readBlocksInPieces } from '../../src/storage/block-reader.ts';
import { Space } from '../../src/storage/keys.ts';
import type { Store } from '../../src/storage/store.ts';
import { openStoreAt } from './raw-store.ts';

/*
 * Fills a store in the directory that is its first argument, reads a log of 64 MiB again and again, and prints by how many
 * MiB its memory grew: in a process of its own, in which garbage is collected as in a server that has little else to do.
 */

/** Ways of reading. */
export type Reading = 'pages' | 'pieces';

const MIB = 1024 * 1024;
const COMMITS = 64;
const LINES = 64;
const TEXT = 'x'.repeat(16_000);
/** Each reads 64 MiB; the driver would keep all of that. */
const ROUNDS = 6;
const SPACE = Space.journal;

function anonymousMib(): number {
  const [, kib] = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kib) / 1024;
}

async function fill(store: Store): Promise<void> {
  for (let i = 0; i < COMMITS; i++) {
    await store.commit((tx) => {
      for (let j = 0; j < LINES; j++) {
        const entry = { tick: tx.drawTick(), type: 2300, collection: 1, transaction: 0n };
        tx.journal(1).append(entry, `"text":"${TEXT}"}\n`);
      }
    });
  }
}

async function readInPieces({ level, lastCommitted }: Store): Promise<number> {
  let count = 0;
  const range = { space: SPACE, number: 1, from: 0n, to: lastCommitted };
  for await (const block of readBlocksInPieces(level, range)) count += block.count;
  return count;
}

/** As pages are read, of half a MiB. */
async function readInPages({ level }: Store): Promise<number> {
  let count = 0;
  for (let from = 0n, last = -1n; from !== last;) {
    last = from;
    let bytes = 0;
    const range = { space: SPACE, number: 1, from, expectedBytes: MIB / 2 };
    for await (const block of readBlocks(level, range)) {
      count += block.count;
      bytes += block.lines.length;
      from = block.lastTick;
      if (bytes > MIB / 2) break;
    }
  }
  return count;
}

async function growth(store: Store, read: (store: Store) => Promise<number>): Promise<number> {
  await read(store);
  const before = anonymousMib();
  for (let i = 0; i < ROUNDS; i++) {
    const count = await read(store);
    if (count !== COMMITS * LINES) throw new Error(`read ${count} entries`);
  }
  return Math.round(anonymousMib() - before);
}

const READERS: Record<Reading, (store: Store) => Promise<number>> = {
  pages: readInPages,
  pieces: readInPieces,
};

const [directory = '', reading] = process.argv.slice(2);
const store = await openStoreAt(directory);
await fill(store);
process.stdout.write(String(await growth(store, READERS[reading as Reading])));
await store.close();
