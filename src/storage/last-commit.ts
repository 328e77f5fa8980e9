import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ServiceError } from '../model/errors.ts';
import { type CommitChain, broken } from './commit-chain.ts';
import type { Level } from './commit-group.ts';
import { isNotFound } from './file-reading.ts';
import { commitKey } from './keys.ts';

/** Beside the database: the last commit of the latest start or orderly stop, so that a lost tail is noticed. */
export const LAST_COMMIT_FILE = 'last-commit';

/** Before the first one. */
const NO_COMMIT = { sequence: 0, crc: 0 };

/** A commit that must be in the store, or have been. */
export interface NotedCommit {
  readonly sequence: number;
  /** Checksum of its link. */
  readonly crc: number;
  /** Where its link is, as long as links are kept. */
  readonly key: Buffer;
}

/** Notes the last commit, which must be durable, or that there is none yet. Durable when it resolves. */
export async function noteLastCommit(dataDirectory: string, chain: CommitChain): Promise<void> {
  const { sequence, crc } = chain.last ?? NO_COMMIT;
  const path = join(dataDirectory, LAST_COMMIT_FILE);
  const file = await open(`${path}.new`, 'w');
  try {
    await file.writeFile(print(sequence, crc));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  const directory = await open(dataDirectory);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Start and orderly stop note the last commit; a store that ends before it has lost its tail.
 * @returns whether there is such a note
 * @throws ServiceError storageDamaged
 */
export async function checkLastCommit(
  dataDirectory: string,
  level: Level,
  chain: CommitChain,
): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(join(dataDirectory, LAST_COMMIT_FILE), 'utf8');
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
  const { sequence, crc, key } = readLastCommit(text);
  if ((chain.last?.sequence ?? 0) < sequence) {
    throw broken(`the commits up to ${sequence} are missing`);
  }
  // Where that link is still kept it must be the same one: a store of another history is none of ours.
  const link = level.getSync(key);
  if (link && link.readUInt32LE(0) !== crc) throw broken(`commit ${sequence} is another one`);
  return true;
}

/**
 * What the file says. One that an earlier version wrote has no checksum of its own.
 * @throws ServiceError storageDamaged
 */
export function readLastCommit(text: string): NotedCommit {
  const [, sequence = '', crc = '', check] =
    /^\{"sequence":([0-9]{1,16}),"crc":([0-9]{1,10})(?:,"check":([0-9]{1,10}))?\}\n$/.exec(text) ??
    [];
  const noted = { sequence: Number(sequence), crc: Number(crc), key: commitKey(Number(sequence)) };
  if (sequence !== '' && (check === undefined || text === print(noted.sequence, noted.crc))) {
    return noted;
  }
  throw new ServiceError(
    'storageDamaged',
    `the file ${LAST_COMMIT_FILE} is not readable; without it a loss of commits would not be noticed. ` +
      'Remove it only if you know that the rest of the data directory is intact',
  );
}

function print(sequence: number, crc: number): string {
  const noted = { sequence, crc };
  return `${JSON.stringify({ ...noted, check: crc32(JSON.stringify(noted)) })}\n`;
}
