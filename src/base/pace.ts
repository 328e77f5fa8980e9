/**
 * How long the rest takes, to a tenth of a second; 0 where there is none.
 * @param perSecond how much of it is done in a second
 * @returns null where that cannot be known
 */
export function secondsLeft(rest: number, perSecond: number): number | null {
  if (rest <= 0) return 0;
  return perSecond > 0 ? toTenth(rest / perSecond) : null;
}

/** A number as progress tells it. */
export function toTenth(value: number): number {
  return Math.round(value * 10) / 10;
}
