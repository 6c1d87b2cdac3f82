import type { KeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import type { DumpManifest, ManifestTable } from '../manifest-schema';
import type { BackupPrograms } from '../postgres/programs';
import type { PostgresAccess } from '../postgres/server';
import { withClient } from './admin-client';
import { logInAsApplication } from './application-login';
import { compareContent, settingDifferences } from './compare';
import type { DrillReport } from './drill-report';
import { openDrillTarget, type DrillTarget } from './drill-target';
import { RestoreFailure } from './failure';
import { runNegativeControls } from './negative-controls';
import type { QuarantinedAnswers } from './quarantined-api';
import { restoreDump } from './restore-dump';
import { ensureRoles, missingRoles } from './roles';
import type { LiveSystem } from './target-server';

/** What a drill stands on. */
export interface DrillPorts {
  readonly storage: ObjectStorage;
  readonly keyRing: KeyRing;
  readonly programs: BackupPrograms;
  readonly live: LiveSystem;
  /** Where to restore; null: a cluster of its own, made below `scratchParent`. */
  readonly server: PostgresAccess | null;
  readonly scratchParent: string;
  /** The role that the application logs in as. */
  readonly applicationRole: string;
  /** Tables with their rows and content hashes, as a manifest has them. */
  readonly contentOf: (access: PostgresAccess, signal: AbortSignal) => Promise<readonly ManifestTable[]>;
  /** Brings the schema up to this program's, and puts the database under quarantine. */
  readonly prepare: (access: PostgresAccess, backup: DumpManifest) => Promise<void>;
  /** Boots the application on it and asks it. */
  readonly askApplication: (access: PostgresAccess, signal: AbortSignal) => Promise<QuarantinedAnswers>;
  readonly now: () => Date;
  /** Monotonic, ms. */
  readonly monotonicMs: () => number;
}

export interface DrillOrder {
  readonly backup: DumpManifest;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly onStep: (name: string) => void;
  readonly onProgress: (bytes: number, ofBytes: number) => void;
  /** What the drill could not take away after itself. */
  readonly onLeftBehind: (what: string) => void;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Restores a backup into a database of the drill's own and shows that the application runs on it; whatever comes of it,
 * the drill takes away what it made. `report` is filled as it goes, so that one that fails has it too.
 *
 * @throws {RestoreFailure} with what was found; anything else is a failure of the drill itself.
 */
export async function runDrill(ports: DrillPorts, order: DrillOrder, report: Mutable<DrillReport>): Promise<void> {
  const { backup, runId, signal } = order;
  const beganMs = ports.monotonicMs();
  const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    order.onStep(name);
    const startedMs = ports.monotonicMs();
    try {
      return await work();
    } finally {
      report.steps = [...report.steps, { name, seconds: (ports.monotonicMs() - startedMs) / 1000 }];
    }
  };
  const target = await step('target', () => openDrillTarget({ ...ports, runId, signal }));
  report.target = target.description;
  try {
    await step('restore', () => restore(ports, order, target, report));
    report.compared = await step('compare', async () =>
      compareContent(backup.tables, await ports.contentOf(target.access, signal)),
    );
    await step('roles', () => checkRoles(target, backup, report));
    await step('application', () => bootApplication(ports, order, target, report));
    report.rtoSeconds = (ports.monotonicMs() - beganMs) / 1000;
    report.controls = await step('negative controls', () => runNegativeControls({ ...ports, backup, runId, signal }));
  } finally {
    for (const left of await target.clear()) order.onLeftBehind(left);
  }
}

/** A report before anything was done. */
export const beginReport = (backup: DumpManifest, now: Date): Mutable<DrillReport> => ({
  backupId: backup.backupId,
  objectKey: backup.object.key,
  takenAt: backup.takenAt,
  databaseBytes: backup.database.bytes,
  storedBytes: backup.object.bytes,
  target: 'none yet',
  steps: [],
  compared: null,
  rolesMade: null,
  differences: null,
  loggedInAs: null,
  application: null,
  controls: null,
  rtoSeconds: null,
  rpoSeconds: (now.getTime() - Date.parse(backup.takenAt)) / 1000,
});

async function restore(
  ports: DrillPorts,
  { backup, runId, signal, onProgress }: DrillOrder,
  { access, roleMark }: DrillTarget,
  report: Mutable<DrillReport>,
): Promise<void> {
  const mark = { comment: `${roleMark}${runId}` };
  report.rolesMade = await withClient(access, 'derms-restore-drill', (client) =>
    ensureRoles(client, backup.roles, mark),
  );
  await restoreDump({
    ...ports,
    backup,
    runId,
    signal,
    target: access,
    onProgress: (bytes) => {
      onProgress(bytes, backup.object.bytes);
    },
  });
}

async function checkRoles({ access }: DrillTarget, backup: DumpManifest, report: Mutable<DrillReport>): Promise<void> {
  await withClient(access, 'derms-restore-drill', async (client) => {
    const missing = await missingRoles(client, backup.roles);
    if (missing.length > 0) throw new RestoreFailure('RESTORE_DIFFERS', `roles are missing: ${missing.join(', ')}`);
    report.differences = await settingDifferences(client, backup);
  });
}

async function bootApplication(
  ports: DrillPorts,
  { backup, runId, signal }: DrillOrder,
  target: DrillTarget,
  report: Mutable<DrillReport>,
): Promise<void> {
  const { applicationRole: role } = ports;
  await ports.prepare(target.access, backup);
  const login = await logInAsApplication(target, { role, made: report.rolesMade ?? [], runId });
  report.loggedInAs = login.as;
  const answers = await ports.askApplication(login.access, signal);
  report.application = answers;
  for (const what of ['feeders', 'devices', 'dispatches'] as const) {
    const rows = backup.tables.find(({ name }) => name === `public.${what}`)?.rows ?? 0;
    const shown = answers[what];
    if (shown !== rows && !(answers.cutShort && shown < rows))
      throw new RestoreFailure(
        'RESTORED_APP_FAILED',
        `the API shows ${String(shown)} ${what}, the backup holds ${String(rows)}`,
      );
  }
}
