import { Readable } from 'node:stream';
import { behind, cutPieces, type Piece, PieceRun, readDataFiles } from './data-pieces.ts';
import { describeError, PartFailure } from './describe-error.ts';
import type { DumpedCollection } from './dump-directory-reader.ts';
import { IndexProgress } from './index-progress.ts';
import { at } from './json.ts';
import { filesOf, type RestoredPart, type RestoreState } from './restore-state.ts';
import type { RestoreTarget } from './restore-target.ts';
import type { CollectionTransfer, Transfer } from './transfer.ts';

/** How a collection is restored. */
export interface CollectionRestoreOptions {
  readonly createCollection: boolean;
  /** Whether documents are restored, and not only collections and indexes. */
  readonly importData: boolean;
  /** Whether the restore goes on when a collection fails. */
  readonly force: boolean;
  /** Bytes of lines in one request; what suits the server if it is not said. */
  readonly batchSize?: number | undefined;
}

/** To servers that store what comes in one request as one transaction: larger ones are taken more slowly. */
const PIECE_BYTES = 2 * 1024 * 1024;

/** What the parts of a restore work with. */
export interface RestoreParts {
  readonly options: CollectionRestoreOptions;
  readonly target: RestoreTarget;
  readonly transfer: Transfer;
  readonly state: RestoreState;
  /** Names of collections that are there, as far as an interrupted restore can go on. */
  readonly present: ReadonlySet<string>;
  readonly useEnvelope: boolean | undefined;
}

/**
 * Restores a collection, or what an interrupted restore has left of it; what has come of it is in the state when it
 * rejects. With `force` a failure is noted, and all that is done about it.
 */
export async function restoreCollection(
  parts: RestoreParts,
  collection: DumpedCollection,
  signal: AbortSignal,
): Promise<void> {
  const { options, target, transfer, state, present } = parts;
  const { name } = collection;
  try {
    const before = await state.earlier(collection, present);
    if (before?.isDone === true) {
      await state.advance(name, before);
      await transfer.keep(name, before.sum);
      return;
    }
    const sent = await transfer.begin(name);
    if (before) sent.resume(before.sum);
    else await state.forget(name);
    const files = before?.files ?? (await filesOf(collection));
    if (!before && options.createCollection) await target.restoreCollection(collection, signal);
    if (options.importData) await sendData(parts, collection, { sent, before, files }, signal);
    const indexes = new IndexProgress(collection);
    const tell = (works: unknown): void => void (sent.indexing = indexes.read(works));
    await target.restoreIndexes(collection, tell, signal);
    const offset = before?.offset ?? 0;
    await state.advance(name, { isDone: true, offset, sum: sent.sum, files });
    await transfer.end('restored', name, sent);
  } catch (error) {
    if (signal.aborted) throw error;
    if (!options.force) throw new PartFailure(`restoring '${name}' failed`, { cause: error });
    transfer.fail(name, describeError(error).join(' '));
  }
}

interface Sending {
  readonly sent: CollectionTransfer;
  /** What an interrupted restore has sent. */
  readonly before: RestoredPart | undefined;
  readonly files: string;
}

async function sendData(
  { options, target, state, useEnvelope }: RestoreParts,
  collection: DumpedCollection,
  { sent, before, files }: Sending,
  signal: AbortSignal,
): Promise<void> {
  const { name } = collection;
  const start = before?.offset ?? 0;
  const advance = (offset: number): Promise<void> =>
    state.advance(name, { isDone: false, offset, sum: sent.sum, files });
  await advance(start);
  const content = readDataFiles(collection.dataFiles, signal, (bytes) => sent.read(bytes));
  const { batchSize = PIECE_BYTES } = options;
  // A size that is asked for is that of a request.
  const maxBytes = options.batchSize === undefined ? target.requestBytes : 0;
  // The next piece is read while one is sent, and no more.
  const cut = Readable.from(cutPieces(behind(content, start), batchSize), { highWaterMark: 1 });
  const pieces = cut[Symbol.asyncIterator]() as AsyncIterator<Piece, undefined>;
  let hasEnvelope = useEnvelope;
  try {
    for (let piece; (piece = (await pieces.next()).value) !== undefined;) {
      hasEnvelope ??= !isDocument(firstLine(piece.lines));
      const run = new PieceRun(piece, pieces, { maxBytes });
      await target.restoreData(collection, run, hasEnvelope, signal);
      sent.addRequest(run);
      await advance(start + run.end);
    }
  } finally {
    // Of what was not sent the files are open still.
    cut.destroy();
  }
}

function firstLine(lines: Buffer): string {
  const newline = lines.indexOf('\n');
  return lines.toString('utf8', 0, newline < 0 ? lines.length : newline);
}

/** Whether the line is a document with nothing around it: of an envelope the key is never on top. */
function isDocument(line: string): boolean {
  try {
    return at(JSON.parse(line), '_key') !== undefined;
  } catch {
    // Not JSON: the server is to say so, and what is wrong with it.
    return false;
  }
}
