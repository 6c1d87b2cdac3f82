import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsSchema } from '../../../config/schema';
import { connectionFaults, type ConnectionUser } from '../../../domain/connection-budget';
import { kubernetesObjects, podTemplate } from '../../support/deployed';

const INI = readFileSync(join(__dirname, '../../../deploy/pgbouncer/pgbouncer.ini'), 'utf8');
const shipped = (name: string): number => Number(new RegExp(`^${name} = (\\d+)$`, 'm').exec(INI)?.[1]);
const poolSize = settingsSchema.shape.DB_POOL_SIZE.parse(undefined);

/** What we recommend at most in docs/postgres-failover.md; `besides`: the API's probes, a job's canary. */
const REPLICAS: readonly ConnectionUser[] = [
  { name: 'api', replicas: 8, poolSize, besides: 3 },
  { name: 'control', replicas: 8, poolSize, besides: 0 },
  { name: 'jobs', replicas: 4, poolSize, besides: 2 },
  { name: 'ingest', replicas: 8, poolSize, besides: 0 },
];
const limits = {
  clients: shipped('max_client_conn'),
  servers: shipped('max_db_connections'),
  postgres: 97, // PostgreSQL's default of 100, less 3 for superusers
  direct: 16,
};

describe('the connections of all processes', () => {
  it('fit the pooler that is shipped, and the pooler fits the server', () => {
    expect(connectionFaults(REPLICAS, limits)).toEqual([]);
  });

  it('are no more where production is deployed by our manifests, with its replicas, a rollout and its pools', () => {
    const all = kubernetesObjects('prod');
    const scaled = new Map(
      all
        .filter(({ kind }) => kind === 'ScaledObject')
        .map(({ spec }) => [spec.scaleTargetRef.name as string, spec.maxReplicaCount as number]),
    );
    const users = REPLICAS.map(({ name, besides }) => {
      const deployed = all.find(({ kind, metadata }) => kind !== 'Service' && metadata.name === `derms-${name}`)!;
      const env = podTemplate(deployed)!.spec.containers[0]!.env ?? [];
      const surge = Number(deployed.spec.strategy?.rollingUpdate?.maxSurge ?? 0);
      return {
        ...{ name, besides },
        replicas: (scaled.get(`derms-${name}`) ?? (deployed.spec.replicas as number)) + surge,
        poolSize: Number(env.find((each) => each.name === 'DB_POOL_SIZE')?.value ?? poolSize),
      };
    });
    expect(users.map(({ name, replicas }) => [name, replicas])).toEqual([
      ['api', 3],
      ['control', 3],
      ['jobs', 3],
      ['ingest', 2],
    ]);
    expect(connectionFaults(users, limits)).toEqual([]);
    for (const [index, { replicas }] of users.entries())
      expect(replicas).toBeLessThanOrEqual(REPLICAS[index]!.replicas);
  });

  it('are refused where there are more replicas than the pooler takes, or it opens more than the server takes', () => {
    expect(connectionFaults([{ name: 'api', replicas: 60, poolSize: 10, besides: 3 }], limits)).toEqual([
      'all processes together may open 780 connections, the pooler takes 600',
    ]);
    expect(connectionFaults(REPLICAS, { ...limits, postgres: 50 })).toEqual([
      'the pooler and direct sessions may open 96 connections, PostgreSQL takes 50',
    ]);
  });
});
