/** A promise together with the two functions that settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  /** Fulfils the promise; later calls of either function change nothing. */
  readonly resolve: (value: T | PromiseLike<T>) => void;
  /** Rejects the promise; later calls of either function change nothing. */
  readonly reject: (reason: unknown) => void;
}

/** A promise that is settled from outside. Stands in for `Promise.withResolvers`, which Node 20 lacks. */
export function deferred<T = void>(): Deferred<T> {
  let resolve!: Deferred<T>['resolve'];
  let reject!: Deferred<T>['reject'];
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
