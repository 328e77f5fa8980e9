/*
 * The limit of a dump: node:http that streams lines from memory, without the product. A GET is answered
 * with as many lines as the path says, such as /200000. Arguments: documents to hold, seed.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { DocumentSource, dumpLine } from '../support/documents.ts';

/** Lines are made once; those beyond this are the first ones again. */
const POOL_BYTES = 128 * 1024 * 1024;
const PIECE_LINES = 2500;

interface Piece {
  readonly bytes: Buffer;
  readonly lines: number;
}

const [, , documentsText = '', seedText = ''] = process.argv;
const source = new DocumentSource({ seed: Number(seedText) });
const pieces = preparePieces(Number(documentsText));

const server = createServer((request, response) => {
  const lines = Number(request.url?.slice(1));
  const body = Readable.from(piecesFor(lines), {
    objectMode: false,
    highWaterMark: 4 * 1024 * 1024,
  });
  response.writeHead(200, { 'content-type': 'application/x-arango-dump; charset=utf-8' });
  body.pipe(response);
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

function preparePieces(documents: number): readonly Piece[] {
  const prepared: Piece[] = [];
  let bytes = 0;
  for (let first = 0; first < documents && bytes < POOL_BYTES; first += PIECE_LINES) {
    const end = Math.min(first + PIECE_LINES, documents);
    let text = '';
    for (let number = first; number < end; number++) text += dumpLine(source, number);
    prepared.push({ bytes: Buffer.from(text, 'latin1'), lines: end - first });
    bytes += text.length;
  }
  return prepared;
}

function* piecesFor(lines: number): Generator<Buffer, void, void> {
  for (let left = lines, i = 0; left > 0; i++) {
    const piece = pieces[i % pieces.length];
    if (!piece) return;
    left -= piece.lines;
    yield piece.bytes;
  }
}
