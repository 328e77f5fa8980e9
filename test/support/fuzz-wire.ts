import type { FuzzRequest } from './fuzz-requests.ts';
import type { Random } from './random.ts';
import type { RawRequest } from './raw-client.ts';

/** How a request is put on the wire. */
export type Wire =
  | 'plain'
  | 'pieces'
  | 'chunked'
  | 'length too large'
  | 'length too small'
  | 'length is no number'
  | 'two lengths'
  | 'length and chunks'
  | 'broken chunks'
  | 'cut off'
  | 'no http'
  | 'old http'
  | 'bare';

const ODD: readonly Wire[] = [
  ...(['length too large', 'length too small', 'length is no number', 'two lengths'] as const),
  ...(['length and chunks', 'broken chunks', 'cut off', 'no http', 'old http', 'bare'] as const),
];
/** In which the server can read the whole request, and nothing but it. */
const PROPER: ReadonlySet<Wire> = new Set<Wire>(['plain', 'pieces', 'chunked']);
const NO_HTTP: readonly string[] = [
  ...[
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ],
  ...['\r\n\r\n\r\n\r\nx\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'GET / \u0000\r\n\r\n'],
  ...[
    'GET /_api/version HTTP/1.1\r\n folded: x\r\n\r\n',
    'GET /_api/version HTTP/1.1\r\nno colon\r\n\r\n',
  ],
  ...['CONNECT x:1 HTTP/1.1\r\n\r\n', 'GET http://h/_api/version HTTP/1.1\r\nhost: h\r\n\r\n'],
  ...['GET /_api/version HTTP/1.1\r\nbad\u0000name: x\r\n\r\n', 'x'.repeat(100_000)],
];
/** In the middle of a request, in ms. */
const PAUSE_MS = 4;
const PIECES_MAX = 8;

/** Mostly as it should be. */
export function drawWire(random: Random): Wire {
  const kind = random.below(100);
  if (kind < 84) return 'plain';
  if (kind < 88) return 'pieces';
  if (kind < 92) return 'chunked';
  return random.pick(ODD)!;
}

/** The bytes of a request. */
export function onWire(
  { method, target, headers, body }: FuzzRequest,
  wire: Wire,
  random: Random,
): RawRequest & { readonly isProper: boolean } {
  if (wire === 'no http') {
    const text = random.pick(NO_HTTP) ?? '';
    return { pieces: [Buffer.from(text, 'latin1')], isProper: false, half: true };
  }
  const version = wire === 'old http' ? random.pick(['1.0', '0.9', '1.2'])! : '1.1';
  const fields = wire === 'bare' ? [] : [['host', 'localhost'], ...headers, ...framing(wire, body)];
  const lines = fields.map(([name = '', value = '']) => `${name}: ${value}\r\n`);
  const head = Buffer.from(
    `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`,
    'latin1',
  );
  const rest = framed(wire, body);
  const isHead = method === 'HEAD';
  if (wire === 'cut off') {
    const whole = Buffer.concat([head, rest]);
    const pieces = [whole.subarray(0, random.below(whole.length))];
    return { pieces, half: true, isHead, isProper: false };
  }
  if (wire === 'pieces') {
    const pieces = inPieces(Buffer.concat([head, rest]), random);
    return { pieces, pauseMs: PAUSE_MS, isHead, isProper: true };
  }
  const isProper = PROPER.has(wire);
  return { pieces: [Buffer.concat([head, rest])], isHead, isProper, half: !isProper };
}

function framing(wire: Wire, body: Buffer): [string, string][] {
  const { length } = body;
  switch (wire) {
    case 'chunked':
    case 'broken chunks':
      return [['transfer-encoding', 'chunked']];
    case 'length too large':
      return [['content-length', String(length + 10)]];
    case 'length too small':
      return [['content-length', String(Math.max(0, length - 5))]];
    case 'length is no number':
      return [['content-length', length % 2 === 0 ? '-1' : '1e3']];
    case 'two lengths':
      return [
        ['content-length', String(length)],
        ['content-length', String(length + 1)],
      ];
    case 'length and chunks':
      return [
        ['content-length', String(length)],
        ['transfer-encoding', 'chunked'],
      ];
    default:
      return length === 0 ? [] : [['content-length', String(length)]];
  }
}

function framed(wire: Wire, body: Buffer): Buffer {
  if (wire === 'broken chunks') {
    const head = Buffer.from(`${body.length.toString(16)}\r\n`);
    return Buffer.concat([head, body, Buffer.from('\r\nzz\r\nx\r\n0\r\n\r\n')]);
  }
  if (wire !== 'chunked') return body;
  const middle = body.length >> 1;
  const halves = [body.subarray(0, middle), body.subarray(middle)].filter(
    (half) => half.length > 0,
  );
  const chunks = halves.flatMap((half) => [
    Buffer.from(`${half.length.toString(16)}\r\n`),
    half,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]);
}

function inPieces(bytes: Buffer, random: Random): Buffer[] {
  const count = 2 + random.below(PIECES_MAX - 2);
  const cuts = Array.from({ length: count - 1 }, () => random.below(bytes.length));
  const ends = [...cuts.sort((a, b) => a - b), bytes.length];
  return ends
    .map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
    .filter((each) => each.length > 0);
}
