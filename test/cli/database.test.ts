import { describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../support/cli-run.ts';
import { refusal, type Script, startScriptedServer } from '../support/scripted-server.ts';

const PATH = '/_db/_system/_api/database';
const SERVER: Script = {
  [`GET ${PATH}`]: () => ({ body: { result: ['shop', '_system'], error: false, code: 200 } }),
  [`POST ${PATH}`]: () => ({ body: { result: true } }),
  [`DELETE ${PATH}/shop`]: () => ({ body: { result: true } }),
  [`DELETE ${PATH}/nothing`]: () => refusal(404, 1228, 'database not found'),
};

async function run(...argv: readonly string[]) {
  await using server = await startScriptedServer(SERVER);
  const result = await runCli(['database', ...argv, '--server.endpoint', server.endpoint]);
  return { ...result, requests: server.requests, endpoint: server.endpoint };
}

describe('database', () => {
  test('list prints the names, one a line', async () => {
    expect(await run('list')).toMatchObject({ code: 0, stdout: '_system\nshop\n', stderr: '' });
  });

  test('create creates an empty one', async () => {
    const { code, stdout, endpoint, requests } = await run('create', 'shop');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${endpoint}: database shop is created\n`,
    });
    expect(JSON.parse(requests[0]!.body)).toEqual({ name: 'shop' });
  });

  test('drop drops one', async () => {
    const { code, stdout, endpoint } = await run('drop', 'shop', '--yes');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${endpoint}: database shop is dropped\n`,
    });
  });

  test('drop asks about what is there, and about nothing else', async () => {
    await using server = await startScriptedServer(SERVER);
    const questions: string[] = [];
    const answer = (question: string): undefined => void questions.push(question);
    const drop = (name: string): Promise<CliResult> =>
      runCli(['database', 'drop', name, '--server.endpoint', server.endpoint], { answer });
    expect(await drop('nope')).toMatchObject({
      code: 1,
      stderr: `ticklog: ${server.endpoint} has no database 'nope' (error 1228)\n`,
    });
    expect(questions).toEqual([]);
    expect(await drop('shop')).toMatchObject({ code: 1 });
    expect(questions).toHaveLength(1);
    expect(server.requests.filter(({ method }) => method === 'DELETE')).toEqual([]);
  });

  test('what the server refuses is a failure, with its words', async () => {
    const { code, stderr } = await run('drop', 'nothing', '--yes');
    expect(code).toBe(1);
    expect(stderr).toContain('database not found (error 1228)');
  });

  test.each([[['create']], [['drop']], [['list', 'x']], [['list', '--server.database', 'x']]])(
    '%j can not be used',
    async (argv) => {
      expect(await run(...argv)).toMatchObject({ code: 2, requests: [] });
    },
  );
});
