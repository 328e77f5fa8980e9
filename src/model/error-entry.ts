/** One kind of failure as the tables of this folder list it; docs/errors.md is printed from these. */
export interface ErrorEntry {
  /** The number clients go by (contract 1.6). Several kinds may share one. */
  readonly errorNum: number;
  /** Status of the answer unless the place that throws names another. */
  readonly httpStatus: number;
  /** Text of the answer unless the place that throws has a detail. */
  readonly message: string;
  /** What happened, and when that is normal. */
  readonly cause: string;
  /** What the reader of the message can do. */
  readonly cure: string;
  /** What helps where it is an applier that met it, and `cure` is for those who sent a request. */
  readonly applierCure?: string;
}
