import { Random, mix } from './random.ts';

/** Length of the JSON text of a generated document, in bytes, without a newline. */
export const DOCUMENT_BYTES = 300;

const CHUNK_BYTES = 1024 * 1024;
const POOL_CHARACTERS = 64 * 1024;
const SYLLABLES = [
  'ra',
  'ne',
  'to',
  'mi',
  'ka',
  'lo',
  've',
  'su',
  'pi',
  'den',
  'gor',
  'zim',
  'wal',
];
const CITIES = ['Oslo', 'Lima', 'Kyoto', 'Accra', 'Turin', 'Quito', 'Perth', 'Riga', 'Tunis'];
const STATES = ['open', 'paid', 'sent', 'back', 'done'];

/** Makes documents of 300 bytes of JSON that depend on nothing but seed, number and version. */
export class DocumentSource {
  readonly #seed: number;
  readonly #pool: string;

  constructor(options: { seed: number }) {
    this.#seed = options.seed;
    this.#pool = words(new Random(options.seed), POOL_CHARACTERS);
  }

  /** The key of a document. */
  key(number: number): string {
    return `d${number.toString().padStart(9, '0')}`;
  }

  /** The text of a document; another version of it is another text under the same key. */
  text(number: number, version = 0): string {
    const hash = mix(this.#seed ^ mix(number) ^ Math.imul(version, 0x27d4_eb2f));
    const city = CITIES[hash % CITIES.length] ?? '';
    const state = STATES[(hash >>> 5) % STATES.length] ?? '';
    const head =
      `{"_key":"${this.key(number)}","number":${number},"version":${version},"city":"${city}",` +
      `"state":"${state}","amount":${(hash >>> 3) % 100_000},"open":${(hash & 1) === 0},"text":"`;
    const length = DOCUMENT_BYTES - head.length - 2;
    const start = (hash >>> 8) % (POOL_CHARACTERS - DOCUMENT_BYTES);
    return `${head}${this.#pool.slice(start, start + length)}"}`;
  }

  /** The documents `from` to before `to` as lines, in pieces of about 1 MiB made when they are wanted. */
  *chunks(from: number, to: number): Generator<Buffer, void, void> {
    const perChunk = Math.floor(CHUNK_BYTES / (DOCUMENT_BYTES + 1));
    for (let start = from; start < to; start += perChunk) {
      const end = Math.min(start + perChunk, to);
      let lines = '';
      for (let number = start; number < end; number++) lines += `${this.text(number)}\n`;
      yield Buffer.from(lines, 'latin1');
    }
  }
}

/**
 * The line a server with this document would have in its dump. Used by the limits, which serve and store
 * the same bytes without the product.
 */
export function dumpLine(source: DocumentSource, number: number): string {
  const tick = (176_000_000_000_000 + number).toString();
  const key = source.key(number);
  const rest = source.text(number).slice(`{"_key":"${key}",`.length);
  return (
    `{"tick":"${tick}","type":2300,"key":"${key}","rev":"${tick}",` +
    `"data":{"_key":"${key}","_rev":"${tick}",${rest}}\n`
  );
}

function words(random: Random, characters: number): string {
  let text = '';
  while (text.length < characters) {
    for (let syllables = 1 + random.below(4); syllables > 0; syllables--) {
      text += random.pick(SYLLABLES);
    }
    text += ' ';
  }
  return text.slice(0, characters);
}
