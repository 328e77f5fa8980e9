import type { Exchange } from './leader-script.ts';

/** Documents by key, by the leader's ids of the collections. */
export type ModelContent = Map<string, Map<string, Record<string, unknown>>>;

interface WireLine {
  readonly type: number;
  readonly cid?: string;
  readonly key?: string;
  readonly rev?: string;
  readonly data?: Record<string, unknown>;
}

const MARKERS = { drop: 2001, document: 2300, edge: 2301, remove: 2302 };

/**
 * What a follower that was told these answers must hold: the dumps in their order, then the log. It
 * knows nothing of transactions that are aborted.
 */
export function modelOf(exchanges: readonly Exchange[]): ModelContent {
  const content: ModelContent = new Map();
  const commandOf = ({ url }: Exchange): string => url.pathname.split('/').at(-1) ?? '';
  for (const exchange of exchanges.filter((each) => commandOf(each) === 'dump')) {
    const cid = exchange.url.searchParams.get('collection') ?? '';
    content.set(cid, content.get(cid) ?? new Map<string, Record<string, unknown>>());
    for (const line of linesOf(exchange)) apply(content, cid, line);
  }
  for (const exchange of exchanges.filter((each) => commandOf(each) === 'logger-follow')) {
    for (const line of linesOf(exchange)) apply(content, line.cid ?? '', line);
  }
  return content;
}

function linesOf({ answer }: Exchange): WireLine[] {
  const lines = Buffer.from(answer.body ?? '')
    .toString('utf8')
    .split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as WireLine);
}

function apply(content: ModelContent, cid: string, line: WireLine): void {
  const data = { ...line.data };
  delete data['_id'];
  const key = String(line.key ?? data['_key']);
  switch (line.type) {
    case MARKERS.document:
    case MARKERS.edge: {
      const documents = content.get(cid) ?? new Map<string, Record<string, unknown>>();
      content.set(cid, documents.set(key, data));
      return;
    }
    case MARKERS.remove:
      content.get(cid)?.delete(key);
      return;
    case MARKERS.drop:
      content.delete(cid);
      return;
    default:
  }
}
