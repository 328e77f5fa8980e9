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
  /** Name or address, IPv6 without brackets. */
  readonly host: string;
  /** 0 lets the system choose one. */
  readonly port: number;
  /** Whether connections are encrypted by TLS. */
  readonly secure: boolean;
}

/** Any text but an empty one. */
export function textType(allowed: string): ValueType<string> {
  return { allowed, parse: (text) => (text === '' ? undefined : text) };
}

/** The path of a file, or nothing. */
export const optionalPathType: ValueType<string> = {
  allowed: 'the path of a file',
  parse: (text) => text,
};

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

/** Where to listen; what may not be listened on without authentication is another question. */
export const listenEndpointType: ValueType<ListenEndpoint> = {
  allowed:
    'tcp://HOST:PORT or http://HOST:PORT, or with TLS ssl://HOST:PORT or https://HOST:PORT, and PORT 0 to ' +
    '65535, 0 for any',
  parse: (text) => {
    const match =
      /^(tcp|http|ssl|https):\/\/(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?\/?$/i.exec(
        text,
      );
    if (match === null) return undefined;
    const [, scheme = '', ipv6, name, digits] = match;
    if (ipv6 !== undefined && isIP(ipv6) !== 6) return undefined;
    const host = (ipv6 ?? name ?? '').toLowerCase();
    const port = digits === undefined ? DEFAULT_PORT : Number(digits);
    const secure = /^(?:ssl|https)$/i.test(scheme);
    return port <= 65_535 ? { host, port, secure } : undefined;
  },
};

/** Whether only this machine can reach what listens on the host. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === 'localhost';
  return LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** Servers to connect to. */
export interface HostPattern {
  /** In lower case, IPv6 in brackets; `*` for any, `*.` before a name for all below it. */
  readonly host: string;
  /** Undefined for any. */
  readonly port: number | undefined;
}

const HOST_PATTERN =
  /^(?:[a-z+]+:\/\/)?(\*|\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_-][a-z0-9._-]*)(?::(\*|\d{1,5}))?\/?$/i;

/** Hosts with or without ports, parted by commas; nothing stands for all there are. */
export const hostPatternsType: ValueType<readonly HostPattern[]> = {
  allowed: 'HOST or HOST:PORT, *.DOMAIN, *:PORT, parted by commas',
  parse: (text) => {
    const patterns: HostPattern[] = [];
    for (const part of text.split(',').map((each) => each.trim())) {
      if (part === '') continue;
      const [, host, digits = '*'] = HOST_PATTERN.exec(part) ?? [];
      const port = digits === '*' ? undefined : Number(digits);
      if (host === undefined || (port !== undefined && (port < 1 || port > 65_535)))
        return undefined;
      patterns.push({ host: host.toLowerCase(), port });
    }
    return patterns;
  },
};
