import { counted } from '../base/words.ts';
import { ServiceError } from '../model/errors.ts';
import type { CutLine } from '../storage/block-writer.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import { type SplitText, bytesOf } from './stored-document.ts';

/** No character takes more in UTF-8. */
const CHARACTER_MAX_BYTES = 3;

/**
 * Looks at the length of a document that a client wants to write, as it would be stored.
 * @throws ServiceError documentTooLarge for one that is longer than the server takes, or that alone is above the
 *   bytes of a cap
 */
export function assertAdmitted(
  { documentMaxBytes }: Database,
  collection: Collection,
  data: string | CutLine | SplitText,
): void {
  const isCapped = collection.caps.length > 0;
  // The bytes of most texts need not be counted.
  if (!isCapped && typeof data === 'string') {
    if (data.length * CHARACTER_MAX_BYTES <= documentMaxBytes) return;
  }
  const bytes = bytesOf(data);
  if (bytes > documentMaxBytes) {
    throw new ServiceError(
      'documentTooLarge',
      `the document has ${counted(bytes, 'byte')}, and none may have more than the ${documentMaxBytes} ` +
        'of --document.max-size',
    );
  }
  if (isCapped) collection.assertAdmitted(bytes);
}
