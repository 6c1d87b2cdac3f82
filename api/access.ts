import type { Role } from '../config/auth-users';

/** Who may call a route: people by role, machines by scope. */
export interface Access {
  /** The least role; `anyone` needs no token. */
  readonly role: Role | 'anyone';
  /** What a machine token must cover, `{…}` being a parameter of the path; null: never a machine. */
  readonly scope: string | null;
}

const open = { role: 'anyone', scope: null } as const satisfies Access;
const by = (role: Role, scope: string | null = null): Access => ({ role, scope });

/**
 * The one table of who may do what, by operation. A route that does not stand here does not compile, and has no other way
 * to say who may call it.
 *
 * Machines read, run jobs, publish envelopes and ask for dispatches. What changes who controls (modes, registry, tokens,
 * the quarantine) is for people, and so is reading the audit with the scope that reads everything else.
 */
export const ACCESS = {
  listFeeders: by('viewer', 'read:feeders'),
  readFeeder: by('viewer', 'read:feeders'),
  listMeterReadings: by('viewer', 'read:feeders'),
  listCycles: by('viewer', 'read:feeders'),
  putFeeder: by('admin'),
  patchFeeder: by('admin'),

  listEnvelopes: by('viewer', 'read:envelopes'),
  setEnvelopes: by('operator', 'envelopes:set:{source}'),

  readCycle: by('viewer', 'read:plans'),
  explainDevice: by('viewer', 'read:plans'),
  planWhatIf: by('viewer', 'read:plans'),

  readControlLoop: by('viewer', 'read:feeders'),
  wakeControlLoop: by('operator'),
  setControlMode: by('operator'),
  approvePlan: by('operator'),
  setControlInterval: by('admin'),
  stopControlLoop: by('admin'),
  startControlLoop: by('admin'),

  listDispatches: by('viewer', 'read:dispatches'),
  readDispatch: by('viewer', 'read:dispatches'),
  requestDispatch: by('operator', 'dispatches:request'),
  cancelDispatch: by('operator', 'dispatches:cancel'),

  listDevices: by('viewer', 'read:devices'),
  readDevice: by('viewer', 'read:devices'),
  listTelemetry: by('viewer', 'read:devices'),
  listSetpoints: by('viewer', 'read:devices'),
  listRefusedMessages: by('viewer', 'read:devices'),
  listRefusedSenders: by('viewer', 'read:devices'),
  patchDevice: by('admin'),
  applyRegistry: by('admin'),

  listJobs: by('viewer', 'read:jobs'),
  readJob: by('viewer', 'read:jobs'),
  startJobRun: by('operator', 'jobs:run:{jobName}'),
  runAgain: by('operator'),
  listRuns: by('viewer', 'read:runs'),
  readRun: by('viewer', 'read:runs'),
  followRun: by('viewer', 'read:runs'),
  cancelRun: by('operator'),
  terminateRun: by('admin'),

  listSchedules: by('viewer', 'read:schedules'),
  readSchedule: by('viewer', 'read:schedules'),
  pauseSchedule: by('operator'),
  resumeSchedule: by('operator'),
  triggerSchedule: by('operator'),

  listBackups: by('viewer', 'read:backups'),
  readBackup: by('viewer', 'read:backups'),
  readQuarantine: by('viewer', 'read:quarantine'),
  liftQuarantine: by('admin'),
  readEmergencyStop: by('viewer', 'read:emergency-stop'),
  engageEmergencyStop: by('admin'),
  liftEmergencyStop: by('admin'),

  listAudit: by('admin', 'audit:read'),
  exportAudit: by('admin', 'audit:read'),

  login: open,
  listMachineTokens: by('admin'),
  issueMachineToken: by('admin'),
  revokeMachineToken: by('admin'),
  listTokenRevocations: by('admin'),
  revokeTokens: by('admin'),

  health: open,
  ready: open,
} as const satisfies Readonly<Record<string, Access>>;

export type OperationId = keyof typeof ACCESS;
