import { isDeepStrictEqual } from 'node:util';
import { type DumpEntry, contentOf, dumpEntries, isRemoval } from '../../bench/support/dump.ts';
import type { InventoryEntry, ServerApi } from '../../bench/support/server-api.ts';
import type { Content } from './leader-model.ts';

/** A collection as a server shows it over HTTP: its entry in the inventory, and its dump played forward. */
export interface FoundCollection {
  readonly cid: string;
  readonly name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly indexes: readonly Readonly<Record<string, unknown>>[];
  /** What the server says of their number. */
  readonly count: number;
  readonly documents: ReadonlyMap<string, DumpEntry>;
}

/** Collections by id. */
export type FoundServer = ReadonlyMap<string, FoundCollection>;

const DIFFERENCES_MAX = 10;

/**
 * Reads all collections of a server that nobody writes to.
 * @param options.mayRepeat the same may have been written more than once
 * @param options.includeSystem those whose names begin with `_`, too
 * @throws Error when a dump names a revision twice: something was applied more than once
 */
export async function readServer(
  api: ServerApi,
  options: { mayRepeat?: boolean; includeSystem?: boolean } = {},
): Promise<FoundServer> {
  const found = new Map<string, FoundCollection>();
  for (const entry of await listCollections(api, options.includeSystem ?? false)) {
    const { cid, name } = entry.parameters;
    const { ticklog } = entry as unknown as { ticklog: { count: number } };
    found.set(cid, {
      cid,
      name,
      parameters: entry.parameters,
      indexes: entry.indexes,
      count: ticklog.count,
      documents: await readDocuments(api, name, options.mayRepeat ?? false),
    });
  }
  return found;
}

/** The document of an entry that is no removal. */
export function foundDocument(entry: DumpEntry): { rev: string; content: Content } {
  const { _key, ...content } = contentOf(entry);
  if (_key !== entry.key) throw new Error(`${entry.key} stands around the data of ${String(_key)}`);
  return { rev: entry.rev, content };
}

/**
 * Compares a follower with its leader: collections, their parameters and indexes, counts, and of every
 * document key, type, revision and data.
 * @returns a sentence for each of the first differences
 */
export function followerDifferences(leader: FoundServer, follower: FoundServer): string[] {
  const all: string[] = [];
  for (const cid of new Set([...leader.keys(), ...follower.keys()])) {
    const [there, here] = [leader.get(cid), follower.get(cid)];
    if (!there || !here) {
      const { name } = (there ?? here)!;
      all.push(`${name} (${cid}) is only on the ${there ? 'leader' : 'follower'}`);
      continue;
    }
    for (const part of ['parameters', 'indexes', 'count'] as const) {
      if (isDeepStrictEqual(there[part], here[part])) continue;
      const texts = [there[part], here[part]].map((each) => JSON.stringify(each));
      all.push(`${there.name}: ${part} ${texts.join(' and ')}`);
    }
    all.push(...documentDifferences(there, here));
  }
  return all.slice(0, DIFFERENCES_MAX);
}

function documentDifferences(leader: FoundCollection, follower: FoundCollection): string[] {
  const differences: string[] = [];
  for (const key of new Set([...leader.documents.keys(), ...follower.documents.keys()])) {
    if (differences.length >= DIFFERENCES_MAX) break;
    const [there, here] = [leader.documents.get(key), follower.documents.get(key)];
    if (isDeepStrictEqual(there, here)) continue;
    const texts = [there, here].map((each) => JSON.stringify(each ?? null).slice(0, 120));
    differences.push(`${leader.name}/${key}: ${texts.join(' and ')}`);
  }
  return differences;
}

async function listCollections(
  api: ServerApi,
  includeSystem: boolean,
): Promise<readonly InventoryEntry[]> {
  if (!includeSystem) return api.inventory();
  const path = '/_api/replication/inventory?includeSystem=true';
  const { collections } = (await api.http.json('GET', path)) as { collections: InventoryEntry[] };
  return collections;
}

async function readDocuments(
  api: ServerApi,
  name: string,
  mayRepeat: boolean,
): Promise<Map<string, DumpEntry>> {
  const documents = new Map<string, DumpEntry>();
  const revisions = new Set<string>();
  for await (const line of dumpEntries(api.http, name)) {
    const { type, key, rev, data } = line;
    if (!mayRepeat && revisions.has(rev))
      throw new Error(`${name}: revision ${rev} of ${key} comes twice`);
    revisions.add(rev);
    if (isRemoval(line)) documents.delete(key);
    else documents.set(key, { type, key, rev, ...(data ? { data } : {}) });
  }
  return documents;
}
