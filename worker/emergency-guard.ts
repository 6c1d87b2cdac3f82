import type { EmergencyLatch } from '../broker/emergency-latch';
import type { HeldEmergencyStop } from '../contracts/emergency-stop';
import type { EmergencyStop } from '../domain/fleet';
import type { Logger } from '../observability/logger';

/** Between publishing and the emergency stop that the broker holds. */
export interface EmergencyGuard {
  /** What the broker holds has changed: it is looked at now rather than in a moment. */
  heard(): void;
  /** Why a plan made under this stop (null: under none) may not be published now; null when it may. */
  objection(emergencyStopId: string | null): string | null;
  stop(): void;
}

export interface EmergencyGuardPorts {
  readonly latch: () => EmergencyLatch['held'];
  /** Writes it down; null when Postgres knows that it was lifted. Rejects while Postgres is away. */
  readonly adopt: (held: HeldEmergencyStop) => Promise<EmergencyStop | null>;
  /** Takes the broker's copy away. */
  readonly clear: () => Promise<void>;
  readonly log: Logger;
}

/** A stop that the broker holds is compared with Postgres this often: until it is known there, and then for its lifting. */
const COMPARE_MS = 500;

/**
 * Writes down what the broker holds, and keeps back every setpoint that is not that stop's, so that one which was engaged
 * while Postgres was away is obeyed from the first publish after its return. A copy of one that was lifted is cleared.
 */
export function guardAgainstEmergencyStop({ latch, adopt, clear, log }: EmergencyGuardPorts): EmergencyGuard {
  let adopted: { readonly of: string; readonly stopId: string | null } | null = null;
  let comparing = false;
  const compare = async (held: HeldEmergencyStop): Promise<void> => {
    const inForce = await adopt(held);
    if (adopted?.of !== held.stopId || adopted.stopId !== (inForce?.stopId ?? null)) {
      adopted = { of: held.stopId, stopId: inForce?.stopId ?? null };
      if (inForce === null) log.info({ stopId: held.stopId }, 'the emergency stop that the broker holds was lifted');
      else log.warn({ ...held, inForce: inForce.stopId }, 'an emergency stop is in force');
    }
    if (inForce === null) await clear();
  };
  const look = (): void => {
    const held = latch();
    if (comparing || held === null || held === 'unknown') return;
    comparing = true;
    compare(held)
      .catch((err: unknown) => {
        log.warn({ err, stopId: held.stopId }, 'the emergency stop that the broker holds could not be compared');
      })
      .finally(() => {
        comparing = false;
      });
  };
  const timer = setInterval(look, COMPARE_MS);
  return {
    heard: look,
    objection: (emergencyStopId) => {
      const held = latch();
      if (held === 'unknown') return 'it is not known yet whether the broker holds an emergency stop';
      if (held === null) return null;
      if (adopted?.of !== held.stopId) return `the broker holds the emergency stop ${held.stopId}`;
      return adopted.stopId === emergencyStopId ? null : 'an emergency stop came or went';
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** The guard of one broker. */
export interface BrokerGuard {
  readonly guard: EmergencyGuard;
  /** A broker that is away is published nothing, and what it may hold keeps nothing back at the other one. */
  readonly isPublishedTo: () => boolean;
}

/** Why a plan made under this stop (null: under none) may not be published at the brokers that are there; null when it may. */
export function objectionOfAny(guards: readonly BrokerGuard[], emergencyStopId: string | null): string | null {
  for (const { guard, isPublishedTo } of guards) {
    const objection = isPublishedTo() ? guard.objection(emergencyStopId) : null;
    if (objection !== null) return objection;
  }
  return null;
}
