import type { ChangeTarget } from '../support/changes.ts';
import type { DocumentSource } from '../support/documents.ts';
import type { Digest } from '../support/dump.ts';
import type { SystemName, Watched } from '../support/measure.ts';

/** Which of its two servers. */
export type Side = 'leader' | 'follower';

/** Another database: a leader and a follower of its own, in new directories, driven by its own tools. */
export interface OtherSystem extends AsyncDisposable {
  readonly name: SystemName;
  readonly watched: Watched & { readonly follower: number };
  readonly ports: Readonly<Record<Side, number>>;

  /** Writes the file that `restore` reads: the first `documents` documents. */
  writeFile(path: string, source: DocumentSource, documents: number): void;
  /** Fills the empty leader from the file. */
  restore(path: string): Promise<void>;
  /** Reads the whole leader. */
  dump(): Promise<void>;
  /** How many documents the last dump had. */
  documentsDumped(): Promise<number>;
  /** Makes the follower one. Done when it has a copy of everything. */
  sync(): Promise<void>;
  /** Connects to the leader. */
  openTarget(): Promise<ChangeTarget & { end(): void }>;
  /** From now on nothing comes to the follower. */
  pause(): Promise<void>;
  /** Undoes `pause`. Done when the follower has begun to go on, or later. */
  resume(): Promise<void>;
  /** Whether a read at the follower finds the document. */
  followerHas(key: string): Promise<boolean>;
  /** Throws unless the follower caught up by reading on in the log. */
  assertCaughtUp(): Promise<void>;
  /** What a side holds. */
  digest(side: Side): Promise<Digest>;
  /** Ends the replication and empties the leader. */
  separate(): Promise<void>;
  /**
   * Writes documents one by one over several connections with the load generator of the system, and checks that
   * they are there.
   * @returns seconds, as the generator tells
   */
  writeSingly(writes: number, connections: number): Promise<number>;
}
