import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ApiRefusal, type ApiClient } from './api-client';
import { CommandFailure } from './failure';
import { clockText, fieldsText } from './run-answers';
import type { ServerEvent } from './server-events';

/** What may pass by itself: the API stops or starts again, its database is away, too many listen. */
const PASSING = [429, 500, 502, 503, 504];
const PAUSE_MS = 1_000;
/** Without a word from the API for this long nobody waits any more; the run does not mind. */
const GIVE_UP_MS = 5 * 60_000;
/** Progress of the same step is shown this often, ms. */
const PROGRESS_EVERY_MS = 2_000;

/**
 * Prints the lines of a run as they come, until it is over; goes on after its last event when the stream or the API breaks
 * off. What ends is the following: the run goes on whoever looks.
 *
 * @throws {CommandFailure} when the API refuses, or does not come back.
 */
export async function followRun(
  api: ApiClient,
  runId: string,
  { print, monotonicMs = () => performance.now() }: { print: (text: string) => void; monotonicMs?: () => number },
): Promise<void> {
  const show = createPrinter(print, monotonicMs);
  let lastEventId: string | null = null;
  let heardAt = monotonicMs();
  for (;;) {
    try {
      for await (const event of api.events(`/api/runs/${encodeURIComponent(runId)}/events`, lastEventId)) {
        heardAt = monotonicMs();
        lastEventId = event.id ?? lastEventId;
        if (event.event === 'end') return;
        show(event);
      }
      heardAt = monotonicMs(); // it was there, and may have had nothing to say
    } catch (error) {
      if (!mayPass(error)) throw error;
      if (monotonicMs() - heardAt > GIVE_UP_MS)
        throw new CommandFailure(`The API has not answered for 5 min; run ${runId} goes on without us.`, 2, {
          cause: error,
        });
    }
    await sleep(PAUSE_MS);
  }
}

const mayPass = (error: unknown): boolean =>
  error instanceof ApiRefusal ? PASSING.includes(error.status) : error instanceof CommandFailure;

const eventSchema = z.looseObject({
  at: z.string().optional(),
  state: z.string().optional(),
  step: z.string().nullish(),
  attempt: z.number().optional(),
  what: z.string().optional(),
  detail: z.string().nullish(),
  level: z.string().optional(),
  message: z.string().optional(),
  fields: z.record(z.string(), z.unknown()).optional(),
  by: z.string().optional(),
  reason: z.string().optional(),
  failure: z.object({ code: z.string(), message: z.string() }).optional(),
  doneBytes: z.number().optional(),
  totalBytes: z.number().optional(),
  share: z.number().optional(),
  note: z.string().optional(),
});
type EventData = z.output<typeof eventSchema>;

function createPrinter(print: (text: string) => void, monotonicMs: () => number): (event: ServerEvent) => void {
  let shownAt = -Infinity;
  return ({ event, data }) => {
    const read = eventSchema.safeParse(JSON.parse(data));
    if (!read.success) return; // of a newer version: what it means is not known here
    if (event === 'progress') {
      if (monotonicMs() - shownAt < PROGRESS_EVERY_MS) return;
      shownAt = monotonicMs();
    }
    const text = textOf(event, read.data);
    if (text !== null) print(read.data.at === undefined ? `          ${text}` : `${clockText(read.data.at)}  ${text}`);
  };
}

function textOf(event: string, data: EventData): string | null {
  switch (event) {
    case 'state':
      return `${data.state ?? ''}${data.failure === undefined ? '' : `: ${data.failure.code}, ${data.failure.message}`}`;
    case 'step':
      return `step ${data.step ?? ''} ${data.what ?? ''}${(data.attempt ?? 1) > 1 ? ` (attempt ${String(data.attempt)})` : ''}${(data.detail ?? null) === null ? '' : `: ${data.detail ?? ''}`}`;
    case 'log':
      return `${data.level === 'info' ? '' : `${data.level ?? ''}: `}${data.message ?? ''} ${fieldsText(data.fields ?? {})}`.trimEnd();
    case 'cancel':
      return `cancellation ${data.what ?? ''}${data.by === undefined ? '' : ` by ${data.by}: ${data.reason ?? ''}`}`;
    case 'progress':
      return progressText(data);
    default:
      return null;
  }
}

/** `37 %, 12.0 of 32.4 MB, dumping telemetry` */
function progressText({ share, doneBytes, totalBytes, note }: EventData): string | null {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
  const part = share ?? (doneBytes !== undefined && totalBytes ? doneBytes / totalBytes : undefined);
  const words = [
    part === undefined ? [] : `${(part * 100).toFixed(0)} %`,
    doneBytes === undefined
      ? []
      : totalBytes === undefined
        ? `${megabytes(doneBytes)} MB`
        : `${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`,
    note ?? [],
  ].flat();
  return words.length === 0 ? null : words.join(', ');
}
