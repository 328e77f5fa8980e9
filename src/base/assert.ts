/**
 * Thrown when something happened that the code itself rules out: a bug here, never bad input or a failing disk.
 * It is not caught to carry on; whatever hit it ends as failed.
 */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/**
 * States an invariant and narrows types by it.
 * @throws InvariantError with `message` when `condition` is falsy.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
