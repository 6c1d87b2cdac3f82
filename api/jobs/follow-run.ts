import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamEvent } from '../event-stream';
import type { RunPort } from './ports';

const LOOK_EVERY_MS = 500;
const MOST_AT_ONCE = 200;
/** A terminated run is over before its worker has stopped, which is worth seeing, ms. */
const STOPS_WITHIN_MS = 15_000;

/**
 * The story of a run after `afterSeq`, as it goes on; progress in between, which is of the moment and has no id. Ends
 * when the run is over, with `end`.
 */
export async function* followRun(
  runs: Pick<RunPort, 'events' | 'find'>,
  runId: string,
  afterSeq: number,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  let seq = afterSeq;
  let shown = '';
  while (!signal.aborted) {
    const run = await runs.find(runId); // before its events, so that none of a run that is over is left out
    const events = await runs.events(runId, seq, MOST_AT_ONCE);
    for (const { seq: id, at, kind, data } of events) {
      yield { id, event: kind, data: { at, ...data } };
      seq = id;
    }
    const progress = JSON.stringify(run?.progress ?? null);
    if (run !== null && run.progress !== null && progress !== shown) {
      yield { event: 'progress', data: { step: run.step, attempt: run.attempt, ...run.progress } };
      shown = progress;
    }
    if (events.length === MOST_AT_ONCE) continue;
    if (run !== null && run.finishedAt !== null) {
      const stopped = run.released || Date.now() - Date.parse(run.finishedAt) > STOPS_WITHIN_MS;
      if (stopped) {
        yield { event: 'end', data: { state: run.state, result: run.result, failure: run.failure } };
        return;
      }
    }
    await pause(signal);
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  } catch {
    // the reader has gone
  }
}
