import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CliRunOptions, runCli } from '../support/cli-run.ts';
import { LiveServer } from '../support/live-server.ts';
import { changeSecretly, loadPeople, readPerson } from '../support/people.ts';

let leader: LiveServer;
let follower: LiveServer;
beforeEach(async () => {
  [leader, follower] = await Promise.all([LiveServer.start(), LiveServer.start()]);
  await leader.create('people');
});
afterEach(async () => {
  await Promise.all([leader, follower].map((server) => server[Symbol.asyncDispose]()));
});

async function remove(server: LiveServer, key: string): Promise<void> {
  await server.api.http.json('DELETE', `/_api/document/people/${key}`);
}

function verify(a: { endpoint: string }, b: { endpoint: string }, ...flags: string[]) {
  const yes = flags.some((flag) => flag.startsWith('--repair')) ? ['--yes'] : [];
  return runCli(['verify', a.endpoint, b.endpoint, ...flags, ...yes]);
}

describe('before --repair replaces documents it asks', () => {
  beforeEach(async () => {
    await loadPeople(leader, 10);
    await follower.sync(leader);
    await loadPeople(follower, 1, 9000);
  });

  async function count(): Promise<number> {
    const answer = await follower.api.http.json('GET', '/_api/collection/people/count');
    return (answer as { count: number }).count;
  }
  const repair = (options: CliRunOptions, ...flags: string[]) =>
    runCli(['verify', leader.endpoint, follower.endpoint, '--repair', ...flags], options);

  test.each([
    ['y', 0, 10],
    ['n', 1, 11],
    [undefined, 1, 11],
  ])('once; the answer %s', async (answer, code, left) => {
    const questions: string[] = [];
    const result = await repair({
      answer: (question) => {
        questions.push(question);
        return answer;
      },
    });
    expect(result.code, result.stderr).toBe(code);
    expect(questions).toEqual([
      `B is ${follower.endpoint}, database _system, and differs in 1 collection (people); documents of B that ` +
        'differ are replaced by those of A, and those that A does not have are removed. Go on? [y/N] ',
    ]);
    expect(result.stderr.includes('not confirmed; nothing was changed')).toBe(code === 1);
    expect(await count()).toBe(left);
    // With nothing to replace there is nothing to ask.
    if (code === 0) await repair({ answer: (question) => void questions.push(question) });
    expect(questions).toHaveLength(1);
  });

  test.each([[[]], [['--all-databases']]])(
    'and ends with 2 at once where nobody can be asked; %j',
    async (flags) => {
      const { code, stdout, stderr } = await repair({}, ...flags);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('say --yes');
      expect(await count()).toBe(11);
      expect(await repair({}, ...flags, '--yes')).toMatchObject({ code: 0 });
      expect(await count()).toBe(10);
    },
  );
});

describe('--repair', () => {
  test('makes what differs equal in every way, and touches nothing else', async () => {
    await loadPeople(leader, 3000);
    await follower.sync(leader);
    await follower.create('mine');
    await follower.put('mine', 'own');
    for (const key of ['k1', 'k20', 'k300']) await remove(follower, key);
    for (const key of ['k2', 'k21', 'k301']) await changeSecretly(follower, key);
    await loadPeople(follower, 5, 9000);
    const before = await readPerson(follower, 'k4');
    const { code, stdout } = await verify(leader, follower, '--repair', '--collection', 'people');
    expect(stdout).toContain('people: mended 11 documents on B\n');
    expect(code, stdout).toBe(0);
    expect(await follower.differences(leader)).toEqual([
      expect.stringContaining('mine') as unknown as string,
    ]);
    expect(await readPerson(follower, 'k4')).toEqual(before);
  });

  test.each(['--repair', '--include-system-collections'])(
    '%s may stand before the servers, and takes none of them for its value',
    async (flag) => {
      await loadPeople(leader, 10);
      await follower.sync(leader);
      if (flag === '--repair') await remove(follower, 'k1');
      const servers = [leader.endpoint, follower.endpoint];
      const before = await runCli(['verify', flag, ...servers, '--yes']);
      expect(before, before.stderr).toMatchObject({ code: 0 });
      expect(before.stdout.includes('mended 1 document on B')).toBe(flag === '--repair');
      expect(await runCli(['verify', flag, 'true', ...servers, '-y'])).toMatchObject({ code: 0 });
      expect(await runCli(['verify', ...servers, '-y', flag])).toMatchObject({ code: 0 });
    },
  );

  test('keeps every digit of a number', async () => {
    const text = '{"_key":"big","n":12345678901234567890,"x":1.10}';
    await leader.api.insert('people', text);
    await follower.sync(leader);
    await remove(follower, 'big');
    await verify(leader, follower, '--repair');
    const answer = await fetch(
      `${follower.endpoint.replace('tcp:', 'http:')}/_api/document/people/big`,
    );
    expect(await answer.text()).toContain('"n":12345678901234567890,"x":1.10');
  });

  test('mends edges', async () => {
    await leader.create('links', 3);
    await leader.putEdge('links', 'e1');
    await leader.putEdge('links', 'e2');
    await follower.sync(leader);
    await follower.api.http.json('DELETE', '/_api/edge/links/e1');
    const { code, stdout } = await verify(leader, follower, '--repair');
    expect(code, stdout).toBe(0);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('of a follower that applies at the same time loses nothing of what it applies', async () => {
    await loadPeople(leader, 2000);
    await follower.sync(leader);
    for (let i = 0; i < 40; i++) await changeSecretly(follower, `k${i * 50}`);
    for (let i = 1; i < 20; i++) await remove(follower, `k${i * 50 + 1}`);
    await follower.configure(leader);
    await follower.api.startApplier();
    const done = new AbortController();
    const writer = (async () => {
      for (let n = 0; !done.signal.aborted; n++) {
        const key = `k${(n * 7) % 2000}`;
        await leader.api.http.json('PATCH', `/_api/document/people/${key}`, `{"n":${n + 5000}}`);
        if (n % 10 === 0) await leader.put('people', `new${n}`);
      }
    })();
    for (let round = 0; round < 5; round++) await verify(leader, follower, '--repair');
    done.abort();
    await writer;
    await follower.caughtUp(leader);
    const { code, stdout } = await verify(leader, follower, '--repair', '--wait', '10');
    expect(code, stdout).toBe(0);
    expect(await follower.differences(leader)).toEqual([]);
    expect((await follower.api.applierState()).running).toBe(true);
  });

  test('makes no collections and no indexes, and says so with 3', async () => {
    await loadPeople(leader, 10);
    await follower.sync(leader);
    await leader.create('more');
    const { code, stdout } = await verify(leader, follower, '--repair');
    expect(code).toBe(3);
    expect(stdout).toContain('more: DIFFERENT\n  the collection is only on A\n');
  });
});
