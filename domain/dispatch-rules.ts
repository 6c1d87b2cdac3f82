import type { DispatchRequest, OpenDispatch } from './dispatch';
import type { FieldFault } from './errors';
import type { FeederNode } from './fleet';
import { byText, kwText } from './in-words';

/** Longest window of one dispatch, days. */
export const LONGEST_DISPATCH_DAYS = 7;
/** IEEE 2030.5 keeps primacy in one byte; lower wins. */
export const HIGHEST_PRIMACY = 255;
const LONGEST_REASON = 500;
const DAY_MS = 24 * 3600 * 1000;

/**
 * Everything that is wrong with a request by itself, with JSON pointers into its wire form (`/startsAt`, `/endsAt`,
 * …); empty when it can be admitted. A start in the past is taken as "now".
 */
export function checkDispatchRequest(request: DispatchRequest, nowMs: number): FieldFault[] {
  return [
    ...windowFaults(request, nowMs),
    ...limitFaults(request),
    ...primacyFaults(request),
    ...reasonFaults(request),
    ...startFaults(request, nowMs),
  ];
}

export interface Admission {
  readonly request: DispatchRequest;
  readonly nowMs: number;
  /** Open dispatches that may overlap; those of other feeders or windows are ignored. */
  readonly existing: readonly OpenDispatch[];
  readonly feeder: Pick<FeederNode, 'feederId' | 'importLimitKw' | 'exportLimitKw'>;
}

export type AdmissionAnswer =
  | { readonly outcome: 'accepted'; readonly supersedes: readonly string[]; readonly warnings: readonly string[] }
  | {
      readonly outcome: 'refused';
      readonly code: 'DISPATCH_CONFLICT' | 'DISPATCH_UNREACHABLE';
      readonly message: string;
      readonly faults: readonly FieldFault[];
      readonly conflictsWith?: string;
    };

/**
 * Whether a request that is sound by itself fits with the feeder and with the dispatches already open.
 *
 * Limits of overlapping dispatches intersect and the tightest holds. Only where nothing is left of the intersection,
 * or for a second target on one feeder, one has to go: the one with the higher primacy number, at equal primacy the
 * later one, which is the request. Pairs are enough to look at: ranges that meet two by two meet all together.
 */
export function admitDispatch({ request, existing, feeder }: Admission): AdmissionAnswer {
  const unreachable = unreachableTarget(request, feeder);
  if (unreachable !== null) return unreachable;
  const conflicts = existing
    .filter(
      (other) =>
        other.feederId === request.feederId && isOverlapping(other, request) && isConflict(other, askedBy(request)),
    )
    .sort((a, b) => a.primacy - b.primacy || a.acceptedAtMs - b.acceptedAtMs || byText(a.dispatchId, b.dispatchId));
  const stronger = conflicts.find(({ primacy }) => primacy <= request.primacy);
  if (stronger !== undefined) return conflictAnswer(request, stronger);
  return {
    outcome: 'accepted',
    supersedes: conflicts.map(({ dispatchId }) => dispatchId),
    warnings: looserThanFeeder(request, feeder),
  };
}

function windowFaults({ startsAtMs, endsAtMs }: DispatchRequest, nowMs: number): FieldFault[] {
  if (!Number.isFinite(startsAtMs)) return [fault('/startsAt', 'is not a moment in time')];
  if (!Number.isFinite(endsAtMs)) return [fault('/endsAt', 'is not a moment in time')];
  if (endsAtMs <= startsAtMs) return [fault('/endsAt', 'must be after startsAt')];
  if (endsAtMs <= nowMs) return [fault('/endsAt', 'the window is already past')];
  if (endsAtMs - startsAtMs > LONGEST_DISPATCH_DAYS * DAY_MS) {
    return [fault('/endsAt', `the window is longer than ${String(LONGEST_DISPATCH_DAYS)} days`)];
  }
  return [];
}

function limitFaults(request: DispatchRequest): FieldFault[] {
  const asked = askedBy(request);
  const faults = Object.entries(asked)
    .filter(([, kw]) => kw !== null && !Number.isFinite(kw))
    .map(([field]) => fault(`/${field}`, 'must be a finite number of kW'));
  if (asked.importLimitKw !== null && asked.importLimitKw < 0) faults.push(fault('/importLimitKw', NOT_NEGATIVE));
  if (asked.exportLimitKw !== null && asked.exportLimitKw < 0) faults.push(fault('/exportLimitKw', NOT_NEGATIVE));
  const hasLimit = asked.importLimitKw !== null || asked.exportLimitKw !== null;
  if (asked.targetKw === null && !hasLimit)
    faults.push(fault('', 'asks for nothing: give importLimitKw, exportLimitKw or targetKw'));
  if (asked.targetKw !== null && hasLimit)
    faults.push(fault('/targetKw', 'a target already says both limits: give one or the other'));
  return faults;
}

const NOT_NEGATIVE = 'must be 0 or more: limits carry no sign';

function primacyFaults({ primacy }: DispatchRequest): FieldFault[] {
  const isByte = Number.isInteger(primacy) && primacy >= 0 && primacy <= HIGHEST_PRIMACY;
  return isByte ? [] : [fault('/primacy', `must be a whole number from 0 to ${String(HIGHEST_PRIMACY)}`)];
}

function reasonFaults({ reason }: DispatchRequest): FieldFault[] {
  if (reason.trim() === '') return [fault('/reason', 'must say why')];
  return reason.length > LONGEST_REASON
    ? [fault('/reason', `must not be longer than ${String(LONGEST_REASON)} characters`)]
    : [];
}

function startFaults(
  { startsAtMs, endsAtMs, randomizeStartSeconds, expiresAtMs }: DispatchRequest,
  nowMs: number,
): FieldFault[] {
  const faults: FieldFault[] = [];
  const spread = randomizeStartSeconds ?? 0;
  if (!Number.isFinite(spread) || spread < 0) faults.push(fault('/randomizeStartSeconds', 'must be 0 or more'));
  else if (spread > 0 && startsAtMs + spread * 1000 >= endsAtMs) {
    faults.push(fault('/randomizeStartSeconds', 'must be shorter than the window'));
  }
  if (expiresAtMs === undefined || expiresAtMs === null) return faults;
  if (!Number.isFinite(expiresAtMs)) faults.push(fault('/expiresAt', 'is not a moment in time'));
  else if (expiresAtMs < Math.max(startsAtMs, nowMs))
    faults.push(fault('/expiresAt', 'is before the start: it would never fire'));
  return faults;
}

const fault = (pointer: string, message: string): FieldFault => ({ pointer, message });

function unreachableTarget(
  request: DispatchRequest,
  { feederId, importLimitKw, exportLimitKw }: Admission['feeder'],
): AdmissionAnswer | null {
  const { targetKw } = askedBy(request);
  if (targetKw === null) return null;
  const overKw = Math.max(targetKw - importLimitKw, -exportLimitKw - targetKw);
  if (overKw <= 0) return null;
  const side = targetKw > 0 ? `import limit of ${kwText(importLimitKw)}` : `export limit of ${kwText(exportLimitKw)}`;
  const message = `${kwText(overKw)} beyond the ${side} of feeder ${feederId}`;
  return { outcome: 'refused', code: 'DISPATCH_UNREACHABLE', message, faults: [fault('/targetKw', message)] };
}

function conflictAnswer(request: DispatchRequest, other: OpenDispatch): AdmissionAnswer {
  const { targetKw, importLimitKw } = askedBy(request);
  const what =
    targetKw !== null && other.targetKw !== null
      ? `dispatch ${other.dispatchId} already sets a target of ${kwText(other.targetKw)}`
      : `nothing is left between this and dispatch ${other.dispatchId}, which asks for ${inWords(other)}`;
  const message = `${what}, with primacy ${String(other.primacy)} against ${String(request.primacy)}`;
  const field = targetKw !== null ? 'targetKw' : importLimitKw !== null ? 'importLimitKw' : 'exportLimitKw';
  return {
    outcome: 'refused',
    code: 'DISPATCH_CONFLICT',
    message,
    faults: [fault(`/${field}`, message)],
    conflictsWith: other.dispatchId,
  };
}

type Asked = Pick<OpenDispatch, 'importLimitKw' | 'exportLimitKw' | 'targetKw'>;
type Window = Pick<OpenDispatch, 'startsAtMs' | 'endsAtMs'>;

const askedBy = ({ importLimitKw, exportLimitKw, targetKw }: DispatchRequest): Asked => ({
  importLimitKw: importLimitKw ?? null,
  exportLimitKw: exportLimitKw ?? null,
  targetKw: targetKw ?? null,
});

const isOverlapping = (a: Window, b: Window): boolean => a.startsAtMs < b.endsAtMs && b.startsAtMs < a.endsAtMs;

function isConflict(a: Asked, b: Asked): boolean {
  if (a.targetKw !== null && b.targetKw !== null) return true;
  return Math.max(lowOf(a), lowOf(b)) > Math.min(highOf(a), highOf(b));
}

const highOf = ({ importLimitKw, targetKw }: Asked): number => targetKw ?? importLimitKw ?? Infinity;
const lowOf = ({ exportLimitKw, targetKw }: Asked): number => targetKw ?? -(exportLimitKw ?? Infinity);

function looserThanFeeder(request: DispatchRequest, feeder: Admission['feeder']): string[] {
  const { importLimitKw, exportLimitKw } = askedBy(request);
  const looser = (name: string, askedKw: number | null, ownKw: number) =>
    askedKw !== null && askedKw > ownKw
      ? [`the ${name} limit of ${kwText(askedKw)} is looser than the feeder's own, ${kwText(ownKw)}: that holds`]
      : [];
  return [
    ...looser('import', importLimitKw, feeder.importLimitKw),
    ...looser('export', exportLimitKw, feeder.exportLimitKw),
  ];
}

/** `target -20 kW`, `import ≤ 60 kW, export ≤ 0 kW` */
const inWords = ({ importLimitKw, exportLimitKw, targetKw }: Asked): string =>
  [
    targetKw === null ? [] : `target ${kwText(targetKw)}`,
    importLimitKw === null ? [] : `import ≤ ${kwText(importLimitKw)}`,
    exportLimitKw === null ? [] : `export ≤ ${kwText(exportLimitKw)}`,
  ]
    .flat()
    .join(', ');
