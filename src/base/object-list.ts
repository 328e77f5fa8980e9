const NOTHING = {};

/**
 * An empty array for objects. One made by `[]` is an array of small integers for the engine until the first object is put in: in
 * loops that make many of them the compiled code is thrown away for that once, and made again.
 */
export function objectList<T extends object>(): T[] {
  const list: object[] = [NOTHING];
  list.length = 0;
  return list as T[];
}
