import { watched } from '../base/watch.ts';
import { refusedAnswer } from '../follower/classify.ts';
import { CollectionType } from '../model/collection.ts';
import { ERRORS, isServiceError, ServiceError } from '../model/errors.ts';
import { MarkerType } from '../model/marker.ts';
import { ContentType } from '../protocol/headers.ts';
import { createDatabase } from './database.ts';
import type { DumpedCollection } from './dump-directory-reader.ts';
import type { PieceRun } from './data-pieces.ts';
import { at, listAt, textAt } from './json.ts';
import { presentData } from './present-data.ts';
import { type Connection, ServerClient, withServer } from './server-client.ts';
import { isAtLeast, serverVersion, type Version } from './server-version.ts';

export interface RestoreTargetOptions {
  readonly overwrite: boolean;
  readonly recycleIds: boolean;
  readonly force: boolean;
}

/** Before this version lines without an envelope are not understood. */
const BARE_LINES_SINCE = [3, 8] as const;
/**
 * Of a request to a server of this kind, which stores its body in parts while the rest comes in. After each it is noted
 * how far the restore has come.
 */
const REQUEST_BYTES = 24 * 1024 * 1024;
/** Between two looks at how far the indexes are. */
const LOOK_MS = 500;
const NEWLINE = 0x0a;

/** The requests of a restore (contract 4, 8.3). Methods reject as ServerClient does. */
export class RestoreTarget {
  readonly #connection: Connection;
  readonly #client: ServerClient;
  readonly #options: RestoreTargetOptions;
  #takesBareLines = false;
  #isTicklog = false;
  #hasChanged = false;

  constructor(connection: Connection, options: RestoreTargetOptions) {
    this.#connection = connection;
    this.#client = new ServerClient(connection);
    this.#options = options;
  }

  /**
   * Looks who answers; comes first.
   * @param createMissing create the database if there is none
   * @returns the version, and whether the database is new
   */
  async connect(
    createMissing: boolean,
    signal: AbortSignal,
  ): Promise<{ version: Version; isNew: boolean }> {
    const { endpoint, database } = this.#connection;
    const ask = (): Promise<Version> => serverVersion(this.#client, endpoint.text, signal);
    let isNew = false;
    const version = await ask().catch(async (error: unknown) => {
      const { errorNum } = refusedAnswer(error)?.remote ?? {};
      if (!createMissing || errorNum !== ERRORS.databaseNotFound.errorNum) throw error;
      isNew = true;
      const system = { ...this.#connection, database: '_system' };
      await withServer(system, (client) =>
        createDatabase(client, database, signal, this.#connection),
      );
      return ask();
    });
    this.#isTicklog = version.isTicklog;
    this.#takesBareLines = version.isTicklog || isAtLeast(version, ...BARE_LINES_SINCE);
    return { version, isNew };
  }

  /** How many bytes of lines are best sent in one request; 0: one piece. */
  get requestBytes(): number {
    return this.#isTicklog ? REQUEST_BYTES : 0;
  }

  /** Whether anything of a collection was stored, or may have been. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /** What would be replaced of the collections of these names, in words; see `presentData`. */
  present(names: ReadonlySet<string>, signal: AbortSignal): Promise<string | undefined> {
    return presentData(this.#client, (name) => names.has(name), signal);
  }

  /** Names of the collections that are there. */
  async collections(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const list = await this.#client.get('/_api/collection', signal);
    const member = at(list, 'collections') === undefined ? 'result' : 'collections';
    return new Set(listAt(list, member).map((each) => textAt(each, 'name') ?? ''));
  }

  /** Id of the server, empty where it does not tell. */
  async serverId(signal: AbortSignal): Promise<string> {
    try {
      const answer = await this.#client.replication('GET', 'server-id', signal);
      return textAt(answer, 'serverId') ?? '';
    } catch (error) {
      if (isServiceError(error)) return '';
      throw error;
    }
  }

  /** Whom the database follows, or followed; undefined for nobody, and where the server does not tell. */
  async leader(signal: AbortSignal): Promise<string | undefined> {
    try {
      return textAt(await this.#client.replication('GET', 'applier-state', signal), 'endpoint');
    } catch (error) {
      if (isServiceError(error)) return undefined;
      throw error;
    }
  }

  /** Creates the collection, in the place of the one that is there with `overwrite`. */
  async restoreCollection({ structure }: DumpedCollection, signal: AbortSignal): Promise<void> {
    const { overwrite, recycleIds } = this.#options;
    const answer = await this.#client.replication('PUT', 'restore-collection', signal, {
      query: { overwrite, recycleIds, ...this.#force() },
      body: structure,
    });
    this.#hasChanged = true;
    this.#assertDone(answer, 'restore-collection');
  }

  /**
   * Puts lines into the collection; those of one collection must come in their order.
   * @param run of several pieces only to servers of this kind: it is stored in parts
   * @param hasEnvelope false: each line is a document
   */
  async restoreData(
    { name, type }: DumpedCollection,
    run: PieceRun,
    hasEnvelope: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const isBare = !hasEnvelope && this.#takesBareLines;
    const isWrapped = !hasEnvelope && !isBare;
    const lines = isWrapped ? putIntoEnvelopes(run.first, type) : run.first;
    const options = {
      query: {
        collection: name,
        recycleIds: this.#options.recycleIds,
        ...this.#force(),
        ...(isBare ? { useEnvelope: false } : {}),
        ...(run.isSingle ? {} : { inParts: true }),
      },
      body: run.isSingle ? lines : run,
      contentType: ContentType.dump,
    };
    let answer: unknown;
    try {
      answer = await this.#client.replication('PUT', 'restore-data', signal, options);
    } catch (error) {
      // What is refused whole changes nothing; of several pieces the first may be stored.
      const { status = 0 } = refusedAnswer(error) ?? {};
      const isRefused = status >= 400 && status < 500 && run.bytes === run.first.length;
      this.#hasChanged ||= !isRefused;
      // The request fails of it, too, and says less.
      throw run.failure === undefined ? error : run.failure.error;
    }
    this.#hasChanged = true;
    this.#assertDone(answer, 'restore-data');
  }

  /**
   * Creates the indexes of the collection; nothing is asked where it has none. With `force` those that can be made
   * are, and it rejects all the same when one can not: a server that is told to pass over it does not say so.
   * @param tell told now and then what goes over the collection, by a server of this kind
   */
  async restoreIndexes(
    collection: DumpedCollection,
    tell: (works: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (collection.indexCount === 0) return;
    const made = this.#makeIndexes(collection, signal);
    if (!this.#isTicklog) return made;
    const path = `/_api/collection/${encodeURIComponent(collection.name)}/works`;
    await watched(made, {
      everyMs: LOOK_MS,
      look: async (ended) => tell(await this.#client.get(path, ended)),
    });
  }

  async #makeIndexes({ structure }: DumpedCollection, signal: AbortSignal): Promise<void> {
    const ask = async (query: { force?: boolean }): Promise<void> => {
      const options = { query, body: structure };
      const answer = await this.#client.replication('PUT', 'restore-indexes', signal, options);
      this.#assertDone(answer, 'restore-indexes');
    };
    try {
      await ask({});
    } catch (error) {
      if (this.#options.force && refusedAnswer(error)) await ask(this.#force());
      throw error;
    }
  }

  /** Ends the connections. */
  close(): Promise<void> {
    return this.#client.close();
  }

  /** 1.4 before 1.4.4 does not know it. */
  #force(): { force?: boolean } {
    return this.#options.force ? { force: true } : {};
  }

  #assertDone(answer: unknown, what: string): void {
    if (at(answer, 'result') === true) return;
    throw new ServiceError(
      'invalidResponse',
      `${this.#connection.endpoint.text}: the answer to ${what} is not that it was done`,
    );
  }
}

/** Lines of documents as lines that say what they are (contract 3.4). */
function putIntoEnvelopes(lines: Buffer, type: CollectionType): Buffer {
  const marker = type === CollectionType.edge ? MarkerType.edge : MarkerType.document;
  const head = Buffer.from(`{"type":${marker},"data":`);
  const end = Buffer.from('}\n');
  const out: Buffer[] = [];
  for (let start = 0; start < lines.length;) {
    const newline = lines.indexOf(NEWLINE, start);
    const stop = newline < 0 ? lines.length : newline;
    // A blank line is none.
    if (stop > start + 1) out.push(head, lines.subarray(start, stop), end);
    start = stop + 1;
  }
  return Buffer.concat(out);
}
