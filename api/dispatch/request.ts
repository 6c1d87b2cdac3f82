import { createHash, randomInt } from 'node:crypto';
import { v5 as uuidv5 } from 'uuid';
import type { z } from 'zod';
import type { Actor } from '../../db/audit';
import type { DispatchAccepted } from '../../db/dispatch-admission';
import type { DispatchRecord } from '../../db/dispatch-record';
import type { AppPorts } from '../ports';
import { HttpFailure } from '../problem';
import type { dispatchBody } from '../schemas/dispatch';
import { tellWorkflow, wakeTrees } from '../tell-workflow';

/** Fixed for good: the same principal and key give the same dispatch on every replica and after every restart. */
const DISPATCH_NAMESPACE = '6d1a3a0e-6f5c-4f0e-9a55-0a1f4c1b7d10';
/** What begins within this is told to the loop at once, ms; what begins later is the workflow's. */
const BEGINS_NOW_MS = 1_000;

export interface DispatchAsked {
  readonly body: z.output<typeof dispatchBody>;
  readonly idempotencyKey: string;
  readonly validateOnly: boolean;
  readonly actor: Actor;
}

/**
 * Decided in Postgres first; then the workflow that carries it out is started and, when it begins now, the loop is woken.
 * What fails after the decision does not undo it: the supervisor starts what is missing.
 *
 * @throws {DermsError} the refusal, with what it collides with.
 */
export async function requestDispatch(
  ports: AppPorts,
  { body, idempotencyKey, validateOnly, actor }: DispatchAsked,
): Promise<DispatchAccepted> {
  const { startsAt, endsAt, expiresAt, ...asked } = body;
  const digest = digestOf(body);
  const decided = await ports.dispatches.decide({
    dispatchId: uuidv5(`${actor.user}\n${idempotencyKey}`, DISPATCH_NAMESPACE),
    request: {
      ...asked,
      importLimitKw: asked.importLimitKw ?? null,
      exportLimitKw: asked.exportLimitKw ?? null,
      targetKw: asked.targetKw ?? null,
      startsAtMs: startsAt === undefined ? null : Date.parse(startsAt),
      endsAtMs: Date.parse(endsAt),
      expiresAtMs: expiresAt === undefined ? null : Date.parse(expiresAt),
    },
    startDelayMs: randomInt(0, body.randomizeStartSeconds * 1_000 + 1),
    digest,
    validateOnly,
    actor,
  });
  if (decided.outcome === 'refused') {
    const { code, message, faults, conflictsWith } = decided;
    throw new HttpFailure(code, message, { faults, conflictsWith });
  }
  if (decided.open) await setGoing(ports, decided, digest, actor.requestId);
  return decided;
}

/** The same for the same request however it was written: names in one order, times as moments. */
function digestOf(body: z.output<typeof dispatchBody>): string {
  const { startsAt, endsAt, expiresAt, ...asked } = body;
  const moments = { startsAt: momentOf(startsAt), endsAt: momentOf(endsAt), expiresAt: momentOf(expiresAt) };
  const entries = Object.entries({ ...asked, ...moments }).filter(([, value]) => value !== undefined && value !== null);
  return createHash('sha256')
    .update(JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1))))
    .digest('hex');
}

const momentOf = (time: string | undefined): number | null => (time === undefined ? null : Date.parse(time));

async function setGoing(
  ports: AppPorts,
  { dispatch, supersedes, warnings, repeated }: DispatchAccepted,
  digest: string,
  requestId: string,
): Promise<void> {
  const { dispatchId, rootFeederId } = dispatch;
  const beginsNow = Date.parse(dispatch.beginsAt) - Date.parse(dispatch.acceptedAt) < BEGINS_NOW_MS;
  await Promise.all([
    tellWorkflow(ports, 'start-dispatch', { dispatchId, requestId }, (to) =>
      to.startDispatch(dispatchId, rootFeederId, summaryOf(dispatch), { dispatch, supersedes, warnings, digest }),
    ),
    ...(beginsNow || supersedes.length > 0 ? [wakeTrees(ports, [rootFeederId], requestId)] : []),
    ...(repeated ? [] : supersedes).map((superseded) =>
      tellWorkflow(ports, 'tell-dispatch', { dispatchId: superseded, requestId }, (to) => to.tellDispatch(superseded)),
    ),
  ]);
}

/** The line that Temporal UI shows: who asked for what, and why. */
function summaryOf({ feederId, importLimitKw, exportLimitKw, targetKw, requestedBy, reason }: DispatchRecord): string {
  const asked = [
    targetKw === null ? [] : `target ${String(targetKw)} kW`,
    importLimitKw === null ? [] : `import ≤ ${String(importLimitKw)} kW`,
    exportLimitKw === null ? [] : `export ≤ ${String(exportLimitKw)} kW`,
  ].flat();
  return `${feederId}: ${asked.join(', ')}, asked by ${requestedBy}: ${reason}`;
}
