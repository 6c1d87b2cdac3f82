import type { ActiveDispatch } from './fleet';

/** Where a dispatch stands. Rows are never edited away: each change is a new entry of its history. */
export type DispatchState =
  | 'requested'
  | 'awaiting-approval'
  | 'scheduled'
  | 'active'
  | 'completed'
  | 'refused'
  | 'cancelled'
  | 'superseded'
  | 'expired';

/** What may follow each state; nothing follows a closed one. */
export const DISPATCH_TRANSITIONS = {
  requested: ['awaiting-approval', 'scheduled', 'refused', 'cancelled', 'superseded', 'expired'],
  'awaiting-approval': ['scheduled', 'refused', 'cancelled', 'superseded', 'expired'],
  scheduled: ['active', 'cancelled', 'superseded', 'expired'],
  active: ['completed', 'cancelled', 'superseded'],
  completed: [],
  refused: [],
  cancelled: [],
  superseded: [],
  expired: [],
} as const satisfies Record<DispatchState, readonly DispatchState[]>;

export const mayBecome = (from: DispatchState, to: DispatchState): boolean =>
  (DISPATCH_TRANSITIONS[from] as readonly DispatchState[]).includes(to);

/** Over for good. Only open dispatches hold limits or stand in each other's way. */
export const isClosed = (state: DispatchState): boolean => DISPATCH_TRANSITIONS[state].length === 0;

/** What an operator asks for: limits to keep or a flow to reach at a feeder, between two moments. */
export interface DispatchRequest {
  readonly feederId: string;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  /** kW >= 0. */
  readonly importLimitKw?: number | null;
  /** kW >= 0. */
  readonly exportLimitKw?: number | null;
  /** Signed, import positive, kW. */
  readonly targetKw?: number | null;
  /** 0..255, lower wins. */
  readonly primacy: number;
  readonly reason: string;
  /** The start is drawn between 0 and this after `startsAtMs`. */
  readonly randomizeStartSeconds?: number | null;
  /** Latest moment of a first start; later it never fires. */
  readonly expiresAtMs?: number | null;
}

/** A dispatch that was accepted and is not over. */
export interface OpenDispatch extends ActiveDispatch {
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}
