import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { CommandLineSession } from '../support/command-line-session.ts';
import { documentedCommands } from '../support/documented-commands.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** Commands that are not run here, and why. */
const NOT_RUN = new Map([
  ['npm run demo', 'it needs a build of its own, and is a program that fails when something does'],
  ['npm test', 'it is what runs this'],
  ['npm install && npm run build', 'done before the tests: they run this build'],
  [
    'alias ticklog="node $PWD/dist/main.js"',
    'a shell that nobody types into has no aliases: ticklog is a file on its path instead',
  ],
]);
/** What one waits for in the output of a command that does not end by itself. */
const ENDLESS = [
  { command: /^curl -N .*from=now/, prints: /^: heartbeat$/m },
  { command: /^curl -N .*logger-follow/, prints: /"operation":"insert"/ },
];
/** What stands in the output of a command; all others need only end with 0. */
const PRINTS = [
  { command: /document\/orders\/a1$/, prints: /"qty":3/ },
  { command: /^ticklog verify /, prints: /^equal: /m },
  { command: /^ticklog inventory /, prints: /orders/ },
  { command: /^ticklog promote /, prints: /is a leader/ },
  { command: /^ticklog check /, prints: /^whole: /m },
  { command: /metrics\/v2$/, prints: /^arangodb_replication_/m },
  { command: /-X PUT .*\/_api\/transaction\//, prints: /"committed"/ },
];
/** Whether a page begins with nothing, or says that it goes on behind the first steps of the README. */
const PAGES = [
  { page: 'README.md', goesOn: false },
  { page: 'docs/OPERATING.md', goesOn: false },
  { page: 'docs/HTTP.md', goesOn: true },
  { page: 'docs/COMMANDS.md', goesOn: true },
];

/** What the pages use besides ticklog, and this machine does not have. */
const missing = ['bash', 'curl', 'openssl'].filter((name) => {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).error !== undefined;
});
if (missing.length > 0) console.warn(`documented commands are not run: no ${missing.join(', ')}`);

async function carryOut(session: CommandLineSession, command: string): Promise<void> {
  const reason = NOT_RUN.get(command);
  if (reason !== undefined) {
    console.info(`not run: ${command}: ${reason}`);
    return;
  }
  if (command.endsWith('&')) return session.startServer(command);
  const [, job] = /^kill %(\d+)$/.exec(command) ?? [];
  if (job !== undefined) return session.stopJob(Number(job));
  if (/^\w+=/.test(command)) return session.assign(command);
  const endless = ENDLESS.find((each) => each.command.test(command));
  if (endless) return session.runUntil(command, endless.prints);
  const { code, output } = await session.run(command);
  expect(code, `${command}\n${output}`).toBe(0);
  for (const { prints } of PRINTS.filter((each) => each.command.test(command))) {
    expect(output, command).toMatch(prints);
  }
}

/** What the README does until there is a document in the leader. */
async function firstSteps(): Promise<string[]> {
  const commands = await documentedCommands('README.md');
  const end = commands.findIndex((command) => command.startsWith('ticklog make-follower'));
  return commands.slice(0, end).filter((command) => !NOT_RUN.has(command));
}

test.skipIf(missing.length > 0).each(PAGES)(
  'the commands of $page do what they say, one after another',
  async ({ page, goesOn }) => {
    const own = await documentedCommands(page);
    expect(own.length).toBeGreaterThan(1);
    const commands = goesOn ? [...(await firstSteps()), ...own] : own;
    await using dir = await makeTempDir();
    await using session = await CommandLineSession.open(dir.path);
    for (const command of commands) await carryOut(session, command);
  },
  240_000,
);

test('each command that is not run stands in one of the pages', async () => {
  // A reason that outlives its command would hide another that is like it.
  const commands = (await Promise.all(PAGES.map(({ page }) => documentedCommands(page)))).flat();
  expect(commands).toEqual(expect.arrayContaining([...NOT_RUN.keys()]));
});
