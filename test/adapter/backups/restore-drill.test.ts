import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Client } from 'pg';
import type { DumpManifest } from '../../../backups/manifest-schema';
import { withClient } from '../../../backups/restore/admin-client';
import { contentOf } from '../../../backups/restore/content-of';
import { drillDatabaseName } from '../../../backups/restore/drill-database';
import { askQuarantinedApi } from '../../../backups/restore/quarantined-api';
import { beginReport, runDrill, type DrillPorts } from '../../../backups/restore/run-drill';
import { serverIdentity } from '../../../backups/restore/target-server';
import { hashPassword } from '../../../config/password-hash';
import { prepareRestored } from '../../../db/prepare-restored';
import { makeBackup } from '../../support/own-backup';
import { createRestoreWorld, type RestoreWorld } from '../../support/restore-world';
import { eventually } from '../../support/servers';

const BUILT = join(__dirname, '../../../dist/api/main.js');

let world: RestoreWorld;
let backup: DumpManifest;
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  world = await createRestoreWorld();
  backup = await makeBackup(world.source, world);
}, 60_000);
afterAll(() => world.close());

async function ports(given: Partial<DrillPorts> = {}): Promise<DrillPorts> {
  const scratchParent = join(world.folder, 'scratch');
  const identity = await withClient(world.source, 'test', serverIdentity);
  return {
    ...{ storage: world.storage, keyRing: world.keyRing, programs: world.programs },
    live: { ...identity, database: world.database.name, deployment: 'production' },
    server: null,
    scratchParent,
    applicationRole: 'derms_app',
    contentOf,
    prepare: async (access, { backupId, takenAt }) => {
      const role = { applicationRole: 'derms_app', applicationPassword: null };
      const from = { backupId, takenAt, by: 'drill', ...role, deletions: [] };
      await withClient(access, 'test', (client) => prepareRestored(client, from));
    },
    askApplication: (database, signal) =>
      askQuarantinedApi({ script: BUILT, database, signal, hashPassword, parent: scratchParent }),
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    ...given,
  };
}

const drill = async (given: Partial<DrillPorts> = {}, of: DumpManifest = backup) => {
  const left: string[] = [];
  const steps: string[] = [];
  const runId = randomUUID();
  const report = beginReport(of, new Date());
  const outcome = await runDrill(
    await ports(given),
    {
      ...{ backup: of, runId, signal: AbortSignal.timeout(60_000) },
      onStep: (name) => steps.push(name),
      onProgress: () => undefined,
      onLeftBehind: (what) => left.push(what),
    },
    report,
  ).catch((error: unknown) => error);
  return { report, outcome, left, steps, runId };
};

const drillDatabases = (): Promise<string[]> =>
  withClient(world.source, 'test', async (client: Client) => {
    const { rows } = await client.query<{ datname: string }>(
      "select datname from pg_database where datname like 'derms\\_drill\\_%'",
    );
    return rows.map(({ datname }) => datname);
  });

describe('a restore drill', () => {
  it('pitfall: restores into a cluster of its own, finds everything equal, runs the application on it quarantined, and leaves nothing', async () => {
    const { report, outcome, left } = await drill();
    expect(outcome).toBeUndefined();
    expect(report).toMatchObject({
      backupId: backup.backupId,
      target: 'scratch',
      compared: { tables: backup.tables.length },
      loggedInAs: 'the role itself',
      application: { feeders: 1, devices: 3, dispatches: 0, cutShort: false },
      differences: [],
      controls: [
        { control: 'cut copy', refusedAs: 'checksum' },
        { control: 'flipped bit', refusedAs: 'frame-altered' },
        { control: 'wrong key', refusedAs: 'wrong-key' },
        { control: 'altered manifest', refusedAs: 'signature invalid' },
      ],
    });
    expect(report.application?.health).toContain('restored from backup');
    expect(report.steps.map(({ name }) => name)).toEqual([
      ...['target', 'restore', 'compare', 'roles', 'application', 'negative controls'],
    ]);
    expect(report.rtoSeconds).toBeLessThan(60);
    expect([left, readdirSync(join(world.folder, 'scratch'))]).toEqual([[], []]);
  }, 90_000);

  it('restores a backup that was taken while rows came in to equal hashes', async () => {
    const writing = new AbortController();
    let written = 0;
    const write = async (): Promise<void> => {
      while (!writing.signal.aborted) {
        await world.database.db.query(
          `insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, online)
           select device_key, clock_timestamp() + make_interval(secs => s / 1000.0), now(), gen_random_uuid(), s, true
             from devices, generate_series(1, 200) s on conflict do nothing`,
        );
        written += 1;
      }
    };
    const writer = write();
    await eventually(() => expect(written).toBeGreaterThan(3));
    const before = written;
    const busy = await makeBackup(world.source, world);
    expect(written).toBeGreaterThan(before);
    writing.abort();
    await writer;
    const { report, outcome } = await drill({}, busy);
    expect(outcome).toBeUndefined();
    expect(report.compared?.rows).toBe(busy.tables.reduce((sum, { rows }) => sum + rows, 0));
  }, 90_000);

  it('is red when a row is not what was backed up', async () => {
    const tables = backup.tables.map((table) =>
      table.name === 'public.devices' ? { ...table, contentHash: '42' } : table,
    );
    const { outcome } = await drill({}, { ...backup, tables });
    expect(outcome).toMatchObject({
      code: 'RESTORE_DIFFERS',
      message: 'public.devices: other content in as many rows',
    });
  }, 60_000);

  it('is red when what is stored is not what the manifest says', async () => {
    const { outcome } = await drill({}, { ...backup, object: { ...backup.object, sha256: 'f'.repeat(64) } });
    expect(outcome).toMatchObject({ code: 'BACKUP_ALTERED' });
  }, 60_000);

  it('restores to a server that it was given, beside what is there, takes its own away, and only reads the store', async () => {
    const server = { ...world.source, database: 'postgres' };
    const refuse = () => Promise.reject(new Error('this key may only read'));
    const { report, outcome, left } = await drill({
      server,
      storage: { ...world.storage, put: refuse, remove: refuse, sweepParts: refuse },
      live: { systemIdentifier: 'another', database: 'derms', deployment: 'production' },
    });
    expect(outcome).toBeUndefined();
    expect(report).toMatchObject({ loggedInAs: 'a member of the role', application: { devices: 3 }, rolesMade: [] });
    expect([left, await drillDatabases()]).toEqual([[], []]);
  }, 90_000);

  it('refuses the server of the production system it belongs to, and one that is marked as production', async () => {
    const server = { ...world.source, database: 'postgres' };
    expect((await drill({ server })).outcome).toMatchObject({ code: 'RESTORE_TARGET_REFUSED' });
    const marked = (sql: string) => withClient(server, 'test', (client) => client.query(sql));
    await marked(`alter database ${world.database.name} set derms.deployment = 'production'`);
    try {
      const live = { systemIdentifier: 'another', database: 'derms', deployment: 'staging' } as const;
      expect((await drill({ server, live })).outcome).toMatchObject({
        code: 'RESTORE_TARGET_REFUSED',
        message: expect.stringContaining(world.database.name),
      });
    } finally {
      await marked(`alter database ${world.database.name} reset derms.deployment`);
    }
  }, 60_000);

  it('neither takes nor drops a database of its name that it did not make', async () => {
    const server = { ...world.source, database: 'postgres' };
    const runId = randomUUID();
    const name = drillDatabaseName(runId);
    await withClient(server, 'test', (client) => client.query(`create database ${name}`));
    await withClient(server, 'test', (client) => client.query(`comment on database ${name} is 'of somebody'`));
    try {
      const report = beginReport(backup, new Date());
      const live = { systemIdentifier: 'another', database: 'derms', deployment: 'staging' } as const;
      const order = { backup, runId, signal: AbortSignal.timeout(30_000) };
      const quiet = { onStep: () => undefined, onProgress: () => undefined, onLeftBehind: () => undefined };
      await expect(runDrill(await ports({ server, live }), { ...order, ...quiet }, report)).rejects.toMatchObject({
        code: 'RESTORE_TARGET_REFUSED',
      });
      expect(await drillDatabases()).toContain(name);
    } finally {
      await withClient(server, 'test', (client) => client.query(`drop database ${name}`));
    }
  }, 60_000);
});
