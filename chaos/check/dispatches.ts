import { DISPATCH_TRANSITIONS, isClosed, mayBecome, type DispatchState } from '../../domain/dispatch';
import type { AskedDispatch, DispatchRecords, RunRecord, StoredDispatch } from '../records';
import { finding, type Finding } from './finding';

/** Longest from the end that was asked for to the state that says so, after all parts are back, ms. */
const LATE_MS = 60_000;

/** Each dispatch that was asked for is accounted for: refused, or stored once and carried to an end that says why. */
export function checkDispatches({ asked, stored }: DispatchRecords, calmAtMs: number): Finding[] {
  const of = { looked: asked.length, at: 'asked for' };
  const byId = new Map(stored.map((dispatch) => [dispatch.dispatchId, dispatch]));
  return [
    finding(
      'each request got an answer',
      asked.filter(isOpen).map(({ idempotencyKey }) => idempotencyKey),
      of,
    ),
    finding('no accepted dispatch is lost, none is doubled', [...lost(asked, byId), ...doubled(asked, stored)], of),
    finding(
      'each dispatch ended in a final state, with a reason',
      stored.flatMap((dispatch) => unfinished(dispatch, calmAtMs)),
      { looked: stored.length, at: `accepted: ${states(stored)}` },
    ),
  ];
}

/** Each run of a job that was accepted is over, and says why when it did not succeed. */
export function checkRuns(runs: readonly RunRecord[], asked: number): Finding[] {
  if (asked === 0) return [];
  const against = runs.filter(({ finished, state, reason }) => !finished || (state !== 'succeeded' && reason === null));
  const missing = Array.from({ length: Math.max(0, asked - runs.length) }, () => 'a run that is not there');
  const told = against.map(({ jobName, runId, state }) => `${jobName} ${runId}: ${state}`);
  const ended = runs.map(({ jobName, state }) => `${jobName} ${state}`).join(', ');
  return [finding('each job run ended, with a reason', [...told, ...missing], { looked: asked, at: `runs: ${ended}` })];
}

/** Nothing, or an answer that says to try again. */
const isOpen = ({ status }: AskedDispatch): boolean => status === 0 || status === 429 || status >= 500;

const lost = (asked: readonly AskedDispatch[], byId: ReadonlyMap<string, StoredDispatch>): string[] =>
  asked
    .filter(({ status, dispatchId }) => status === 202 && !byId.has(dispatchId ?? ''))
    .map(({ dispatchId }) => `${String(dispatchId)} is not stored`);

/** Two rows of one request, or one of none. */
function doubled(asked: readonly AskedDispatch[], stored: readonly StoredDispatch[]): string[] {
  const accepted = asked.filter(({ status }) => status === 202).map(({ dispatchId }) => dispatchId);
  const known = new Set(accepted);
  const strangers = stored.filter(({ dispatchId }) => !known.has(dispatchId));
  const ids = stored.map(({ dispatchId }) => dispatchId);
  return [
    ...strangers.map(({ dispatchId }) => `${dispatchId} was asked for by nobody`),
    ...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `${id} is there twice`),
    ...accepted.filter((id, index) => accepted.indexOf(id) !== index).map((id) => `${String(id)} answers two requests`),
  ];
}

function unfinished({ dispatchId, state, endsAtMs, hasReport, history }: StoredDispatch, calmAtMs: number): string[] {
  const against = (what: string): string[] => [`${dispatchId}: ${what}`];
  if (!(state in DISPATCH_TRANSITIONS) || !isClosed(state as DispatchState)) return against(`still ${state}`);
  const sorted = [...history].sort((a, b) => a.revision - b.revision);
  const last = sorted.at(-1);
  if (last?.state !== state) return against(`${state}, and its history ends ${String(last?.state)}`);
  const gap = sorted.find(({ revision }, index) => revision !== (sorted[0]?.revision ?? 0) + index);
  if (gap !== undefined) return against(`revision before ${String(gap.revision)} is not there`);
  if (sorted.some(({ reason }) => reason.trim() === '')) return against('an entry without a reason');
  const wrong = sorted.find((entry, index) => !follows(sorted[index - 1]?.state, entry.state));
  if (wrong !== undefined) return against(`${wrong.state} may not follow what was before`);
  if (state !== 'completed') return [];
  if (!hasReport) return against('completed without a report');
  return last.atMs > Math.max(endsAtMs, calmAtMs) + LATE_MS ? against('ended late') : [];
}

/** A change of what was asked for leaves the state as it is. */
const follows = (before: string | undefined, next: string): boolean =>
  before === undefined || before === next || mayBecome(before as DispatchState, next as DispatchState);

function states(stored: readonly StoredDispatch[]): string {
  const counts = new Map<string, number>();
  for (const { state } of stored) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${String(count)} ${state}`).join(', ');
}
