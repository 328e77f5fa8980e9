import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { Space } from '../../src/storage/keys.ts';
import { readPage } from '../../src/storage/page.ts';
import type { Store } from '../../src/storage/store.ts';
import { openStoreAt } from './raw-store.ts';

/** What a damaged store should still hold. */
export interface Expected {
  /** Number of the collection. */
  readonly number: number;
  /** Its journal, as served. */
  readonly journal: string;
  /** Lines by document key. */
  readonly lines: readonly (readonly [key: string, line: string])[];
}

/**
 * What came of reading everything: `wrong` is the only bad end. LevelDB may also end the process at a damaged
 * table, which is why this is one of its own.
 */
export type DamageOutcome = 'refused' | 'noticed' | 'unnoticed' | 'wrong';

async function readAll(store: Store, expected: Expected): Promise<DamageOutcome> {
  const { number } = expected;
  let outcome: DamageOutcome = 'unnoticed';
  for (const [key, line] of expected.lines) {
    try {
      const found = store.readLine(number, key);
      if (found && found.line !== line) return 'wrong';
      if (!found) outcome = 'noticed';
    } catch {
      outcome = 'noticed';
    }
  }
  try {
    const to = store.lastCommitted;
    const range = { space: Space.journal, number, from: 0n, to, limitBytes: 1e9 } as const;
    const page = await readPage(store.level, range);
    const served = page.body.toString().split('\n');
    const written = new Set(expected.journal.split('\n'));
    if (!served.every((line) => written.has(line))) return 'wrong';
    // LevelDB itself may overlook an entry whose key is damaged; nothing of ours can tell.
    if (page.body.toString() !== expected.journal) outcome = 'noticed';
  } catch {
    outcome = 'noticed';
  }
  return outcome;
}

async function outcomeOf(directory: string, expected: Expected): Promise<DamageOutcome> {
  let store: Store;
  try {
    store = await openStoreAt(directory);
  } catch {
    return 'refused';
  }
  return readAll(store, expected);
}

const [directory, expectedFile] = process.argv.slice(2);
if (directory === undefined || expectedFile === undefined) {
  throw new Error('usage: damage-child <directory> <expected>');
}
const expected = JSON.parse(await readFile(expectedFile, 'utf8')) as Expected;
process.stdout.write(await outcomeOf(directory, expected));
process.exit();
