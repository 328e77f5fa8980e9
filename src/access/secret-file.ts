import { randomBytes } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../base/logger.ts';
import { ServiceError } from '../model/errors.ts';

/** The server's own, in the data directory. */
const SECRET_NAME = 'jwt-secret';
/** As long as what HS256 makes of it. */
const SECRET_BYTES = 32;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/**
 * The secret in a file, without the white space around it. A file that others may read is complained of in the log.
 * @param option names the option in what is said of the file
 * @throws ServiceError badParameter for a file that cannot be read, or is empty
 */
export async function readSecretFile(
  { logger }: { logger: Logger },
  path: string,
  option: string,
): Promise<string> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
    const { mode } = await stat(path);
    if ((mode & OTHERS) !== 0) {
      logger.warn(
        { file: path },
        `the file of ${option} can be read by others; chmod 600 ends that`,
      );
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ServiceError('badParameter', `${option}: ${path} can not be read: ${reason}`, {
      cause,
    });
  }
  if (text === '') throw new ServiceError('badParameter', `${option}: ${path} is empty`);
  return text;
}

/**
 * The secret that signs tokens: that of a file, or else the server's own, which is made when it is first needed
 * and lies in the data directory, for its owner alone to read.
 * @throws ServiceError badParameter for a secret that is too short; as `readSecretFile`
 */
export async function tokenSecret(
  deps: { logger: Logger },
  { file, directory }: { file: string; directory: string },
): Promise<Buffer> {
  const option = 'server.jwt-secret-file';
  const path = file === '' ? join(directory, SECRET_NAME) : file;
  if (file === '') await makeOwn(path);
  const secret = Buffer.from(await readSecretFile(deps, path, option));
  if (secret.length >= SECRET_BYTES) return secret;
  throw new ServiceError(
    'badParameter',
    `${option}: the secret in ${path} is shorter than ${SECRET_BYTES} bytes`,
  );
}

/** A secret for as long as this process runs. */
export function passingSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** Makes the file unless it is there. */
async function makeOwn(path: string): Promise<void> {
  let file;
  try {
    file = await open(path, 'wx', OWNER_ONLY);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw error;
  }
  try {
    await file.writeFile(`${randomBytes(SECRET_BYTES).toString('hex')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}
