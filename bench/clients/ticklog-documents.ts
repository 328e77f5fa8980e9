import type { DocumentConnection } from './document-connection.ts';
import { RawHttp } from './raw-http.ts';

const COLLECTION = 'documents';

interface Waiting {
  readonly resolve: (status: number) => void;
  readonly reject: (error: Error) => void;
}

/** One connection to a ticklog server. */
export class TicklogDocuments implements DocumentConnection {
  #http: RawHttp | undefined;
  #failure: Error | undefined;
  readonly #waiting: Waiting[] = [];

  /** Connects to a server on this machine. */
  static async open(port: number): Promise<TicklogDocuments> {
    const documents = new TicklogDocuments();
    documents.#http = await RawHttp.open(
      port,
      (status) => documents.#waiting.shift()?.resolve(status),
      (error) => documents.#fail(error),
    );
    return documents;
  }

  async insert(key: string, text: string): Promise<void> {
    const path = `/_api/document?collection=${COLLECTION}`;
    const status = await this.#request(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
    );
    if (status !== 202) throw new Error(`the write of ${key} was answered ${status}`);
  }

  async has(key: string): Promise<boolean> {
    const path = `/_api/document/${COLLECTION}/${key}`;
    const status = await this.#request(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    if (status === 200) return true;
    if (status === 404) return false;
    throw new Error(`a read of ${key} was answered ${status}`);
  }

  end(): void {
    this.#http?.end();
  }

  #request(text: string): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure) throw this.#failure;
      this.#waiting.push({ resolve, reject });
      this.#http?.send(Buffer.from(text, 'latin1'));
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
