import { type Server, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { RawHttp } from '../../bench/clients/raw-http.ts';

let server: Server | undefined;
let connection: RawHttp | undefined;

afterEach(async () => {
  connection?.end();
  await new Promise((resolve) => server?.close(resolve));
});

/** Sends the pieces to whoever connects and says something. */
async function serve(...pieces: readonly string[]): Promise<number> {
  server = createServer((socket) => {
    socket.once('data', () => {
      void (async () => {
        for (const piece of pieces) {
          socket.write(piece);
          await sleep(5);
        }
      })();
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function answersTo(port: number, count: number): Promise<readonly string[]> {
  const answers: string[] = [];
  return new Promise((resolve, reject) => {
    void RawHttp.open(
      port,
      (status, bytes, at, end) => {
        answers.push(`${status} ${bytes.toString('latin1', at, end).split('\r\n\r\n')[1] ?? ''}`);
        if (answers.length === count) resolve(answers);
      },
      reject,
    ).then((opened) => {
      connection = opened;
      opened.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    }, reject);
  });
}

test('answers are told apart however they are cut', async () => {
  const first = 'HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello';
  const second = 'HTTP/1.1 404 Not Found\r\nX: 1\r\nContent-Length: 0\r\n\r\n';
  const third = 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nlonger\r\n\r\nhi';
  const all = first + second + third;
  const port = await serve(all.slice(0, 20), all.slice(20, 52), all.slice(52, 130), all.slice(130));
  expect(await answersTo(port, 3)).toEqual(['202 hello', '404 ', '200 longer']);
});

test('an answer that does not say how long it is fails the connection', async () => {
  const port = await serve('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  await expect(answersTo(port, 1)).rejects.toThrow('how long it is');
});
