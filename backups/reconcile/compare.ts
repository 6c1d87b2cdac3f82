import { countOpen, type DispatchTrace, type Finding, type RunTrace } from '../../domain/reconciliation';

/** What a restored database is compared with, and what is done about the differences. */
export interface ReconcilePorts {
  /** Rejects when Temporal cannot say. */
  readTemporal(): Promise<{
    readonly dispatches: readonly DispatchTrace[];
    readonly runs: readonly RunTrace[];
    readonly controlLoops: readonly string[];
  }>;
  endControlLoop(workflowId: string): Promise<void>;
  reconcileDispatches(traces: readonly DispatchTrace[]): Promise<Finding[]>;
  endPastDispatches(): Promise<Finding[]>;
  reconcileRuns(traces: readonly RunTrace[]): Promise<Finding[]>;
  /** Compares with the storage of backups; null: none is set here, and a job does it later. Rejects when it cannot say. */
  readonly reconcileBackups: (() => Promise<Finding[]>) | null;
  knownDevices(): Promise<ReadonlySet<string>>;
  /** Rejects when the broker cannot say. */
  withRetainedSetpoints<T>(
    work: (
      found: readonly { readonly topic: string; readonly device: string; readonly sentAtMs: number | null }[],
      clear: (topic: string) => Promise<void>,
    ) => Promise<T>,
  ): Promise<T>;
}

export interface ReconcileReport {
  readonly applied: boolean;
  /** Moment that the restored data shows. */
  readonly dataAsOf: string;
  readonly findings: readonly Finding[];
  readonly open: number;
}

/**
 * Compares a restored database with Temporal, the broker and the storage of backups; with `apply` it settles what can be settled. One that is
 * away is an open finding, and the other is compared nevertheless. May be repeated.
 */
export async function compare(
  ports: ReconcilePorts,
  { dataAsOf, apply }: { readonly dataAsOf: string; readonly apply: boolean },
): Promise<ReconcileReport> {
  const findings = [
    ...(await orNotCompared('Temporal', () => withTemporal(ports, apply))),
    // After Temporal's word on how they have ended: the clock knows less.
    ...(await ports.endPastDispatches()),
    ...(await orNotCompared('the broker', () => withBroker(ports, Date.parse(dataAsOf), apply))),
    ...(await withStorage(ports)),
  ];
  return { applied: apply, dataAsOf, findings, open: countOpen(findings) };
}

async function orNotCompared(subject: string, work: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return [{ kind: 'not-compared', subject, detail, outcome: 'open' }];
  }
}

async function withTemporal(ports: ReconcilePorts, apply: boolean): Promise<Finding[]> {
  const { dispatches, runs, controlLoops } = await ports.readTemporal();
  if (apply) for (const workflowId of controlLoops) await ports.endControlLoop(workflowId);
  const detail = 'its numbers run ahead of the restored ones: the supervisor starts a new chain';
  return [
    ...(await ports.reconcileDispatches(dispatches)),
    ...(await ports.reconcileRuns(runs)),
    ...controlLoops.map((subject): Finding => ({
      kind: 'control-loop',
      subject,
      detail,
      outcome: apply ? 'done' : 'would',
    })),
  ];
}

async function withBroker(ports: ReconcilePorts, dataAsOfMs: number, apply: boolean): Promise<Finding[]> {
  const known = await ports.knownDevices();
  return ports.withRetainedSetpoints(async (found, clear) => {
    const findings: Finding[] = [];
    for (const { topic, device } of found.filter((setpoint) => !known.has(setpoint.device))) {
      if (apply) await clear(topic);
      const detail = `retained for ${device}, which the database does not know`;
      const outcome = apply ? 'done' : 'would';
      findings.push({ kind: 'setpoint-of-unknown-device', subject: topic, detail, outcome });
    }
    const newer = found.filter(({ device, sentAtMs }) => known.has(device) && (sentAtMs ?? 0) > dataAsOfMs).length;
    if (newer > 0) {
      const detail = `${String(newer)} devices hold setpoints newer than the restored data: all are sent again after the lift`;
      findings.push({ kind: 'setpoints-newer', subject: 'setpoints', detail, outcome: 'noted' });
    }
    return findings;
  });
}

const withStorage = async ({ reconcileBackups }: ReconcilePorts): Promise<Finding[]> =>
  reconcileBackups === null
    ? [{ kind: 'not-compared', subject: 'storage', detail: NO_STORAGE, outcome: 'noted' }]
    : orNotCompared('storage', reconcileBackups);

const NO_STORAGE =
  'BACKUP_STORAGE and BACKUP_ENCRYPTION_KEYS are not set here: job backup-verify compares with it each day';
