import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from './describe-error.ts';
import { assertNoDataDirectory } from './dump-directory-writer.ts';
import { databaseOfDump } from './dump-directory-reader.ts';
import { isSafeInFileName } from './dump-layout.ts';
import { type CliIo, ExitCode, note, printResult, UsageError } from './io.ts';
import { listAt } from './json.ts';
import { type Connection, withServer } from './server-client.ts';

/** A database, and the directory of its dump. */
export interface DatabaseDump {
  readonly database: string;
  readonly directory: string;
}

const SYSTEM_DATABASE = '_system';

/**
 * Where the dumps of all databases of a server go: into a directory each, by their names (contract 8.1).
 * @throws Error when a directory can not be called after a database; as `assertNoDataDirectory`; as ServerClient
 */
export async function dumpsToWrite(
  server: Connection,
  directory: string,
  io: CliIo,
  signal: AbortSignal,
): Promise<DatabaseDump[]> {
  assertNoneNamed(server);
  await assertNoDataDirectory(directory);
  const names = await withServer(server, async (client) =>
    listAt(await client.get('/_api/database', signal), 'result').map(String),
  );
  const unsafe = names.find((name) => !isSafeInFileName(name));
  if (unsafe !== undefined) throw new Error(`no directory can be called '${unsafe}'`);
  const others = (await directoriesOf(directory)).filter((each) => !names.includes(each));
  if (others.length > 0) {
    note(io, `left as they are, there being no such databases: ${others.join(', ')}`);
  }
  return names.sort().map((database) => ({ database, directory: join(directory, database) }));
}

/**
 * The dumps in a directory, one in each of its directories; `_system` comes last, for it has the users of
 * the others. The database is the one that the dump names, or that the directory is called after.
 *
 * @throws Error when there is none
 */
export async function dumpsToRead(server: Connection, directory: string): Promise<DatabaseDump[]> {
  assertNoneNamed(server);
  const dumps: DatabaseDump[] = [];
  for (const name of (await directoriesOf(directory)).sort()) {
    const inner = join(directory, name);
    dumps.push({ database: (await databaseOfDump(inner)) ?? name, directory: inner });
  }
  if (dumps.length === 0) {
    throw new Error(`'${directory}' has no directories of databases`);
  }
  const isSystem = ({ database }: DatabaseDump): boolean => database === SYSTEM_DATABASE;
  return [...dumps.filter((each) => !isSystem(each)), ...dumps.filter(isSystem)];
}

/**
 * Runs a verb for one database after another.
 *
 * @param options.force go on with the next one when one fails
 * @param options.createDatabase of a restore, absent of a dump
 * @returns the worst exit code
 * @throws what `run` throws, with the name of the database in front
 */
export async function forEachDump(
  dumps: readonly DatabaseDump[],
  options: { readonly force: boolean; readonly createDatabase?: boolean },
  { io, signal }: { readonly io: CliIo; readonly signal: AbortSignal },
  run: (database: string, directory: string, io: CliIo) => Promise<number>,
): Promise<number> {
  let worst: number = ExitCode.ok;
  const databases: unknown[] = [];
  const own = { ...io, gather: (value: unknown) => void databases.push(value) };
  for (const { database, directory } of dumps) {
    try {
      worst = Math.max(worst, await run(database, directory, own));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof UsageError) throw error;
      const restores = options.createDatabase !== undefined;
      const message = `database '${database}': ${describeError(error, { restores }).join(' ')}`;
      if (!options.force) throw new Error(message, { cause: error });
      note(io, message);
      worst = Math.max(worst, ExitCode.failed);
    }
  }
  await printResult(io, { databases });
  return worst;
}

/** @throws UsageError when one database is named besides */
function assertNoneNamed({ database }: Connection): void {
  if (database === SYSTEM_DATABASE) return;
  throw new UsageError('--all-databases and --server.database can not go together');
}

/** Names of the directories in a directory; none where there is no such directory. */
async function directoriesOf(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
