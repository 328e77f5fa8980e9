/** What the client of the lag needs of a system: writes on one side, reads on the other. */
export interface DocumentConnection {
  /**
   * Writes a document that is not there. May be called again before it is done.
   * Done when the system has acknowledged it.
   */
  insert(key: string, text: string): Promise<void>;
  /** Whether a read by its key finds the document. */
  has(key: string): Promise<boolean>;
  end(): void;
}
