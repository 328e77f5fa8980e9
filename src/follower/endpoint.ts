/** Where a leader listens. */
export interface Endpoint {
  /** As it was given, such as `tcp://10.1.2.3:8529`; messages name it. */
  readonly text: string;
  /** Scheme, host and port for an HTTP client, such as `http://10.1.2.3:8529`. */
  readonly origin: string;
}

/** The port of servers of this interface when an endpoint names none. */
const DEFAULT_PORT = 8529;
const MAX_PORT = 65_535;
const SHAPE =
  /^(?:http\+)?(tcp|http|ssl|https):\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?\/?$/i;

/**
 * Reads an endpoint: `tcp://` or `http://` for plain HTTP, `ssl://` or `https://` for TLS, a host
 * name or address (IPv6 in brackets), and a port.
 *
 * @returns undefined when the text is none; which error that is depends on where it was given
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, scheme, host, port] = SHAPE.exec(text.trim()) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (number < 1 || number > MAX_PORT) return undefined;
  const secure = /^(?:ssl|https)$/i.test(scheme);
  const origin = `${secure ? 'https' : 'http'}://${host.toLowerCase()}:${number}`;
  return URL.canParse(origin) ? { text: text.trim(), origin } : undefined;
}
