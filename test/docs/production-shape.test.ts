import { execFileSync } from 'node:child_process';
import { readCompose } from '../../local/production-shape/compose-file';
import { Ground } from '../../local/production-shape/ground';
import { composeSecrets } from '../../local/compose-secrets';
import { kubernetesObjects, podTemplate, ROOT } from '../support/deployed';

// How what docker-compose.yml says is carried over to this machine, without starting anything.

let ground: Ground;
beforeAll(async () => {
  const { environment } = await composeSecrets(new Date());
  ground = new Ground('/run/of/it', readCompose(), environment);
  ground.placeAt('postgres:5432', 21_001);
  ground.placeAt('temporal:7233', 21_002);
  ground.placeAt('temporal:8000', 21_003);
  ground.placeAt('temporal-postgres:5432', 21_004);
  ground.placeAt('mosquitto-active:8884', 21_005);
  ground.placeAt('mosquitto-standby:8884', 21_006);
  ground.placeAt('storage:7070', 21_007);
});

it('gives a worker the environment of compose and of its image, with hosts, ports and paths of this machine', () => {
  const env = ground.environment('jobs');
  expect(env).toMatchObject({
    NODE_ENV: 'production',
    METRICS_HOST: '127.0.0.1',
    WORKER_ROLES: 'jobs',
    DB_HOST: '127.0.0.1',
    DB_PORT: '21001',
    DB_SSLMODE: 'verify-full',
    DB_SSL_CA_PATH: '/run/of/it/out/derms/ca.crt',
    TEMPORAL_ADDRESS: '127.0.0.1:21002',
    MQTT_HOST: '127.0.0.1',
    MQTT_PORT: '21005',
    MQTT_STANDBY_HOST: '127.0.0.1',
    MQTT_STANDBY_PORT: '21006',
    BACKUP_STORAGE: 's3://derms-backups/compose',
    BACKUP_S3_ENDPOINT: 'http://127.0.0.1:21007',
    RESTORE_SCRATCH_DIR: '/run/of/it/volumes/scratch',
  });
  expect(env['DB_PASSWORD']).toMatch(/^[\w-]{32}$/);
});

it('gives the Temporal server its database, its keys and the port of its metrics', () => {
  expect(ground.environment('temporal')).toMatchObject({
    POSTGRES_SEEDS: '127.0.0.1',
    DB_PORT: '21004',
    BIND_ON_IP: '127.0.0.1',
    PROMETHEUS_ENDPOINT: '127.0.0.1:21003',
    TEMPORAL_TLS_SERVER_KEY: '/run/of/it/out/temporal/tls.key',
    DYNAMIC_CONFIG_FILE_PATH: `${ROOT}/deploy/temporal/dynamic-config.yaml`,
  });
});

it('refuses what nobody has placed', () => {
  const empty = new Ground('/run/of/it', readCompose(), {});
  expect(() => empty.environment('control')).toThrow('.env does not say DB_PASSWORD');
  expect(() => empty.port('temporal:7233')).toThrow('nothing is placed at temporal:7233');
});

it('builds the Temporal server that compose and Kubernetes name', () => {
  const script = `import('${ROOT}/local/setup/temporal-server.mjs').then((it) => console.log(it.TEMPORAL_SERVER_VERSION))`;
  const built = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim();
  expect(readCompose().services['temporal']?.image).toBe(`temporalio/server:${built}`);
  const inKubernetes = kubernetesObjects('staging')
    .flatMap((object) => podTemplate(object)?.spec.containers ?? [])
    .map(({ image }) => image)
    .filter((image) => image.startsWith('temporalio/server:'));
  expect(inKubernetes).toEqual([`temporalio/server:${built}`]);
});
