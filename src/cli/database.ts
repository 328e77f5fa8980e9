import type { Command } from 'commander';
import { ERRORS } from '../model/errors.ts';
import { refusedAnswer } from '../follower/classify.ts';
import { addYesFlag, confirmReplacing, type YesFlags } from './confirm.ts';
import { addServerFlags, type CliContext, type ConnectionFlags, connectionTo } from './flags.ts';
import { type CliIo, ExitCode, printLines, printResult } from './io.ts';
import { listAt } from './json.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';

/** Databases are created, listed and dropped in this one (contract 9.1). */
const SYSTEM_DATABASE = '_system';

/** What can be done with databases. */
export type DatabaseAction =
  { readonly verb: 'list' } | { readonly verb: 'create' | 'drop'; readonly name: string };

export interface DatabaseOptions {
  /** The database of it does not matter. */
  readonly server: Connection;
  readonly action: DatabaseAction;
}

type DatabaseFlags = Omit<ConnectionFlags, 'server.database'> & YesFlags;

export function addDatabaseCommand(program: Command, { io, signal, done }: CliContext): void {
  const database = program
    .command('database')
    .description('Create, list or drop the databases of a server.');
  const run = async (action: DatabaseAction, flags: DatabaseFlags): Promise<void> => {
    const server = connectionTo(flags['server.endpoint'], SYSTEM_DATABASE, flags);
    if (action.verb === 'drop' && flags.yes !== true) {
      await assertDatabase(server, action.name, signal);
      const what = `Database ${action.name} of ${server.endpoint.text} goes with all that is in it`;
      await confirmReplacing(io, flags, what);
    }
    done(await databaseVerb({ server, action }, io, signal));
  };
  const create = database
    .command('create')
    .description('Create an empty database.')
    .argument('<NAME>', 'Its name: a letter, then letters, digits, _ and -.');
  addServerFlags(create).action((name: string, flags: DatabaseFlags) =>
    run({ verb: 'create', name }, flags),
  );
  const list = database.command('list').description('Print the names of the databases.');
  addServerFlags(list).action((flags: DatabaseFlags) => run({ verb: 'list' }, flags));
  const drop = database
    .command('drop')
    .description('Drop a database with all that is in it.')
    .argument('<NAME>', 'Its name.');
  addYesFlag(addServerFlags(drop)).action((name: string, flags: DatabaseFlags) =>
    run({ verb: 'drop', name }, flags),
  );
}

/** @throws Error when there is no database of this name; as ServerClient */
async function assertDatabase(
  server: Connection,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await withServer(server, async (client) => {
    const names = listAt(await client.get('/_api/database', signal), 'result').map(String);
    if (names.includes(name)) return;
    const { errorNum } = ERRORS.databaseNotFound;
    throw new Error(`${server.endpoint.text} has no database '${name}' (error ${errorNum})`);
  });
}

/** Does it (contract 9.1) and prints names, or what was done. */
export async function databaseVerb(
  { server, action }: DatabaseOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  return withServer({ ...server, database: SYSTEM_DATABASE }, async (client) => {
    switch (action.verb) {
      case 'create':
        await createDatabase(client, action.name, signal);
        await printResult(io, { database: action.name, created: true });
        await printLines(io, [`${server.endpoint.text}: database ${action.name} is created`]);
        break;
      case 'drop':
        await client.call('DELETE', `/_api/database/${encodeURIComponent(action.name)}`, signal);
        await printResult(io, { database: action.name, dropped: true });
        await printLines(io, [`${server.endpoint.text}: database ${action.name} is dropped`]);
        break;
      case 'list': {
        const names = listAt(await client.get('/_api/database', signal), 'result');
        await printResult(io, { databases: names.map(String).sort() });
        await printLines(io, names.map(String).sort());
      }
    }
    return ExitCode.ok;
  });
}

/**
 * Creates a database.
 *
 * @param client one whose database is `_system`
 * @param user who may use it besides those who may use everything
 * @throws as ServerClient
 */
export async function createDatabase(
  client: ServerClient,
  name: string,
  signal: AbortSignal,
  user?: { readonly username: string; readonly password: string },
): Promise<void> {
  const users =
    user === undefined || user.username === ''
      ? {}
      : { users: [{ username: user.username, passwd: user.password, active: true }] };
  try {
    await client.call('POST', '/_api/database', signal, { body: { name, ...users } });
  } catch (error) {
    if (refusedAnswer(error)?.remote?.errorNum !== ERRORS.duplicateName.errorNum) throw error;
    throw new Error(
      `there is a database '${name}' already (error ${ERRORS.duplicateName.errorNum})`,
      {
        cause: error,
      },
    );
  }
}
