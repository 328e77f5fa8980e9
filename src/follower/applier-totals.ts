import type { ApplierRunFigures } from './applier-run.ts';

export const NO_FIGURES: ApplierRunFigures = {
  events: 0,
  excluded: 0,
  resyncs: 0,
  ignored: { count: 0, last: undefined },
};

/** The figures of two runs together, of which `later` is the newer one, if there is one. */
export function addFigures(
  earlier: ApplierRunFigures,
  later: ApplierRunFigures | undefined,
): ApplierRunFigures {
  if (!later) return earlier;
  return {
    events: earlier.events + later.events,
    excluded: earlier.excluded + later.excluded,
    resyncs: earlier.resyncs + later.resyncs,
    ignored: {
      count: earlier.ignored.count + later.ignored.count,
      last: later.ignored.last ?? earlier.ignored.last,
    },
  };
}
