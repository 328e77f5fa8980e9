/** Everything that can be measured, in the order in which it is. */
export const WORKLOADS = [
  'limit-store',
  'limit-store-tuned',
  'limit-http',
  'limit-write',
  'limit-answer',
  'import',
  'dump',
  'initial-sync',
  'catch-up',
  'lag',
  'single-writes',
  'single-writes-unlogged',
  'restore',
  'restore-pieces',
] as const;

export type WorkloadName = (typeof WORKLOADS)[number];

/** A limit is measured without the product. */
export type LimitName = Extract<WorkloadName, `limit-${string}`>;

/** What a workload is compared with; undefined for limits, and where nothing of the kind can be compared. */
const LIMITS: Readonly<Partial<Record<WorkloadName, LimitName>>> = {
  'limit-store-tuned': 'limit-store',
  'limit-write': 'limit-answer',
  import: 'limit-store',
  dump: 'limit-http',
  'initial-sync': 'limit-store',
  'catch-up': 'limit-store',
  'single-writes': 'limit-write',
  'single-writes-unlogged': 'limit-write',
  restore: 'limit-store',
  'restore-pieces': 'limit-store',
};

/** The short names of what systems are compared by. The first of each is the one whose figure counts. */
export const CODES: Readonly<Record<string, readonly [WorkloadName, ...WorkloadName[]]>> = {
  W1: ['initial-sync'],
  W2: ['catch-up'],
  W3: ['lag'],
  W4: ['dump'],
  W5: ['single-writes', 'single-writes-unlogged'],
  W6: ['restore', 'restore-pieces'],
};

/** Which limit a workload is compared with. */
export function limitOf(workload: WorkloadName): LimitName | undefined {
  return LIMITS[workload];
}

/** `W4 dump`: the name with the short one before it, blanks where there is none. */
export function titleOf(workload: WorkloadName): string {
  const [code] = Object.entries(CODES).find(([, names]) => names.includes(workload)) ?? ['  '];
  return `${code} ${workload}`;
}

/** The workloads that a name or a short name stands for; undefined when it is neither. */
export function workloadsNamed(name: string): readonly WorkloadName[] | undefined {
  const found = WORKLOADS.find((workload) => workload === name);
  return found === undefined ? CODES[name.toUpperCase()] : [found];
}

/** The workloads and the limits they are compared with, of the store both. */
export function withLimits(only: readonly WorkloadName[]): ReadonlySet<WorkloadName> {
  const limits = new Set<WorkloadName>(only.flatMap((workload) => limitOf(workload) ?? []));
  if (limits.has('limit-store')) limits.add('limit-store-tuned');
  return new Set([...limits, ...only]);
}
