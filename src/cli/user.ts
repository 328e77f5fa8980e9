import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  addServerFlags,
  type CliContext,
  collect,
  type ConnectionFlags,
  connectionTo,
  readPasswordFile,
} from './flags.ts';
import { type CliIo, ExitCode, printLines, printResult, UsageError } from './io.ts';
import { at, listAt, textAt } from './json.ts';
import { type ServerClient, withServer } from './server-client.ts';
import { alignedColumns } from './units.ts';

type UserFlags = Omit<ConnectionFlags, 'server.database'>;

interface PasswordFlags {
  readonly password?: string;
  readonly passwordFile?: string;
}

interface CreateFlags extends PasswordFlags {
  readonly grant: readonly string[];
}

const RIGHTS = ['rw', 'ro', 'none'];
const USERS = '/_api/user';

/** What a verb about users works with. */
interface Task {
  readonly client: ServerClient;
  readonly io: CliIo;
  readonly signal: AbortSignal;
}

/** Users and their rights (contract 9.5). */
export function addUserCommand(program: Command, context: CliContext): void {
  const user = program
    .command('user')
    .description('Create, list or remove the users of a server, and say what they may do.');
  const add = (command: Command, run: (task: Task, ...args: string[]) => Promise<void>): void => {
    addServerFlags(command).action(async (...given: unknown[]) => {
      // Behind the arguments commander hands over the flags and the command.
      const args = given.slice(0, -2).map(String);
      const { io, signal } = context;
      const server = connectionOf(command.opts<UserFlags>());
      await withServer(server, (client) => run({ client, io, signal }, ...args));
      context.done(ExitCode.ok);
    });
  };
  add(user.command('list').description('Print the users, and what they may do where.'), list);
  const create = user
    .command('create')
    .description('Create a user, who may do nothing until a right is granted.')
    .argument('<NAME>', 'The name.')
    .option('--grant <DATABASE=RIGHT>', 'A right (rw, ro, none); again and again.', collect, []);
  addPasswordFlags(create);
  add(create, (task, name = '') => createUser(task, name, create.opts<CreateFlags>()));
  const grant = user
    .command('grant')
    .description("Say what a user may do: rw, ro or none on a database; '*' is all others.")
    .argument('<NAME>', 'The user.')
    .argument('<DATABASE>', 'The database, or *; rw on _system makes an administrator.')
    .argument('<RIGHT>', 'rw, ro or none.', parseRight);
  add(grant, grantRight);
  const password = user
    .command('password')
    .description('Give a user another password.')
    .argument('<NAME>', 'The user.');
  addPasswordFlags(password);
  add(password, (task, name = '') => changePassword(task, name, password.opts<PasswordFlags>()));
  const remove = user
    .command('remove')
    .description('Remove a user with all rights.')
    .argument('<NAME>', 'The user.');
  add(remove, removeUser);
}

/** Users are the server's, not a database's. */
function connectionOf(flags: UserFlags): ReturnType<typeof connectionTo> {
  return connectionTo(flags['server.endpoint'], '_system', flags);
}

function addPasswordFlags(command: Command): void {
  const password = new Option(
    '--password <TEXT>',
    'The new password; better in the environment, as TICKLOG_NEW_PASSWORD. Asked for without.',
  );
  command
    .addOption(password.env('TICKLOG_NEW_PASSWORD'))
    .option('--password-file <FILE>', 'File that holds the new password.', readPasswordFile);
}

async function list({ client, io, signal }: Task): Promise<void> {
  const users = [];
  for (const each of listAt(await client.get(USERS, signal), 'result')) {
    const name = textAt(each, 'user') ?? '';
    const rights = at(
      await client.get(`${pathOf(name)}/database`, signal, { full: true }),
      'result',
    );
    const given = Object.entries(typeof rights === 'object' && rights !== null ? rights : {})
      .map(([database, entry]) => [database, textAt(entry, 'permission') ?? ''] as const)
      .filter(([, right]) => RIGHTS.includes(right));
    users.push({ name, active: at(each, 'active') === true, rights: Object.fromEntries(given) });
  }
  await printResult(io, { users });
  const rows = users.map(({ name, active, rights }) => [
    name,
    active ? 'yes' : 'no',
    Object.entries(rights)
      .map(([database, right]) => `${database}=${right}`)
      .join(' '),
  ]);
  await printLines(io, alignedColumns([['USER', 'ACTIVE', 'RIGHTS'], ...rows]));
}

async function createUser(task: Task, name: string, flags: CreateFlags): Promise<void> {
  const { client, io, signal } = task;
  const rights = flags.grant.map(parseGrant);
  const passwd = await newPassword(io, name, flags);
  await client.call('POST', USERS, signal, { body: { user: name, passwd, active: true } });
  for (const [database, right] of rights) await putRight(task, name, database, right);
  await printResult(io, { user: name, created: true, rights: Object.fromEntries(rights) });
  const granted = rights.map(([database, right]) => ` ${database}=${right}`).join('');
  const hint = rights.length === 0 ? ', who may do nothing yet: ticklog user grant' : ', with';
  await printLines(io, [`user ${name} is created${hint}${granted}`]);
}

async function grantRight(task: Task, name = '', database = '', right = ''): Promise<void> {
  await putRight(task, name, database, right);
  await printResult(task.io, { user: name, rights: { [database]: right } });
  await printLines(task.io, [`user ${name} has ${right} on ${database}`]);
}

async function changePassword(task: Task, name: string, flags: PasswordFlags): Promise<void> {
  const passwd = await newPassword(task.io, name, flags);
  await task.client.call('PATCH', pathOf(name), task.signal, { body: { passwd } });
  await printResult(task.io, { user: name, changed: true });
  await printLines(task.io, [`user ${name} has another password`]);
}

async function removeUser({ client, io, signal }: Task, name = ''): Promise<void> {
  await client.call('DELETE', pathOf(name), signal);
  await printResult(io, { user: name, removed: true });
  await printLines(io, [`user ${name} is removed`]);
}

async function putRight(
  { client, signal }: Task,
  name: string,
  database: string,
  grant: string,
): Promise<void> {
  const path = `${pathOf(name)}/database/${encodeURIComponent(database)}`;
  await client.call('PUT', path, signal, { body: { grant } });
}

/** Asked for twice, as nobody sees what is typed. @throws UsageError where there is none */
async function newPassword(io: CliIo, name: string, flags: PasswordFlags): Promise<string> {
  const given = flags.passwordFile ?? flags.password;
  if (given !== undefined) return given;
  if (!io.ask) {
    throw new UsageError(
      `no password for ${name}: give it with --password-file FILE or in TICKLOG_NEW_PASSWORD`,
    );
  }
  const first = await io.ask(`New password of ${name}: `, { isHidden: true });
  const second = await io.ask('Once more: ', { isHidden: true });
  if (first === undefined || first !== second) throw new Error('the two are not the same');
  return first;
}

function pathOf(name: string): string {
  return `${USERS}/${encodeURIComponent(name)}`;
}

/** @throws UsageError unless it is `DATABASE=RIGHT` */
function parseGrant(text: string): readonly [string, string] {
  const equals = text.lastIndexOf('=');
  const right = text.slice(equals + 1);
  if (equals > 0 && RIGHTS.includes(right)) return [text.slice(0, equals), right];
  throw new UsageError(`--grant ${text}: expected DATABASE=rw, DATABASE=ro or DATABASE=none`);
}

function parseRight(text: string): string {
  if (RIGHTS.includes(text)) return text;
  throw new InvalidArgumentError('Expected rw, ro or none.');
}
