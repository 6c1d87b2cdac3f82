import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BROKER_SETTINGS } from '../../config/connections';
import { loadSettings, loadSomeSettings } from '../../config/load';
import { SECRET_SETTINGS, settings } from '../../config/schema';
import { COMPOSE_CERTIFICATES } from '../../local/compose-certificates';
import { composeSecrets, dotEnv } from '../../local/compose-secrets';
import { AGENT_SETTINGS } from '../../worker/agent-settings';
import { portOfRole } from '../../worker/role-ports';
import { allProcesses, compose, ROOT, text, type DeployedProcess } from '../support/deployed';

// docker-compose.yml and deploy/k8s against the code: what they name is there, and what the code wants is given.

const { version } = JSON.parse(text('package.json')) as { version: string };
const folder = mkdtempSync(join(tmpdir(), 'derms-deployed-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Read by Node itself. */
const OF_NODE = ['NODE_OPTIONS'];
const KNOWN = new Set([...Object.keys(settings), ...SECRET_SETTINGS.map((name) => `${name}_FILE`), ...OF_NODE]);
/** What stands in for values that only a site knows; each as the setting wants it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  INSTANCE_ID: 'derms-ingest-0',
  DB_HOST: 'pooler.grid.example',
  DB_PORT: '6432',
  DB_DIRECT_HOST: 'postgres.grid.example',
  DB_DIRECT_PORT: '5432',
  TEMPORAL_ADDRESS: 'temporal.grid.example:7233',
  TEMPORAL_NAMESPACE: 'derms',
  TEMPORAL_UI_URL: 'https://temporal.grid.example',
  TRUST_PROXY: '10.42.0.0/16',
  BACKUP_STORAGE: 's3://backups/derms',
  BACKUP_S3_REGION: 'eu-central-1',
};

let secrets: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  secrets = (await composeSecrets(new Date())).environment;
});

/** As the process gets it: with what the image sets, drawn secrets, and files where files are named. */
function environmentOf({ env, where }: DeployedProcess): Record<string, string> {
  const given: Record<string, string> = { NODE_ENV: 'production', API_HOST: '0.0.0.0', METRICS_HOST: '0.0.0.0' };
  for (const [name, value] of Object.entries(env)) {
    const secret = name.replace(/_FILE$/, '');
    if (name !== secret && (SECRET_SETTINGS as readonly string[]).includes(secret)) {
      given[name] = join(folder, secret);
      writeFileSync(given[name], `${secretOf(secret)}\n`);
    } else given[name] = value ?? ELSEWHERE[name] ?? secretOf(name, where);
  }
  return given;
}

function secretOf(name: string, where = ''): string {
  const value = name === 'DERMS_TOKEN' ? 'a machine token' : secrets[name];
  if (value === undefined) throw new Error(`${where}: nobody makes ${name}`);
  return value;
}

const roleOf = ({ command, env }: DeployedProcess): string => env['WORKER_ROLES'] ?? command[1] ?? '';
const started = (script: string): readonly DeployedProcess[] =>
  allProcesses.filter(({ command }) => command[1] === script);

it('there is every process, in compose, staging and production', () => {
  const roles = (prefix: string): string[] =>
    [...new Set(allProcesses.filter(({ where }) => where.startsWith(prefix)).map(roleOf))].sort();
  const everywhere = ['broker-agent', 'control', 'dist/api/main.js', 'dist/db/migrate-main.js', 'ingest', 'jobs'];
  const kubernetes = [...everywhere, 'deploy/nightly-backup.mjs'].sort();
  expect(roles('compose')).toEqual([...everywhere, 'dist/cli/main.js', 'dist/simulator/main.js'].sort());
  expect(roles('staging')).toEqual(kubernetes);
  expect(roles('prod')).toEqual(kubernetes);
});

describe.each(allProcesses.map((each) => [each.where, each] as const))('%s', (_where, deployed) => {
  it('sets only variables that the code knows', () => {
    expect(Object.keys(deployed.env).filter((name) => !KNOWN.has(name))).toEqual([]);
  });

  it('starts a program that an image holds', () => {
    const [program, script = '', ...args] = deployed.command;
    expect(program).toBe('node');
    const source = script.startsWith('dist/') ? script.replace(/^dist\/(.*)\.js$/, '$1.ts') : script;
    expect(existsSync(join(ROOT, source))).toBe(true);
    if (source === script) expect(text('deploy/assemble.mjs')).toContain(`'${script.replace('deploy/', '')}'`);
    const files = args.filter((arg) => arg.startsWith('deploy/'));
    expect(files.filter((file) => !file.startsWith('deploy/registry/') || !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('has the image of its role, of this version', () => {
    expect(deployed.image).toBe(`derms/${roleOf(deployed) === 'jobs' ? 'ops' : 'app'}:${version}`);
  });
});

describe.each(
  [...started('dist/worker/main.js'), ...started('dist/api/main.js')].map((each) => [each.where, each] as const),
)('%s', (_where, deployed) => {
  it('gets every setting that its role requires, and none that production refuses', () => {
    const environment = environmentOf(deployed);
    const agent = deployed.env['WORKER_ROLES'] === 'broker-agent';
    const loaded = agent ? loadSomeSettings(AGENT_SETTINGS, environment, '') : loadSettings(environment, '');
    expect(loaded.LOG_LEVEL).toBe('info');
    expect(environment['DEPLOYMENT'] ?? 'none').toMatch(agent ? /none/ : /staging|production/);
  });

  it('has a name of its own', () => {
    expect(deployed.env).toHaveProperty('INSTANCE_ID');
  });
});

it.each(started('dist/db/migrate-main.js').map((each) => [each.where, each] as const))(
  '%s has the accounts that the migrations make',
  (_where, deployed) => {
    const loaded = loadSettings(environmentOf(deployed), '');
    expect(loaded).toMatchObject({
      DB_USER: 'derms_app',
      DB_ADMIN_USER: 'derms_admin',
      BACKUP_DB_USER: 'derms_backup',
    });
    expect([loaded.DB_ADMIN_PASSWORD, loaded.BACKUP_DB_PASSWORD]).not.toContain(undefined);
  },
);

it.each(started('dist/simulator/main.js').map((each) => [each.where, each] as const))(
  '%s knows its broker',
  (_where, deployed) => {
    expect(loadSomeSettings(BROKER_SETTINGS, environmentOf(deployed), '').MQTT_TLS_ENABLED).toBe(true);
  },
);

it.each(started('deploy/nightly-backup.mjs').map((each) => [each.where, each] as const))(
  '%s knows the API, and has the token as a file',
  (_where, { env }) => {
    expect(env).toEqual({ DERMS_API_URL: 'http://derms-api:8080', DERMS_TOKEN_FILE: '/secrets/DERMS_TOKEN' });
  },
);

describe('only who needs a secret has it', () => {
  const holders = (secret: string): string[] =>
    [...new Set(allProcesses.filter(({ env }) => secret in env || `${secret}_FILE` in env).map(roleOf))].sort();

  it.each([
    ['JWT_SECRET', ['dist/api/main.js']],
    ['AUTH_USERS', ['dist/api/main.js']],
    ['DB_ADMIN_PASSWORD', ['dist/db/migrate-main.js']],
    ['BACKUP_DB_PASSWORD', ['dist/db/migrate-main.js', 'jobs']],
    ['BACKUP_ENCRYPTION_KEYS', ['broker-agent', 'jobs']],
    ['BACKUP_S3_SECRET_ACCESS_KEY', ['broker-agent', 'jobs']],
    ['DERMS_TOKEN', ['deploy/nightly-backup.mjs']],
    ['DERMS_PASSWORD', ['dist/cli/main.js']],
  ])('%s: %j', (secret, expected) => {
    expect(holders(secret)).toEqual(expected);
  });
});

describe('ports', () => {
  const PATHS = { api: ['/api/health', '/api/ready'], worker: ['/live', '/ready'] };

  it.each(allProcesses.filter(({ ports }) => Object.keys(ports).length > 0).map((each) => [each.where, each] as const))(
    'of %s are those that it listens on',
    (_where, { env, ports, probes }) => {
      const role = env['WORKER_ROLES'] as Parameters<typeof portOfRole>[1] | undefined;
      const worker = (name: string, otherwise: number): number => Number(env[name] ?? otherwise);
      const expected =
        role === undefined
          ? { http: worker('API_PORT', 8080) }
          : {
              metrics: worker('METRICS_PORT', 9464),
              'role-metrics': portOfRole(worker('METRICS_PORT', 9464), role),
              ...(role !== 'ingest' && { 'sdk-metrics': portOfRole(worker('TEMPORAL_METRICS_PORT', 9469), role) }),
            };
      expect(ports).toEqual(expected);
      for (const { path, port } of probes) {
        expect(Object.keys(ports)).toContain(port);
        expect(role === undefined ? PATHS.api : PATHS.worker).toContain(path);
      }
    },
  );

  it('of the Prometheus of compose are those of its services', () => {
    const targets = [...text('deploy/compose/targets/derms/compose.yml').matchAll(/([\w-]+):(94\d\d)/g)];
    expect(targets.length).toBe(14);
    for (const [target, service = '', port = ''] of targets) {
      const env = compose.services[service]?.environment ?? {};
      const role = env['WORKER_ROLES'] as Parameters<typeof portOfRole>[1];
      expect([target, [9464, portOfRole(9464, role), portOfRole(9469, role)]]).toEqual([
        target,
        expect.arrayContaining([Number(port)]),
      ]);
    }
  });

  it('are counted by the health check of a container as the worker counts them', () => {
    const order = /const ROLES = \[(.*)\]/.exec(text('deploy/health.mjs'))?.[1]?.replaceAll(/['\s]/g, '').split(',');
    expect(order?.map((role) => portOfRole(0 + 1, role as Parameters<typeof portOfRole>[1]))).toEqual([2, 3, 4, 5]);
  });

  it('never meet, where one worker has all roles', () => {
    const all = (['control', 'jobs', 'ingest', 'broker-agent'] as const).flatMap((role) => [
      portOfRole(settings.METRICS_PORT.parse(undefined), role),
      portOfRole(settings.TEMPORAL_METRICS_PORT.parse(undefined), role),
    ]);
    expect(new Set([9464, ...all]).size).toBe(9);
  });
});

describe('docker-compose.yml', () => {
  const services = Object.entries(compose.services);
  const isOurs = (image: string): boolean => image.startsWith('derms/');

  it.each(services)('%s waits for services that there are, and for what they can be', (name, { depends_on = {} }) => {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const awaited = compose.services[other];
      if (awaited === undefined) throw new Error(`${name} depends on ${other}, which is not there`);
      const once = [undefined, 'no', 'on-failure'].includes((awaited as { restart?: string }).restart);
      const watched =
        awaited.healthcheck?.disable !== true && (awaited.healthcheck?.test !== undefined || isOurs(awaited.image));
      if (condition === 'service_completed_successfully') expect([other, once]).toEqual([other, true]);
      else expect([other, once]).toEqual([other, false]);
      if (condition === 'service_healthy') expect([other, watched]).toEqual([other, true]);
    }
  });

  it.each(services)('%s mounts files and volumes that there are', (_name, { volumes = [] }) => {
    for (const volume of volumes) {
      const [source = ''] = volume.split(':');
      if (!source.startsWith('./')) expect(Object.keys(compose.volumes)).toContain(source);
      else if (source !== './deploy/compose/keys')
        expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
    }
  });

  it.each(services)('%s opens ports on this machine only', (_name, { ports = [] }) => {
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('asks for exactly the secrets that npm run setup:env draws', () => {
    const asked = [...text('docker-compose.yml').matchAll(/\$\{(\w+):\?run npm run setup:env\}/g)].map(
      ([, name]) => name,
    );
    expect([...new Set(asked)].sort()).toEqual(Object.keys(secrets).sort());
    expect(
      text('docker-compose.yml')
        .match(/\$\{\w+(?!:\?)[^}]*\}/g)
        ?.filter((used) => !used.includes(':?')),
    ).toEqual([]);
  });

  it('hands out the certificates that are made', () => {
    const script = text('deploy/compose/hand-out-keys.sh');
    const named = [...script.matchAll(/\b([\w-]+)\.(?:crt|key)\b/g)].map(([, name]) => name);
    const brokers = ['mosquitto-active', 'mosquitto-standby'];
    expect(
      [...new Set([...named, ...brokers])].filter((name) => !['tls', 'ca', 'broker'].includes(name ?? '')).sort(),
    ).toEqual([...COMPOSE_CERTIFICATES].sort());
  });

  it.each(services.filter(([, { pid }]) => pid !== undefined))(
    '%s shares the processes of a broker that is not process 1 among them',
    (_name, { pid = '' }) => {
      expect(compose.services[pid.replace('service:', '')]?.init).toBe(true);
    },
  );

  it('writes secrets so that neither compose nor we see variables in them', () => {
    const written = dotEnv({ AUTH_USERS: '[{"hash":"scrypt$16384$8$5$a$b"}]' });
    expect(written).toContain(`AUTH_USERS='[{"hash":"scrypt$16384$8$5$a$b"}]'`);
  });
});

it('the build of the image is given every folder that is imported by what it is given', () => {
  const given = [...text('.dockerignore').matchAll(/^!([a-z]+)$/gm)].map(([, folder = '']) => folder);
  expect(given.length).toBeGreaterThan(15);
  const imported = given.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        [...text(join(folder, file)).matchAll(/ from '(\.[^']+)'/g)].map(
          ([, path = '']) => join(folder, file, '..', path).split('/')[0],
        ),
      ),
  );
  expect([...new Set(imported)].filter((folder) => !given.includes(folder ?? ''))).toEqual([]);
});

it('no image is without a version, and compose and Kubernetes run the same ones', () => {
  const images = (files: readonly string[]): string[] => [
    ...new Set(files.flatMap((file) => [...text(file).matchAll(/image: (\S+)/g)].map(([, image]) => image!))),
  ];
  const inCompose = images(['docker-compose.yml']);
  const inKubernetes = images(['deploy/k8s/staging/derms.yaml', 'deploy/k8s/prod/derms.yaml']);
  const base = [...text('deploy/Dockerfile').matchAll(/^FROM (\S+:\S+)/gm)].map(([, image]) => image!);
  for (const image of [...inCompose, ...inKubernetes, ...base])
    expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+(\.\d+)?(-trixie)?(-slim)?$/);
  expect(inKubernetes.filter((image) => !inCompose.includes(image))).toEqual([]);
  expect(new Set(base).size).toBe(1);
});

it('the S3 server of compose is the one that the proofs are about', () => {
  const proven = /const VERSION = '(.*)'/.exec(text('local/setup/versitygw.mjs'))?.[1];
  expect(compose.services['storage']?.image).toBe(`ghcr.io/versity/versitygw:v${proven ?? ''}`);
});
