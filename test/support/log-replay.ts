import type { HttpClient } from '../../bench/support/http-client.ts';
import { dataOfLine } from '../../src/documents/stored-document.ts';
import { MarkerType } from '../../src/model/marker.ts';
import { Header } from '../../src/protocol/headers.ts';
import type { FoundServer } from './server-reading.ts';

/** What a log makes of a collection. */
export interface ReplayedCollection {
  name: string;
  parameters: Record<string, unknown>;
  readonly indexes: Map<string, unknown>;
  /** Texts by key. */
  readonly documents: Map<string, string>;
}

interface Line {
  readonly tick: string;
  readonly type: number;
  readonly tid?: string;
  readonly cid?: string;
  readonly key?: string;
  readonly oldRev?: string;
  readonly id?: string;
  readonly collection?: { readonly name: string };
  readonly index?: { readonly id: string };
}

const CHUNK_BYTES = 4 * 1024 * 1024;
const DIFFERENCES_MAX = 10;
const NEWLINE = 0x0a;

/**
 * A leader's log played from its beginning, page by page.
 * Checks on the way that ticks rise, that nothing is missing, that transactions are whole and do not
 * overlap, and that each write names the revision it replaces.
 */
export class LogReplay {
  readonly collections = new Map<string, ReplayedCollection>();
  /** Documents written and removed. */
  writes = 0;
  #tick = 0n;
  #open: { readonly tid: string } | undefined;

  /** @throws Error naming the line that cannot be right */
  async run(http: HttpClient): Promise<void> {
    for (let more = true; more;) {
      const path = `/_api/replication/logger-follow?from=${this.#tick}&chunkSize=${CHUNK_BYTES}`;
      const { status, headers, body } = await http.request('GET', path);
      if (status !== 200) throw new Error(`a page of the log was answered ${status}`);
      if (headers[Header.fromPresent] !== 'true') {
        throw new Error(`the log has a gap behind ${this.#tick}`);
      }
      let start = 0;
      for (let end; (end = body.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
        this.#take(body.toString('utf8', start, end));
      }
      if (String(this.#tick) !== headers[Header.lastIncluded]) {
        throw new Error(`a page does not end at ${String(headers[Header.lastIncluded])}`);
      }
      more = headers[Header.checkMore] === 'true';
    }
    if (this.#open) throw new Error(`transaction ${this.#open.tid} has no end`);
  }

  /** Compares with what the leader holds: a sentence for each of the first differences. */
  differences(found: FoundServer): string[] {
    const all: string[] = [];
    for (const cid of new Set([...this.collections.keys(), ...found.keys()])) {
      const [replayed, there] = [this.collections.get(cid), found.get(cid)];
      if (replayed?.name !== there?.name || !replayed || !there) {
        all.push(
          `${cid} is ${replayed?.name ?? 'nothing'} in the log, ${there?.name ?? 'nothing'}`,
        );
        continue;
      }
      for (const key of new Set([...replayed.documents.keys(), ...there.documents.keys()])) {
        const data = there.documents.get(key)?.data;
        const text = replayed.documents.get(key);
        if (text === (data && JSON.stringify(data))) continue;
        all.push(`${there.name}/${key} is ${text?.slice(0, 120) ?? 'nothing'} in the log`);
      }
    }
    return all.slice(0, DIFFERENCES_MAX);
  }

  #take(text: string): void {
    const line = JSON.parse(text) as Line;
    const tick = BigInt(line.tick);
    if (tick <= this.#tick) throw new Error(`tick ${tick} comes behind ${this.#tick}`);
    this.#tick = tick;
    this.#checkTransaction(line, text);
    this.#apply(line, text);
  }

  #checkTransaction({ type, tid }: Line, text: string): void {
    if (type === MarkerType.transactionStart) {
      if (this.#open || tid === undefined) throw new Error(`within a transaction: ${text}`);
      this.#open = { tid };
      return;
    }
    const isSame = (tid ?? '0') === (this.#open?.tid ?? '0');
    if (!isSame) throw new Error(`in transaction ${this.#open?.tid ?? 'none'}: ${text}`);
    if (type === MarkerType.transactionCommit) this.#open = undefined;
  }

  #apply(line: Line, text: string): void {
    const { type, cid = '', collection: wire, index, id = '' } = line;
    if (type === MarkerType.collectionCreate && wire) {
      const { name } = wire;
      const [indexes, documents] = [new Map<string, unknown>(), new Map<string, string>()];
      this.collections.set(cid, { name, parameters: { ...wire }, indexes, documents });
      return;
    }
    const collection = this.collections.get(cid);
    if (!collection) {
      if (cid !== '') throw new Error(`of no collection: ${text}`);
      return;
    }
    switch (type) {
      case MarkerType.collectionDrop:
        this.collections.delete(cid);
        break;
      case MarkerType.collectionRename:
        collection.name = wire?.name ?? '';
        break;
      case MarkerType.collectionChange:
        collection.parameters = { ...wire };
        break;
      case MarkerType.indexCreate:
        collection.indexes.set(index?.id ?? '', index);
        break;
      case MarkerType.indexDrop:
        collection.indexes.delete(id);
        break;
      default:
        this.#write(collection, line, text);
    }
  }

  #write({ documents }: ReplayedCollection, { type, key = '', oldRev }: Line, text: string): void {
    this.writes++;
    const old = documents.get(key);
    const rev = old && (JSON.parse(old) as { _rev: string })._rev;
    if (oldRev !== rev) throw new Error(`does not replace ${rev ?? 'nothing'}: ${text}`);
    if (type === MarkerType.remove) documents.delete(key);
    else documents.set(key, dataOfLine(text));
  }
}
