/** A time as answers show it: UTC without a fraction, such as `2013-12-01T09:59:03Z` (contract 1.1). */
export function wireTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
