import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';
import { recordingLogger } from '../support/recording-logger.ts';

const SHORT = 'ä€😀';
/** Above what is answered in one write. */
const LONG = 'x'.repeat(20_000);

async function start(): Promise<StartedServer> {
  const servers = await RunningServers.open(recordingLogger().logger);
  onTestFinished(() => servers[Symbol.asyncDispose]());
  const server = await servers.start('server');
  await server.send('POST', '/_api/collection', { name: 'c' });
  return server;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Takes answers apart by the lengths that they name. */
function answersIn(bytes: Buffer, withBody: (i: number) => boolean): Answer[] {
  const answers: Answer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf('\r\n\r\n', at) + 4;
    const head = bytes.toString('latin1', at, end);
    const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1]);
    at = withBody(answers.length) ? end + length : end;
    answers.push({ status: Number(head.slice(9, 12)), body: bytes.toString('utf8', end, at) });
  }
  return answers;
}

test('requests that come in one piece are answered in their order, each with the length it names', async () => {
  const server = await start();
  await server.send('POST', '/_api/document/c', { _key: 'z', v: SHORT });
  const post = (body: string): string =>
    `POST /_api/document?collection=c&returnNew=true HTTP/1.1\r\nhost: x\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const socket = connect(server.server.endpoint.port, '127.0.0.1');
  await once(socket, 'connect');
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.write(
    post('{"_key":"a"}') +
      post(`{"_key":"b","v":"${SHORT}"}`) +
      post(`{"_key":"c","v":"${LONG}"}`) +
      post('{"_key":"a"}') +
      'HEAD /_api/document/c/z HTTP/1.1\r\nhost: x\r\n\r\n' +
      'GET /_api/document/c/z HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
  );
  await once(socket, 'close');
  const answers = answersIn(Buffer.concat(pieces), (i) => i !== 4);
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 409, 200, 200]);
  const [a, b, c, conflict, , read] = answers.map(({ body }) =>
    body === '' ? {} : (JSON.parse(body) as Record<string, unknown>),
  );
  expect(a).toMatchObject({ _key: 'a', new: { _key: 'a' } });
  expect(b).toMatchObject({ _key: 'b', new: { v: SHORT } });
  expect(c).toMatchObject({ _key: 'c', new: { v: LONG } });
  expect(conflict).toMatchObject({ errorNum: 1210 });
  expect(read).toMatchObject({ _key: 'z', v: SHORT });
});

test('what a URL led to a moment ago is not where it leads with another method, or when that is gone', async () => {
  const server = await start();
  await server.send('POST', '/_api/database', { name: 'd' });
  await server.send('POST', '/_db/d/_api/collection', { name: 'c' });
  const url = '/_db/d/_api/document/c';
  expect(await server.send('POST', url, { _key: 'a' })).toMatchObject({ _key: 'a' });
  expect(await server.send('PUT', url, [{ _key: 'a', v: 1 }])).toMatchObject([{ _key: 'a' }]);
  expect(await server.send('POST', url, { _key: 'b' })).toMatchObject({ _key: 'b' });
  await server.send('DELETE', '/_db/d/_api/collection/c');
  const refusal = async (): Promise<unknown> =>
    (await fetch(server.url + url, { method: 'POST', body: '{}' })).json();
  expect(await refusal()).toMatchObject({ code: 404, errorNum: 1203 });
  await server.send('DELETE', '/_api/database/d');
  expect(await refusal()).toMatchObject({ code: 404, errorNum: 1228 });
});
