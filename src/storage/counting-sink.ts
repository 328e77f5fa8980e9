import type { RecordSink } from './open-block.ts';
import { PendingPointer, encodePointer } from './pointer.ts';
import type { Scratch } from './scratch.ts';

/** Hands records to a batch, in buffers used again for the next ones, and adds up their bytes. */
export class CountingSink implements RecordSink {
  bytes = 0;
  readonly keys: Scratch;
  readonly values: Scratch;
  readonly #batch: Pick<RecordSink, 'put' | 'del'>;

  constructor(
    batch: Pick<RecordSink, 'put' | 'del'>,
    { keys, values }: { readonly keys: Scratch; readonly values: Scratch },
  ) {
    this.#batch = batch;
    this.keys = keys;
    this.values = values;
  }

  put(key: Buffer, value: Buffer): void {
    this.bytes += key.length + value.length;
    this.#batch.put(key, value);
  }

  del(key: Buffer): void {
    this.bytes += key.length;
    this.#batch.del(key);
  }

  change(name: Buffer | string, value: Buffer | PendingPointer | null): void {
    const key = typeof name === 'string' ? this.keys.bytes(name) : name;
    if (!value) this.del(key);
    else this.put(key, value instanceof PendingPointer ? encodePointer(value, this.values) : value);
  }
}
