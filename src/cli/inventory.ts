import type { Command } from 'commander';
import {
  addConnectionFlags,
  type CliContext,
  collect,
  type ConnectionFlags,
  connectionOf,
  parseBoolean,
} from './flags.ts';
import { type CliIo, ExitCode, printLines, printResult } from './io.ts';
import { at, listAt, numberAt, textAt } from './json.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';
import { alignedColumns, bytesText, exactCount, exactCounted } from './units.ts';

export interface InventoryOptions {
  readonly server: Connection;
  /** Only these; all when empty. */
  readonly collections: readonly string[];
  readonly includeSystem: boolean;
}

interface InventoryFlags {
  readonly collection: readonly string[];
  readonly includeSystemCollections: boolean;
}

/** A collection, as it is printed. */
interface Entry {
  readonly name: string;
  readonly id: string;
  readonly type: 'document' | 'edge';
  readonly documents: number;
  /** Of the lines of a dump; null where the server does not tell. */
  readonly bytes: number | null;
  /** Besides those that every collection has. */
  readonly indexes: readonly unknown[];
}

const EDGE = 3;
const RIGHT: ReadonlySet<number> = new Set([2, 3]);

export function addInventoryCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('inventory')
    .description('List the collections that are replicated, with documents, bytes and indexes.')
    .option('--collection <NAME>', 'Only this one; may be given several times.', collect, [])
    .option(
      '--include-system-collections [BOOL]',
      'Also collections whose names start with _.',
      parseBoolean,
      false,
    );
  addConnectionFlags(command).action(async (flags: ConnectionFlags & InventoryFlags) => {
    const options = {
      server: connectionOf(flags),
      collections: flags.collection,
      includeSystem: flags.includeSystemCollections,
    };
    done(await inventoryVerb(options, io, signal));
  });
}

/** Prints what a follower would copy (contract 3.2). */
export async function inventoryVerb(
  { server, collections: names, includeSystem }: InventoryOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  const { answer, entries } = await withServer(server, async (client) => {
    const found = await client.replication('GET', 'inventory', signal, {
      query: { includeSystem },
    });
    const wanted = listAt(found, 'collections').filter(
      (each) => names.length === 0 || names.includes(textAt(each, 'parameters', 'name') ?? ''),
    );
    const list: Entry[] = [];
    for (const each of wanted) list.push(await entryOf(client, each, signal));
    return { answer: found, entries: list };
  });
  const missing = names.filter((name) => !entries.some((each) => each.name === name));
  if (missing.length > 0) {
    throw new Error(`database '${server.database}' has no collection ${missing.join(', ')}`);
  }
  const tick = textAt(answer, 'tick') ?? '0';
  const database = server.database;
  await printResult(io, { endpoint: server.endpoint.text, database, tick, collections: entries });
  await printLines(io, tableOf(entries));
  return ExitCode.ok;
}

/** Servers of other kinds do not say with their inventory how much there is. */
async function entryOf(client: ServerClient, entry: unknown, signal: AbortSignal): Promise<Entry> {
  const name = textAt(entry, 'parameters', 'name') ?? '';
  const path = `/_api/collection/${encodeURIComponent(name)}/count`;
  const documents =
    numberAt(entry, 'ticklog', 'count') ?? numberAt(await client.get(path, signal), 'count');
  return {
    name,
    id: textAt(entry, 'parameters', 'cid') ?? textAt(entry, 'parameters', 'id') ?? '',
    type: at(entry, 'parameters', 'type') === EDGE ? 'edge' : 'document',
    documents: documents ?? 0,
    bytes: numberAt(entry, 'ticklog', 'bytes') ?? null,
    indexes: listAt(entry, 'indexes'),
  };
}

function tableOf(entries: readonly Entry[]): string[] {
  const documents = entries.reduce((sum, each) => sum + each.documents, 0);
  const bytes = entries.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
  const total = exactCounted(entries.length, 'collection');
  const rows = entries.map((each) => [
    each.name,
    each.type,
    exactCount(each.documents),
    each.bytes === null ? '?' : bytesText(each.bytes),
    each.indexes.map(indexText).join(', '),
  ]);
  return alignedColumns(
    [
      ['COLLECTION', 'TYPE', 'DOCUMENTS', 'SIZE', 'INDEXES'],
      ...rows,
      [total, '', exactCount(documents), bytesText(bytes), ''],
    ],
    RIGHT,
  );
}

/** `hash(a, b) unique`; a cap has no fields. */
function indexText(index: unknown): string {
  const fields = listAt(index, 'fields').join(', ');
  const unique = at(index, 'unique') === true ? ' unique' : '';
  return `${textAt(index, 'type') ?? '?'}${fields === '' ? '' : `(${fields})`}${unique}`;
}
