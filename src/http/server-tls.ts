import { readFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import { createSecureContext } from 'node:tls';
import { ServiceError } from '../model/errors.ts';

/** Files of PEM by their paths, '' for none. */
export interface ServerTlsFiles {
  /** The key, and the certificate unless `sslCertfile` has that. */
  readonly sslKeyfile: string;
  readonly sslCertfile: string;
  /** Authorities of which clients must show a certificate. */
  readonly sslCafile: string;
}

/** Who has not shown a certificate by then is not going to. */
const HANDSHAKE_MS = 10_000;

/**
 * What a server needs to speak TLS, 1.2 or later.
 * @throws ServiceError badParameter for a file that cannot be read, or is not what it should be
 */
export function readServerTls(files: ServerTlsFiles): ServerOptions {
  const { sslKeyfile, sslCertfile, sslCafile } = files;
  const key = read('ssl.keyfile', sslKeyfile);
  const cert = sslCertfile === '' ? key : read('ssl.certfile', sslCertfile);
  const ca = sslCafile === '' ? undefined : read('ssl.cafile', sslCafile);
  try {
    createSecureContext({ key, cert, ca });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ServiceError(
      'badParameter',
      `ssl.keyfile, ssl.certfile: not a key in PEM and the certificate that belongs to it: ${reason}`,
      { cause },
    );
  }
  return {
    ...{ key, cert, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_MS },
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
  };
}

function read(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ServiceError('badParameter', `${option}: ${path} can not be read: ${reason}`, {
      cause,
    });
  }
}
