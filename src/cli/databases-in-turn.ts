import { type CliIo, ExitCode, printLines, printResult, UsageError } from './io.ts';
import { listAt } from './json.ts';
import { type Connection, withServer } from './server-client.ts';

const SYSTEM_DATABASE = '_system';

/**
 * Names of the databases of a server, sorted.
 * @throws UsageError when one database is named besides; as ServerClient
 */
export async function databaseNames(server: Connection, signal: AbortSignal): Promise<string[]> {
  if (server.database !== SYSTEM_DATABASE) {
    throw new UsageError('--all-databases and --server.database can not go together');
  }
  return withServer(server, async (client) =>
    listAt(await client.get('/_api/database', signal), 'result')
      .map(String)
      .sort(),
  );
}

/**
 * Runs a verb for one database after another; what it has as results comes out as one, under `databases`.
 * @returns the worst exit code
 * @throws what `run` throws; those behind are not begun then
 */
export async function inTurn(
  names: readonly string[],
  io: CliIo,
  run: (database: string, io: CliIo) => Promise<number>,
): Promise<number> {
  let worst: number = ExitCode.ok;
  const databases: unknown[] = [];
  const own = { ...io, gather: (value: unknown) => void databases.push(value) };
  for (const name of names) {
    await printLines(io, [`database ${name}:`]);
    worst = Math.max(worst, await run(name, own));
  }
  await printResult(io, { databases });
  return worst;
}
