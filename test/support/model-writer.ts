import type { HttpClient } from '../../bench/support/http-client.ts';
import type { Arena } from './arena.ts';
import {
  type OwnTargets,
  createIndexOperation,
  createOperation,
  dropIndexOperation,
  dropOperation,
  propertiesOperation,
  renameOperation,
  truncateOperation,
} from './catalogue-operations.ts';
import { documentOperation } from './document-operations.ts';
import { type ImportLimits, importOperation } from './import-operations.ts';
import { type Operation, send } from './operation.ts';
import type { FoundServer } from './server-reading.ts';
import type { WriteTarget, WriterContext } from './write-target.ts';

export interface ModelWriterDeps {
  readonly http: HttpClient;
  readonly context: WriterContext;
  readonly shared: WriteTarget;
  readonly arena: Arena;
  /** Whether the leader may be out of reach in this moment, because somebody sees to that. */
  readonly mayBeLost: () => boolean;
}

export interface ModelWriterOptions {
  readonly imports: ImportLimits;
  /** One of the writers changes the properties and indexes of the shared collection, too. */
  readonly changesShared: boolean;
}

const COLLECTIONS_MAX = 3;

/**
 * One client of a leader, one request after another: writes its own keys in a shared collection, a few
 * collections of its own with all that can be done to those, and with the others in the arena. It knows what
 * each answer must be.
 */
export class ModelWriter {
  readonly #deps: ModelWriterDeps;
  readonly #options: ModelWriterOptions;
  readonly #own: OwnTargets = new Set();
  #pending: Operation | undefined;

  constructor(deps: ModelWriterDeps, options: ModelWriterOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Writes until the signal aborts or the leader is lost.
   * @throws Error for an answer that cannot be right, or when the leader is lost and nobody saw to that
   */
  async run(signal: AbortSignal): Promise<void> {
    const { http, mayBeLost } = this.#deps;
    while (!signal.aborted) {
      const operation = this.#next();
      const answer = await send(http, operation);
      if (answer) {
        operation.answered(answer);
        continue;
      }
      if (!mayBeLost()) {
        throw new Error(`${operation.method} ${operation.path} got no answer`);
      }
      this.#pending = operation;
      return;
    }
  }

  /** Finds out what became of a write without an answer. */
  settle(found: FoundServer): void {
    this.#pending?.unanswered(found);
    this.#pending = undefined;
  }

  #next(): Operation {
    const { context, shared, arena } = this.#deps;
    const { random } = context;
    const own = random.pick([...this.#own]);
    if (!own) return createOperation(context, this.#own);
    const chance = random.below(100);
    if (chance < 3) return importOperation(context, shared, this.#options.imports);
    if (chance < 5) return importOperation(context, own, this.#options.imports);
    if (chance < 30) return documentOperation(context, shared);
    if (chance < 52) return arena.operation(context);
    if (chance < 95) return documentOperation(context, own);
    if (chance < 96 && this.#options.changesShared) return this.#changeShared();
    return this.#changeCatalogue(own);
  }

  #changeCatalogue(target: WriteTarget): Operation {
    const { context } = this.#deps;
    const chance = context.random.below(100);
    if (chance < 25 && this.#own.size < COLLECTIONS_MAX) return createOperation(context, this.#own);
    if (chance < 38) return dropOperation(context, this.#own, target);
    if (chance < 53) return renameOperation(context, this.#own, target);
    if (chance < 63) return propertiesOperation(context, target);
    if (chance < 83) return createIndexOperation(context, target, true);
    if (chance < 93)
      return dropIndexOperation(context, target) ?? truncateOperation(context, target);
    return truncateOperation(context, target);
  }

  #changeShared(): Operation {
    const { context, shared } = this.#deps;
    const { random } = context;
    if (random.percent(30)) return propertiesOperation(context, shared);
    const dropped = random.percent(50) ? dropIndexOperation(context, shared) : undefined;
    return dropped ?? createIndexOperation(context, shared, false);
  }
}
