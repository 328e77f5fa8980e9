import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** A way to a server on which every byte is counted. */
export interface CountedWire extends AsyncDisposable {
  /** `tcp://127.0.0.1:PORT` */
  readonly endpoint: string;
  /** Bytes of both directions since it was opened, or since `reset`. */
  readonly bytes: number;
  reset(): void;
  /** Breaks all connections; new ones are taken. */
  cut(): void;
}

/** Opens a way to a server on this machine. @param target `tcp://127.0.0.1:PORT` */
export async function openCountedWire(target: string): Promise<CountedWire> {
  const port = Number(new URL(target.replace('tcp:', 'http:')).port);
  const sockets = new Set<Socket>();
  let bytes = 0;
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    from.pipe(to);
  };
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get bytes() {
      return bytes;
    },
    reset: () => {
      bytes = 0;
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
