import type { DocumentSource } from './documents.ts';
import type { DigestBuilder } from './dump.ts';

/** Connections over which the changes of catch-up are made. */
export const CHANGE_CONNECTIONS = 32;

/** Whatever single documents can be written to. Each is done when it is acknowledged. */
export interface ChangeTarget {
  insert(key: string, text: string): Promise<void>;
  replace(key: string, text: string): Promise<void>;
  remove(key: string): Promise<void>;
}

/**
 * Changes documents one by one: of 20 changes 16 insert, 3 update and 1 removes.
 *
 * @param targets each is given one change at a time
 * @param input.documents numbers of the documents that are there end before this one
 * @param input.from how many changes were made before: each document is changed once at most
 * @param expected is told what must be there afterwards
 */
export async function makeChanges(
  targets: readonly ChangeTarget[],
  input: { documents: number; changes: number; from?: number },
  source: DocumentSource,
  expected: Pick<DigestBuilder, 'add' | 'remove'>,
): Promise<void> {
  const { documents, changes, from = 0 } = input;
  const end = from + changes;
  let next = from;
  const write = async (target: ChangeTarget): Promise<void> => {
    while (next < end) {
      const number = next++;
      if (number % 20 < 16) {
        const text = source.text(documents + number);
        await target.insert(source.key(documents + number), text);
        expected.add(text);
        continue;
      }
      if (number % 20 < 19) {
        const text = source.text(number, 1);
        await target.replace(source.key(number), text);
        expected.add(text);
      } else {
        await target.remove(source.key(number));
      }
      expected.remove(source.text(number));
    }
  };
  await Promise.all(targets.map(write));
}
