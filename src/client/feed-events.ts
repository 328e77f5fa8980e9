/** A server-sent event, or no more than an id. */
export interface FeedEvent {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly data?: string | undefined;
}

/**
 * Takes apart what a server sends as events. Comments are passed over, and so is an event that is not complete at the
 * end. Holds one event in memory.
 */
export async function* feedEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<FeedEvent, void, void> {
  const decoder = new TextDecoder();
  let event: { id?: string; name?: string; data?: string } = {};
  let pending = '';
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const line = pending + text.slice(start, end);
      pending = '';
      start = end + 1;
      if (line !== '') {
        addField(event, line);
        continue;
      }
      if (Object.keys(event).length > 0) yield event;
      event = {};
    }
    pending += text.slice(start);
  }
}

function addField(event: { id?: string; name?: string; data?: string }, line: string): void {
  const [, field, value = ''] = /^(id|event|data): ?(.*)$/s.exec(line) ?? [];
  if (field === 'id') event.id = value;
  else if (field === 'event') event.name = value;
  else if (field === 'data')
    event.data = event.data === undefined ? value : `${event.data}\n${value}`;
}
