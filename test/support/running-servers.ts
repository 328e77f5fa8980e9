import { join } from 'node:path';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { readVersion } from '../../src/version.ts';
import { checkAnswer } from './api-check.ts';
import { makeTempDir, type TempDir } from './temp-dir.ts';

export interface StartedServer {
  readonly server: RunningServer;
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** `tcp://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** Sends a request and returns the answer, parsed. @throws Error when it is refused, or not as documented */
  send(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
}

/** Whole servers in this process, each in a directory of its own below `dir`. */
export class RunningServers implements AsyncDisposable {
  readonly dir: TempDir;
  readonly #logger: Logger;
  readonly #servers: RunningServer[] = [];

  constructor(dir: TempDir, logger: Logger) {
    this.dir = dir;
    this.#logger = logger;
  }

  static async open(logger = silentLogger): Promise<RunningServers> {
    return new RunningServers(await makeTempDir(), logger);
  }

  async start(
    name: string,
    flags: Readonly<Record<string, string | boolean>> = {},
  ): Promise<StartedServer> {
    const config = readConfig({
      flags: {
        'server.endpoint': 'tcp://127.0.0.1:0',
        'database.directory': join(this.dir.path, name),
        ...flags,
      },
      env: {},
      readFile: () => '',
    });
    const server = await startServer({ logger: this.#logger, version: readVersion() }, config);
    this.#servers.push(server);
    const { url } = server;
    return {
      server,
      url,
      endpoint: url.replace('http:', 'tcp:'),
      send: (method, path, body) => send(url, path, method, body),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
    await this.dir[Symbol.asyncDispose]();
  }
}

async function send(
  url: string,
  path: string,
  method: string,
  body: unknown,
): Promise<Record<string, unknown>> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(url + path, body === undefined ? { method } : { method, body: text });
  const said = await answer.text();
  const headers = Object.fromEntries(answer.headers);
  checkAnswer(method, path, { status: answer.status, headers, text: said });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said}`);
  return said === '' ? {} : (JSON.parse(said) as Record<string, unknown>);
}
