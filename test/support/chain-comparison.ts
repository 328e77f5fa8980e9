import type { ChainServer } from './chain-server.ts';
import { type FoundServer, followerDifferences, readServer } from './server-reading.ts';
import type { World } from './world.ts';

/** What a server has of its own begins so; it is no business of the servers before it. */
export const OWN_PREFIX = 'own-';

const BATCH_TTL_S = 600;

export interface Chain {
  readonly leader: ChainServer;
  readonly middle: ChainServer;
  readonly last: ChainServer;
}

/**
 * Compares three servers that nobody writes to, and the first one with what it has answered: collections,
 * properties, indexes, counts, documents with their revisions, checksums. The world knows them from then on.
 * @throws Error naming the first differences
 */
export async function compareChain({ leader, middle, last }: Chain, world: World): Promise<void> {
  const first = await compareLeader(leader, world);
  const second = await read(middle);
  expectNone('the follower differs', followerDifferences(first, without(second, 'middle')));
  const third = await read(last);
  expectNone('the last differs', followerDifferences(second, without(third, 'last')));
  for (const { name } of first.values()) {
    const sums = await Promise.all([leader, middle, last].map((each) => checksum(each, name)));
    if (new Set(sums).size > 1) throw new Error(`checksums of ${name}: ${sums.join(', ')}`);
  }
}

/**
 * Compares a leader that nobody writes to with what it has answered, which is what it holds from then on.
 * @throws Error naming the first differences
 */
export async function compareLeader(leader: ChainServer, world: World): Promise<FoundServer> {
  const found = await read(leader);
  expectNone('the leader differs from what it has answered', world.differences(found));
  world.learn(found);
  return found;
}

async function read(server: ChainServer): Promise<FoundServer> {
  const batch = '/_api/replication/batch';
  const { id } = await server.must('POST', batch, { ttl: BATCH_TTL_S });
  try {
    // What is replayed, or restored, may be written a second time.
    return await readServer(server.api, { mayRepeat: true, includeSystem: true });
  } finally {
    // Without it a compaction could take removals away between two pages of a dump.
    await server.send('DELETE', `${batch}/${String(id)}`);
  }
}

function without(found: FoundServer, side: string): FoundServer {
  return new Map([...found].filter(([, { name }]) => name !== `${OWN_PREFIX}${side}`));
}

async function checksum(server: ChainServer, name: string): Promise<string> {
  const path = `/_api/collection/${name}/checksum?withRevisions=true&withData=true`;
  return String((await server.must('GET', path))['checksum']);
}

function expectNone(what: string, differences: readonly string[]): void {
  if (differences.length > 0) throw new Error(`${what}:\n${differences.join('\n')}`);
}
