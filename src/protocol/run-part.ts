import { hashBytes } from '../base/text-hash.ts';

const CID = Buffer.from(',"cid":"');
const KEY_TEXT = ',"key":"';
const KEY = Buffer.from(KEY_TEXT);
/** Of an id, the name of a collection, and what is around them. */
const NAME_MAX = 1024;
/** Mostly it is shorter than this. */
const NAME_USUAL = 96;
const NAME = /^(?:,"cid":"([^"\\]+)","cname":"([^"\\]+)")?,"key":"$/;
const ASCII = /^[ -~]*$/;
const QUOTE = 0x22;

/** The lines of a run that are of one collection. One of the same collection serves the next runs of the page as well. */
export class RunPart {
  /** What stands before the text of the key, from behind the type or the transaction on. */
  readonly name: Buffer;
  /** Id and name of the collection; empty in journals. */
  readonly cid: string;
  readonly cname: string;
  /** Which of the parts of the run it is. */
  place = 0;
  /** How many lines it has. */
  count = 0;
  /** How many of them are removals. */
  removals = 0;
  /** Type of the upserts; undefined when there are only removals. */
  upsertType: number | undefined;
  /** Its lines are those between the two, exclusive, in the order of the run by parts. */
  start = 0;
  end = 0;
  /** Its lines are not to be in runs. */
  isRefused = false;
  /** Another one whose id has the same hash, or the same id with another name. */
  readonly other: RunPart | undefined;

  constructor(name: Buffer, of: { cid: string; cname: string; other: RunPart | undefined }) {
    this.name = name;
    this.cid = of.cid;
    this.cname = of.cname;
    this.other = of.other;
  }

  /** Makes it a part without lines. */
  clear(): void {
    this.count = 0;
    this.removals = 0;
    this.upsertType = undefined;
  }
}

/** The parts that runs of a page have had so far. */
export class RunParts {
  readonly #page: Buffer;
  readonly #hash: typeof hashBytes;
  /** By a hash of the id, the newest of those that have it. */
  readonly #byHash = new Map<number, RunPart>();
  #last: RunPart | undefined;

  constructor(page: Buffer, options: { hash?: typeof hashBytes } = {}) {
    this.#page = page;
    this.#hash = options.hash ?? hashBytes;
  }

  /** The part of the line whose transaction, or type without one, ends at `at`; undefined when the line is not plain. */
  at(at: number): RunPart | undefined {
    const last = this.#last;
    if (last && stands(last.name, this.#page, at)) return last;
    const hash = this.#hashAt(at);
    const newest = this.#byHash.get(hash);
    for (let known = newest; known; known = known.other) {
      if (stands(known.name, this.#page, at)) return (this.#last = known);
    }
    const part = this.#read(at, newest);
    if (!part) return undefined;
    this.#byHash.set(hash, part);
    return (this.#last = part);
  }

  /** Says that no part is refused any more. */
  admitAll(): void {
    for (const newest of this.#byHash.values()) {
      for (let part: RunPart | undefined = newest; part; part = part.other) part.isRefused = false;
    }
  }

  /** Of the id, with no sign: numbers up to 2^30 are the ones that a map finds fastest. 0 without an id. */
  #hashAt(at: number): number {
    const page = this.#page;
    if (stands(KEY, page, at) || !stands(CID, page, at)) return 0;
    const start = at + CID.length;
    let end = start;
    while (end < page.length && page[end] !== QUOTE) end++;
    return this.#hash(page, start, end) >>> 2;
  }

  #read(at: number, other: RunPart | undefined): RunPart | undefined {
    const name = this.#nameAt(at, NAME_USUAL) || this.#nameAt(at, NAME_MAX);
    const parts = ASCII.test(name) ? NAME.exec(name) : null;
    if (!parts) return undefined;
    const [, cid = '', cname = ''] = parts;
    return new RunPart(Buffer.from(name, 'latin1'), { cid, cname, other });
  }

  /** What stands before the text of the key; empty when the key is not within so many bytes. */
  #nameAt(at: number, bytes: number): string {
    const text = this.#page.toString('latin1', at, at + bytes);
    const key = text.indexOf(KEY_TEXT);
    return key < 0 ? '' : text.slice(0, key + KEY_TEXT.length);
  }
}

/** Whether these bytes stand there. */
export function stands(bytes: Buffer, page: Buffer, at: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (page[at + i] !== bytes[i]) return false;
  return true;
}
