#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { type Command, Option } from 'commander';
import { letHeapGrow } from './base/heap-growth.ts';
import { addCheckCommand, type CheckDirectory } from './cli/check.ts';
import { describeStartError } from './cli/describe-error.ts';
import type { CliContext } from './cli/flags.ts';
import { type CliIo, ExitCode, printLines, type Surroundings } from './cli/io.ts';
import { printProblems, runProgram } from './cli/program.ts';
import { askOn } from './cli/terminal.ts';
import { OPTIONS, type Option as ServerOption } from './config/options.ts';
import { ConfigError, readConfig, type ServerConfig } from './config/server-config.ts';
import type { RunningServer } from './server.ts';
import { readVersion } from './version.ts';

const PRIVATE_UMASK = 0o077;

type ServeFlags = Readonly<Record<string, string | boolean | undefined>>;

const ending = new AbortController();

/** The first signal asks for an orderly end, the second does not wait for it. */
function onSignal(): void {
  if (ending.signal.aborted) process.exit(ExitCode.failed);
  ending.abort();
}

/** Takes its flags as they come: what is wrong with them is told together with all the rest. */
function addServeCommand(program: Command, { io, done }: CliContext): void {
  const command = program
    .command('serve')
    .description('Run a server until it is told to end (SIGTERM, SIGINT).')
    .addHelpText(
      'after',
      '\nEach option but --configuration and --new-server-id can also stand in the file\n' +
        'that --configuration names, or in the environment: --server.endpoint is\n' +
        'TICKLOG_SERVER_ENDPOINT there. TICKLOG_ROOT_PASSWORD is in the environment only.',
    )
    .allowUnknownOption()
    .allowExcessArguments();
  for (const option of Object.values(OPTIONS)) command.addOption(flagOf(option));
  command.action(async (flags: ServeFlags) => {
    done(await serve(flags, command.args, io));
  });
}

/** The name under which commander hands over the value of an option. */
function attributeOf({ flag }: ServerOption<unknown>): string {
  return new Option(`--${flag} [VALUE]`).attributeName();
}

function flagOf({ flag, argument, help, fallback }: ServerOption<unknown>): Option {
  if (argument === undefined) return new Option(`--${flag}`, help);
  const hasDefault = fallback !== '';
  const option = new Option(
    `--${flag} <${argument}>`,
    hasDefault ? `${help} (default: ${fallback})` : help,
  );
  // A flag that lacks its value must not end the search for other mistakes.
  option.required = false;
  option.optional = true;
  return option;
}

async function serve(flags: ServeFlags, rest: readonly string[], io: CliIo): Promise<number> {
  let config: ServerConfig;
  try {
    config = readServeConfig(flags, rest);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    printProblems(io, error.problems);
    return ExitCode.usage;
  }
  // What the server writes is for its owner alone: documents, hashes of passwords, passwords of leaders.
  process.umask(PRIVATE_UMASK);
  letHeapGrow();
  // The other commands start in less than half the time without what a server is made of.
  const [{ startServer }, { newServerLogger }] = await Promise.all([
    import('./server.ts'),
    import('./server-log.ts'),
  ]);
  const logger = newServerLogger(process.stderr, { level: config.logLevel });
  let server: RunningServer;
  try {
    server = await startServer({ logger, version: readVersion() }, config);
  } catch (error) {
    const [message = '', ...more] = describeStartError(error);
    printProblems(io, [message]);
    for (const line of more) io.stderr.write(`  ${line}\n`);
    return ExitCode.failed;
  }
  const endpoint = endpointOf(server);
  logger.info({ endpoint, serverId: server.serverId }, 'listening');
  try {
    await announce(endpoint, config, io);
    await aborted(ending.signal);
    logger.info({}, 'stopping');
  } finally {
    await server.stop();
  }
  return ExitCode.ok;
}

/** @throws ConfigError with everything that is wrong, from wherever it came */
function readServeConfig(flags: ServeFlags, rest: readonly string[]): ServerConfig {
  const problems: string[] = [];
  const given: Record<string, string | boolean | undefined> = { ...flags };
  for (const option of Object.values<ServerOption<unknown>>(OPTIONS)) {
    const { key, flag, argument } = option;
    const attribute = attributeOf(option);
    if (argument === undefined || given[attribute] !== true) continue;
    problems.push(`${key}: a value is missing; allowed: --${flag} ${argument}`);
    given[attribute] = undefined;
  }
  for (const text of rest) {
    const [, name] = /^--?([^=]+)/.exec(text) ?? [];
    if (name !== undefined) given[name] = true;
    else if (!isValueOfUnknown(text, rest)) problems.push(`${text}: serve takes options only`);
  }
  const readFile = (path: string): string => readFileSync(path, 'utf8');
  try {
    const config = readConfig({ flags: given, env: process.env, readFile });
    if (problems.length === 0) return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  throw new ConfigError(problems);
}

/** Whether the text stands behind a flag that is not known: then that is what is wrong. */
function isValueOfUnknown(text: string, rest: readonly string[]): boolean {
  const before = process.argv[process.argv.lastIndexOf(text) - 1] ?? '';
  return before.startsWith('-') && !before.includes('=') && rest.includes(before);
}

function endpointOf({ endpoint: { host, port }, secure }: RunningServer): string {
  return `${secure ? 'ssl' : 'tcp'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The one line on standard output; programs that start a server read the endpoint from it. */
async function announce(
  endpoint: string,
  { databaseDirectory }: ServerConfig,
  io: CliIo,
): Promise<void> {
  const line = `ticklog ${readVersion()} listens on ${endpoint}, data in ${databaseDirectory}`;
  await printLines(io, [line]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Loaded when it is wanted, as what `serve` needs is. */
const check: CheckDirectory = async (...args) => {
  const { checkDirectory } = await import('./check-directory.ts');
  return checkDirectory(...args);
};

/** What can be written no longer is not missed: whoever writes results learns of it by itself. */
function ignoreBrokenPipes(): void {
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
}

/** Questions are for people: both what is asked and what is answered must be at a terminal. */
function surroundings(): Surroundings {
  const { stdin, stdout, stderr, env } = process;
  const isTty = stdout.isTTY;
  const isErrTty = stderr.isTTY;
  return {
    ...{ stdout, stderr, isTty, isErrTty },
    // By no-color.org any text that is not empty counts.
    useColor: (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    ...(isTty ? { size: () => ({ columns: stdout.columns, rows: stdout.rows }) } : {}),
    ...(stdin.isTTY && isErrTty ? { ask: askOn(stdin, stderr) } : {}),
  };
}

ignoreBrokenPipes();
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
const exitCode = await runProgram(
  process.argv.slice(2),
  {
    io: surroundings(),
    signal: ending.signal,
    addServe: addServeCommand,
    addCheck: (program, context) => {
      addCheckCommand(program, context, check);
    },
  },
  { version: readVersion() },
);
// Connections that linger must not keep a finished command from ending.
process.exit(exitCode);
