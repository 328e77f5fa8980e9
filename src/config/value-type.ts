import { BlockList, isIP } from 'node:net';

/** How the text of an option becomes a value. */
export interface ValueType<T> {
  /** What may be given, in words that follow "allowed: ". */
  readonly allowed: string;
  /** The value, or undefined when `text` is not among what is allowed. */
  parse(text: string): T | undefined;
}

/** Where a server listens. */
export interface ListenEndpoint {
  /** Name or address, IPv6 without brackets. Always of the loopback interface. */
  readonly host: string;
  /** 0 lets the system choose one. */
  readonly port: number;
}

/** Any text but an empty one. */
export function textType(allowed: string): ValueType<string> {
  return { allowed, parse: (text) => (text === '' ? undefined : text) };
}

/** One of a few words, spelled as listed. */
export function choiceType<const T extends string>(choices: readonly T[]): ValueType<T> {
  return {
    allowed: choices.join(', '),
    parse: (text) => choices.find((choice) => choice === text),
  };
}

const BOOLEANS = new Map([
  ['true', true],
  ['yes', true],
  ['on', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['off', false],
  ['0', false],
]);

/** Yes or no, in the spellings of ArangoDB's configuration files. */
export const booleanType: ValueType<boolean> = {
  allowed: 'true or false (also yes, on, 1 and no, off, 0)',
  parse: (text) => BOOLEANS.get(text.toLowerCase()),
};

/** Nothing but "false", for switches that will have a second position one day. */
export const onlyFalseType: ValueType<false> = {
  allowed: 'false, the only value this version has',
  parse: (text) => (booleanType.parse(text) === false ? false : undefined),
};

/** A version of ArangoDB whose answers this server knows. */
export const compatibleVersionType: ValueType<string> = {
  allowed: '1.4.N or 3.0.N, such as 1.4.3 and 3.0.3',
  parse: (text) => (/^(?:1\.4|3\.0)\.\d{1,2}$/.test(text) ? text : undefined),
};

/** A whole number. */
export function countType(min: number, max: number): ValueType<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    parse: (text) => {
      if (!/^\d{1,15}$/.test(text)) return undefined;
      const count = Number(text);
      return count >= min && count <= max ? count : undefined;
    },
  };
}

/** A time in seconds, with or without a fraction; the value is in milliseconds. */
export function secondsType(minSeconds: number, maxSeconds: number): ValueType<number> {
  return {
    allowed: `seconds from ${minSeconds} to ${maxSeconds}`,
    parse: (text) => {
      if (!/^\d{1,9}(?:\.\d{1,9})?$/.test(text)) return undefined;
      const seconds = Number(text);
      const fits = seconds >= minSeconds && seconds <= maxSeconds;
      return fits ? Math.round(seconds * 1000) : undefined;
    },
  };
}

const UNIT_BYTES = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1000],
  ['mb', 1000 ** 2],
  ['gb', 1000 ** 3],
  ['kib', 1024],
  ['mib', 1024 ** 2],
  ['gib', 1024 ** 3],
]);

/** Bytes from `minBytes` to `maxBytes`, with an optional unit as in 64MiB; 1 MB is a million bytes. */
export function sizeType(minBytes: number, maxBytes: number): ValueType<number> {
  return {
    allowed: `${formatBytes(minBytes)} to ${formatBytes(maxBytes)}; units B, kB, MB, GB, KiB, MiB, GiB`,
    parse: (text) => {
      const [, digits = '', unit = ''] = /^(\d+)\s*([a-z]*)$/i.exec(text) ?? [];
      const unitBytes = UNIT_BYTES.get(unit.toLowerCase());
      if (digits === '' || unitBytes === undefined) return undefined;
      const bytes = Number(digits) * unitBytes;
      return bytes >= minBytes && bytes <= maxBytes ? bytes : undefined;
    },
  };
}

/** Bytes in the largest unit that divides them, as `sizeType` reads them. */
export function formatBytes(bytes: number): string {
  const units = [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const;
  const [name, size] = units.find(([, size]) => bytes > 0 && bytes % size === 0) ?? ['B', 1];
  return `${bytes / size}${name}`;
}

/** The port of ArangoDB, where its tools look for a server. */
const DEFAULT_PORT = 8529;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** A loopback endpoint. Others are refused because nothing asks the clients who they are. */
export const listenEndpointType: ValueType<ListenEndpoint> = {
  allowed:
    'tcp://HOST:PORT or http://HOST:PORT with HOST on the loopback interface ' +
    '(127.0.0.0/8, [::1] or localhost, as there is no authentication) and PORT 0 to 65535, 0 for any',
  parse: (text) => {
    const match = /^(?:tcp|http):\/\/(?:\[([0-9a-f:.]+)\]|([^[\]:/]+))(?::(\d{1,5}))?\/?$/i.exec(
      text,
    );
    if (match === null) return undefined;
    const [, ipv6, name, digits] = match;
    const host = (ipv6 ?? name ?? '').toLowerCase();
    const port = digits === undefined ? DEFAULT_PORT : Number(digits);
    return port <= 65_535 && isLoopback(host, ipv6 !== undefined) ? { host, port } : undefined;
  },
};

function isLoopback(host: string, bracketed: boolean): boolean {
  if (bracketed) return isIP(host) === 6 && LOOPBACK.check(host, 'ipv6');
  return host === 'localhost' || (isIP(host) === 4 && LOOPBACK.check(host, 'ipv4'));
}
