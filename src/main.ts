#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { type Command, Option } from 'commander';
import { destination, type Logger as PinoLogger, pino } from 'pino';
import { describeStartError } from './cli/describe-error.ts';
import type { CliContext } from './cli/flags.ts';
import { ExitCode, printLines } from './cli/io.ts';
import { printProblems, runProgram } from './cli/program.ts';
import { readableLine } from './cli/readable-log.ts';
import { OPTIONS, type Option as ServerOption } from './config/options.ts';
import { ConfigError, readConfig, type ServerConfig } from './config/server-config.ts';
import { type RunningServer, startServer } from './server.ts';

const STDERR_FD = 2;

type ServeFlags = Readonly<Record<string, string | boolean | undefined>>;

const ending = new AbortController();

/** The first signal asks for an orderly end, the second does not wait for it. */
function onSignal(): void {
  if (ending.signal.aborted) process.exit(ExitCode.failed);
  ending.abort();
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Takes its flags as they come: what is wrong with them is told together with all the rest. */
function addServeCommand(program: Command, { io, done }: CliContext): void {
  const command = program
    .command('serve')
    .description('Run a server until it is told to end (SIGTERM, SIGINT).')
    .addHelpText(
      'after',
      '\nEach option but --configuration and --new-server-id can also stand in the file that\n' +
        '--configuration names, or in the environment, as in TICKLOG_SERVER_ENDPOINT.',
    )
    .allowUnknownOption()
    .allowExcessArguments();
  for (const option of Object.values(OPTIONS)) command.addOption(flagOf(option));
  command.action(async (flags: ServeFlags) => {
    done(await serve(flags, command.args, io));
  });
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

async function serve(flags: ServeFlags, rest: readonly string[], io: CliContext['io']): Promise<number> {
  let config: ServerConfig;
  try {
    config = readServeConfig(flags, rest);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    printProblems(io, error.problems);
    return ExitCode.usage;
  }
  let server: RunningServer;
  try {
    server = await startServer({ logger: newLogger(config.logLevel) }, config);
  } catch (error) {
    const [message = '', ...more] = describeStartError(error);
    printProblems(io, [message]);
    for (const line of more) io.stderr.write(`  ${line}\n`);
    return ExitCode.failed;
  }
  const { host, port } = server.endpoint;
  const address = host.includes(':') ? `[${host}]` : host;
  await printLines(io, [
    `ticklog ${readVersion()} listens on tcp://${address}:${port}, ` +
      `data in ${config.databaseDirectory}`,
  ]);
  await aborted(ending.signal);
  await server.stop();
  return ExitCode.ok;
}
