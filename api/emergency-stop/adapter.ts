import { v4 as uuidv4 } from 'uuid';
import type { HeldEmergencyStop } from '../../contracts/emergency-stop';
import { engageEmergencyStop, liftEmergencyStop, listEmergencyStops } from '../../db/emergency-stops';
import { createDispatchProgress } from '../../db/dispatch-progress';
import { readDevicesToStop } from '../../db/devices-to-stop';
import type { Database } from '../../db/pool';
import { DermsError } from '../../domain/errors';
import type { Logger } from '../../observability/logger';
import { withinTime } from '../within-time';
import type { EmergencyStopPort, EngageOrder, FleetStop, StopEngaged } from './ports';

export interface EmergencyStopParts {
  readonly db: Database;
  readonly broker: {
    /** Gives the broker the stop to hold, and each device its safe setpoint. */
    stopFleet(stop: HeldEmergencyStop): FleetStop;
    /** Takes the broker's copy away. */
    clearStop(): Promise<void>;
  };
  readonly log: Logger;
}

/** Shown of the past. */
const SHOWN_STOPS = 20;
/** A database that hangs must not hold up what the broker can do, ms. */
const DATABASE_WITHIN_MS = 3_000;

/** Stops through Postgres and through the broker at the same time: the one does not wait for the other. */
export const createEmergencyStopPort = (parts: EmergencyStopParts): EmergencyStopPort => ({
  list: () => listEmergencyStops(parts.db, SHOWN_STOPS),
  engage: (order) => engage(parts, order),
  lift: async (order) => {
    const stop = await liftEmergencyStop(parts.db, order);
    await parts.broker.clearStop().catch((err: unknown) => {
      parts.log.warn(
        { err, stopId: stop.stopId },
        'the broker still holds the lifted stop; the control workers clear it',
      );
    });
    return { stop, rootFeederIds: await enabledRoots(parts.db) };
  },
});

async function engage({ db, broker, log }: EmergencyStopParts, order: EngageOrder): Promise<StopEngaged> {
  const stopId = uuidv4();
  const { safeState, reason, actor } = order;
  const fleet = broker.stopFleet({ stopId, safeState, reason, engagedBy: actor.user, engagedAtMs: Date.now() });
  tellTheRest(fleet, stopId, log);
  const [written, told] = await Promise.all([
    withinTime(write(db, { ...order, stopId }, fleet), DATABASE_WITHIN_MS).then(
      (found) => ({ ...found, failure: null }),
      (error: unknown) => ({ stopId, rootFeederIds: [], failure: textOf(error) }),
    ),
    fleet.first.then(
      (report) => ({ ...report, failure: null }),
      (error: unknown) => ({ told: 0, untold: [], missed: [], failure: textOf(error) }),
    ),
  ]);
  log.warn({ stopId: written.stopId, safeState, reason, user: actor.user, told: told.told }, 'emergency stop');
  if (written.failure !== null && told.failure !== null) {
    throw new DermsError(
      'DATABASE_UNAVAILABLE',
      `Nothing was stopped: Postgres (${written.failure}) and the broker (${told.failure}) do not take it.`,
    );
  }
  return {
    stopId: written.stopId,
    databaseFailure: written.failure,
    brokerFailure: told.failure,
    devicesTold: told.told,
    devicesNotTold: told.untold,
    rootFeederIds: written.rootFeederIds,
  };
}

async function write(
  db: Database,
  order: EngageOrder & { readonly stopId: string },
  fleet: FleetStop,
): Promise<{ readonly stopId: string; readonly rootFeederIds: readonly string[] }> {
  const { stopId } = await engageEmergencyStop(db, order);
  fleet.tell(await readDevicesToStop(db, order.safeState));
  return { stopId, rootFeederIds: await enabledRoots(db) };
}

/** Devices that are heard of after the answer: on record in the log. */
function tellTheRest(fleet: FleetStop, stopId: string, log: Logger): void {
  fleet.done.then(
    ({ told, untold, missed }) => {
      log.info({ stopId, told, untold }, 'emergency stop: the devices were told');
      if (missed.length > 0) log.warn({ stopId, missed }, 'emergency stop: a broker was not there to hold it');
    },
    (err: unknown) => {
      log.error({ err, stopId }, 'emergency stop: the broker did not take all of it');
    },
  );
}

const enabledRoots = async (db: Database): Promise<readonly string[]> =>
  (await createDispatchProgress(db).wanted()).roots.map(({ rootFeederId }) => rootFeederId);

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
