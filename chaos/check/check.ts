import type { ChaosRecords } from '../records';
import { checkDispatches, checkRuns } from './dispatches';
import type { Finding } from './finding';
import { checkLimits } from './limits';
import { checkLoops, checkProcesses } from './processes';
import { checkSetpoints } from './setpoints';
import { checkTelemetry } from './telemetry';

/** Judges a run by what was recorded of it; knows nothing of our programs. */
export const checkRecords = (records: ChaosRecords): Finding[] => [
  ...checkTelemetry(records.telemetry, records.faults),
  ...checkSetpoints(records.setpoints),
  ...checkLimits(records),
  ...checkDispatches(records.dispatches, records.calmAtMs),
  ...checkRuns(records.runs, records.runsAccepted),
  ...checkLoops(records.loops, records.endedAtMs),
  ...checkProcesses(records.processes),
];
