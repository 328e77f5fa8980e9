import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as a script sees it. */
export interface ScriptedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface ScriptedAnswer {
  /** 200 by default. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, undefined as no body. */
  readonly body?: string | object;
}

/** Answers by `METHOD /path`; a request for which there is none is answered 404. */
export type Script = Readonly<
  Record<string, (request: ScriptedRequest) => ScriptedAnswer | Promise<ScriptedAnswer>>
>;

/** A real HTTP server on a free port that answers as it is told. */
export interface ScriptedServer extends AsyncDisposable {
  readonly endpoint: string;
  /** What has been asked, in the order of its arrival. */
  readonly requests: readonly ScriptedRequest[];
}

/** `await using server = await startScriptedServer({...})`. */
export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const requests: ScriptedRequest[] = [];
  const server = createServer((req, res) => {
    void respond(req, res);
  });
  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const request = await readRequest(req);
    requests.push(request);
    const handler = script[`${request.method} ${request.path}`];
    const answer = handler ? await handler(request) : refusal(404, 404, 'unknown path');
    const { status = 200, headers = {}, body } = answer;
    res.writeHead(status, headers);
    res.end(typeof body === 'object' ? JSON.stringify(body) : body);
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `tcp://127.0.0.1:${port}`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The path of a replication command in `_system`. */
export function command(name: string): string {
  return `/_db/_system/_api/replication/${name}`;
}

/** The answer of a server that refuses. */
export function refusal(status: number, errorNum: number, errorMessage: string): ScriptedAnswer {
  return { status, body: { error: true, errorMessage, code: status, errorNum } };
}

async function readRequest(req: IncomingMessage): Promise<ScriptedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const { pathname, searchParams } = new URL(req.url ?? '/', 'http://localhost');
  return {
    method: req.method ?? '',
    path: pathname,
    query: searchParams,
    headers: req.headers,
    body: Buffer.concat(chunks).toString(),
  };
}
