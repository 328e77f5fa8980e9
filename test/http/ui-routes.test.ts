import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { checkAnswer } from '../support/api-check.ts';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request as plainRequest } from 'undici';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

const PASSWORD = 'a long password';
const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('the files of the status page', () => {
  let dir: TempDir;
  let server: RunningServer;

  beforeAll(async () => {
    dir = await makeTempDir();
    const file = join(dir.path, 'password');
    await writeFile(file, PASSWORD, { mode: 0o600 });
    const flags = {
      'database.directory': join(dir.path, 'data'),
      'server.endpoint': 'tcp://127.0.0.1:0',
      'server.authentication': 'true',
      'server.root-password-file': file,
    };
    const config = readConfig({ flags, env: {}, readFile: () => '' });
    server = await startServer({ logger: silentLogger }, config);
  });
  afterAll(async () => {
    await server.stop();
    await dir[Symbol.asyncDispose]();
  });

  /** GET as it is, without following where it leads. */
  async function get(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{
    status: number;
    headers: Record<string, string | string[] | undefined>;
    text: string;
  }> {
    const { statusCode, headers: got, body } = await plainRequest(server.url + path, { headers });
    const answer = { status: statusCode, headers: got, text: await body.text() };
    if (path !== '/' && !('accept-encoding' in headers)) checkAnswer('GET', path, answer);
    return answer;
  }
  const basic = { authorization: `Basic ${btoa(`root:${PASSWORD}`)}` };

  test('are where browsers are sent to that ask for nothing, and nobody else', async () => {
    expect(await get('/', HTML)).toMatchObject({
      status: 302,
      headers: { location: '_admin/ui/' },
    });
    expect((await get('/')).status).toBe(401);
    expect((await get('/', { accept: '*/*' })).status).toBe(401);
    expect(await get('/', basic)).toMatchObject({ status: 404 });
    expect(await get('/_admin/ui')).toMatchObject({ status: 302, headers: { location: 'ui/' } });
  });

  test('are open to everybody, and nothing that they ask for is', async () => {
    for (const file of ['', 'main.js', 'style.css', 'uplot.js', 'icon.svg', 'cures.json', 'api']) {
      expect((await get(`/_admin/ui/${file}`)).status, file).toBe(200);
    }
    for (const path of ['/_admin/overview', '/_admin/history', '/_api/replication/logger-state']) {
      expect((await get(path)).status, path).toBe(401);
      expect((await get(path, basic)).status, path).toBe(200);
    }
  });

  test('let nothing run that is not one of them', async () => {
    for (const path of ['/_admin/ui/', '/_admin/ui/api']) {
      const { headers, text } = await get(path);
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
      expect(policy).not.toContain('unsafe');
      expect(policy).toContain("frame-ancestors 'none'");
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(text).not.toMatch(/<script(?![^>]* src="[\w.-]+")/);
      expect(text).not.toMatch(/<style|\sstyle=|\son\w+=/);
      expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    }
  });

  test('are sent once, and zipped to who can unzip', async () => {
    const whole = await get('/_admin/ui/uplot.js');
    const etag = String(whole.headers['etag']);
    const again = await get('/_admin/ui/uplot.js', { 'if-none-match': etag });
    expect(again).toMatchObject({ status: 304, text: '' });
    const zipped = await get('/_admin/ui/uplot.js', { 'accept-encoding': 'gzip' });
    expect(zipped.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
    expect(Number(zipped.headers['content-length'])).toBeLessThan(whole.text.length / 2);
  });

  test.each([
    'nothing.js',
    '..%2fmain.js',
    '%2e%2e%2f%2e%2e%2fpackage.json',
    'constructor',
    '.built',
  ])('are these alone: there is no %s', async (name) => {
    expect(await get(`/_admin/ui/${name}`, basic)).toMatchObject({ status: 404 });
  });

  test('are not asked for a password by the browser, which has a dialog of its own', async () => {
    expect((await get('/_admin/overview')).headers['www-authenticate']).toMatch(/^Basic/);
    const quiet = await get('/_admin/overview', { 'x-omit-www-authenticate': 'true' });
    expect(quiet.status).toBe(401);
    expect(quiet.headers['www-authenticate']).toBeUndefined();
  });
});
