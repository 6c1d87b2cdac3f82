/** One event of `text/event-stream`; without an id it is of the moment, and nothing to go on from. */
export interface ServerEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** The API writes a comment every ten seconds: what is silent for longer than this is broken, ms. */
const SILENT_MS = 35_000;

/** Events as they come; ends with the stream, and when it breaks or falls silent. Comments count as a sign of life. */
export async function* readServerEvents(
  body: AsyncIterable<Uint8Array>,
  silentMs = SILENT_MS,
): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  const chunks = body[Symbol.asyncIterator]();
  let text = '';
  for (;;) {
    const chunk = await nextWithin(chunks, silentMs);
    if (chunk === null) return;
    text = `${text}${decoder.decode(chunk, { stream: true })}`.replaceAll('\r\n', '\n');
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = eventIn(block);
      if (event !== null) yield event;
    }
  }
}

/** null when there is no more, or nothing has come in time. */
async function nextWithin(chunks: AsyncIterator<Uint8Array>, silentMs: number): Promise<Uint8Array | null> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<null>((resolve) => {
    timer = setTimeout(() => {
      resolve(null);
    }, silentMs);
  });
  try {
    const next = chunks.next().then(
      ({ done, value }) => (done === true ? null : value),
      () => null, // it broke, as a stream may: whoever reads goes on with another one
    );
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
  }
}

function eventIn(block: string): ServerEvent | null {
  let id: string | null = null;
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === 'id') id = value;
    else if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? null : { id, event, data: data.join('\n') };
}
