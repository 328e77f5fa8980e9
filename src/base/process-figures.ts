import { performance } from 'node:perf_hooks';
import { memoryUsage, resourceUsage } from 'node:process';

/** What the process takes of its machine. Times in seconds. */
export interface ProcessFigures {
  readonly userSeconds: number;
  readonly systemSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly minorPageFaults: number;
  readonly majorPageFaults: number;
  /** Share of its time that the event loop was busy since the process was started. */
  readonly busyShare: number;
  /** When the process was started, in seconds since 1970. */
  readonly startedSeconds: number;
}

/** As of now: the one thing besides main.ts that asks the process. */
export function processFigures(): ProcessFigures {
  const { rss, heapUsed, external } = memoryUsage();
  const { userCPUTime, systemCPUTime, minorPageFault, majorPageFault } = resourceUsage();
  return {
    userSeconds: userCPUTime / 1e6,
    systemSeconds: systemCPUTime / 1e6,
    residentBytes: rss,
    heapBytes: heapUsed,
    externalBytes: external,
    minorPageFaults: minorPageFault,
    majorPageFaults: majorPageFault,
    busyShare: performance.eventLoopUtilization().utilization,
    startedSeconds: performance.timeOrigin / 1000,
  };
}
