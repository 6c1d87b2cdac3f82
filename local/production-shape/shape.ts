import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeDataFolder } from '../../servers/postgres-data';
import type { Environment } from '../environments';
import { startApiFront } from './api-front';
import { startBrokers } from './brokers';
import { readCompose } from './compose-file';
import { startDatabase, type DatabaseParts } from './database';
import { Ground } from './ground';
import { drawSecrets, handOutKeys } from './keys';
import { startMonitoring, type Monitoring } from './monitoring';
import { Parts } from './parts';
import { AGENTS, Programs, REPLICATED } from './programs';
import { startStorage } from './storage';
import { startTemporalServer } from './temporal';

/** The system as production runs it, from the files that production runs from, on loopback. */
export interface ProductionShape {
  readonly ground: Ground;
  readonly parts: Parts;
  readonly programs: Programs;
  readonly database: DatabaseParts;
  readonly monitoring: Monitoring;
  /** Of HAProxy, with TLS; `localhost`. */
  readonly apiUrl: string;
  /** What `.env` says. */
  readonly secrets: Environment;
  /** Ends everything and deletes its data, but for `keepFolder`. */
  stop(options?: { readonly keepFolder?: boolean }): Promise<void>;
}

export interface ShapeOptions {
  readonly say?: (line: string) => void;
  /** Gives up starting. */
  readonly signal?: AbortSignal;
  /** Set for all programs of ours, over what compose says. */
  readonly env?: Environment;
}

/** Starts everything in the order of compose but the simulated fleet: see `startFleet`. */
export async function startProductionShape({
  say = () => undefined,
  signal,
  env = {},
}: ShapeOptions = {}): Promise<ProductionShape> {
  const folder = mkdtempSync(join(tmpdir(), 'derms-shape-'));
  const parts = new Parts();
  const stop: ProductionShape['stop'] = async ({ keepFolder = false } = {}) => {
    await parts.stop();
    if (keepFolder) return;
    for (const name of ['postgres', 'postgres-b', 'temporal-postgres']) removeDataFolder(join(folder, 'volumes', name));
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const result = await work();
    say(`${what} (${((performance.now() - startedAt) / 1_000).toFixed(1)} s)`);
    return result;
  };
  try {
    const secrets = await step('secrets and certificates are drawn', () => drawSecrets(folder));
    const ground = new Ground(folder, readCompose(), secrets);
    await step('each service has its keys', () => handOutKeys(ground));
    const [database] = await Promise.all([
      step('PostgreSQL, its standby and the way to it', () => startDatabase(ground, parts)),
      step('Temporal on its own PostgreSQL', () => startTemporalServer(ground, parts)),
      step('two brokers', () => startBrokers(ground, parts)),
      step('S3', () => startStorage(ground, parts)),
    ]);
    const programs = new Programs(ground, parts, database.front, env);
    await step('schema', () => programs.run('migrate'));
    const services = [...(Object.keys(REPLICATED) as (keyof typeof REPLICATED)[]), ...AGENTS];
    await step('our processes', () => Promise.all(services.map((service) => programs.start(service))));
    const apiUrl = await step('one address of the API', () => startApiFront(ground, parts, programs));
    ground.placeAt('api:8080', Number(new URL(apiUrl).port));
    const monitoring = await step('Prometheus and Alertmanager', () => startMonitoring(ground, parts, programs));
    return { ground, parts, programs, database, monitoring, apiUrl, secrets, stop };
  } catch (error) {
    say(`it did not start; what it left is in ${folder}`);
    await stop({ keepFolder: true });
    throw error;
  }
}

/** The profile `simulator` of compose: the registry of the demonstration, told to the API, and 120 devices. */
export async function startFleet({ programs, ...shape }: ProductionShape): Promise<void> {
  // Compose talks to its one API in plain, inside its network; here it is HAProxy, with TLS.
  await programs.run('registry', { DERMS_API_URL: shape.apiUrl, NODE_EXTRA_CA_CERTS: authorityOf(shape) });
  await programs.start('simulator');
}

/** The file of the authority that all certificates of the run come from. */
export const authorityOf = ({ ground }: Pick<ProductionShape, 'ground'>): string => ground.path('api', '/keys/ca.crt');
