import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { envFileFindings } from '../../../config/lint-env/env-file';
import { lintEnvironment } from '../../../config/lint-env/lint';
import { readManifest } from '../../../config/lint-env/manifest';
import { repositoryRoot } from '../../../local/toolchain';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-lint-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Files below a root of their own. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(folder, 'root-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}
const DRAWN = randomBytes(24).toString('base64');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('an example of settings', () => {
  it.each([
    ['DB_PASSWORD=changeme', 'is a sample value, which somebody will run with'],
    ['# DB_PASSWORD=changeme', 'is a sample value, which somebody will run with'],
    [`JWT_SECRET="${DRAWN}"`, 'is written down here: a secret in a repository is none'],
    ['export MQTT_PASSWORD=mqtt', 'is written down here: a secret in a repository is none'],
    ['BACKUP_S3_ACCESS_KEY_ID=AKIA1', 'is written down here: a secret in a repository is none'],
    ['POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-postgres}', 'has a default, which somebody will run with: use ${NAME:?}'],
    ['DATABASE=postgres://derms:hunter2@db/derms', 'holds something that looks like a secret'],
  ])('may not say %s', (line, fault) => {
    expect(envFileFindings('.env.example', `# x\n${line}\n`)).toMatchObject([{ file: '.env.example', fault }]);
  });

  it.each([
    'DB_PASSWORD=',
    '# JWT_SECRET=',
    'DB_PASSWORD=${DB_PASSWORD}',
    'DB_PASSWORD=${DB_PASSWORD:?say which}',
    'DB_PASSWORD=${DB_PASSWORD:-}',
    'DB_PASSWORD_FILE=/run/secrets/db-password',
    'TLS_KEY_PATH=/run/secrets/tls.key',
    'TEMPORAL_TLS_SERVER_KEY=/keys/tls.key',
    'DB_USER=derms_app',
    'RESTORE_TARGET_URL=',
  ])('may say %s', (line) => {
    expect(envFileFindings('.env.example', line)).toEqual([]);
  });

  it('is never quoted', () => {
    expect(JSON.stringify(envFileFindings('.env.example', `JWT_SECRET=${DRAWN}`))).not.toContain(DRAWN);
  });
});

describe('a manifest', () => {
  const placesIn = (text: string) =>
    readManifest('m.yaml', text).findings.map(({ place, fault }) => `${place}: ${fault}`);
  const deployment = (container: string): string =>
    `kind: Deployment\nmetadata: { name: api }\nspec: { template: { spec: { containers: [${container}] } } }\n`;

  it.each([
    [
      'a value in the environment of a container',
      deployment('{ name: main, env: [{ name: JWT_SECRET, value: please-change-me }] }'),
      'Deployment api, spec.template.spec.containers.main.env.JWT_SECRET: is a sample value, which somebody will run with',
    ],
    [
      'a Secret with what it keeps in plain',
      `kind: Secret\nmetadata: { name: derms }\nstringData: { db-password: '${DRAWN}' }\n`,
      'Secret derms, stringData.db-password: is written down here: a secret in a repository is none',
    ],
    [
      'a Secret with what it keeps in base64',
      `kind: Secret\nmetadata: { name: derms }\ndata: { MQTT_PASSWORD: ${base64('change-me')} }\n`,
      'Secret derms, data.MQTT_PASSWORD: is a sample value, which somebody will run with',
    ],
    [
      'what a Secret keeps under a name that says nothing',
      `kind: Secret\nmetadata: { name: derms }\ndata: { url: ${base64('postgres://derms:hunter2@db/derms')} }\n`,
      'Secret derms, data.url: holds something that looks like a secret',
    ],
    [
      'a ConfigMap with a secret',
      'kind: ConfigMap\nmetadata: { name: derms }\ndata: { DB_PASSWORD: derms }\n',
      'ConfigMap derms, data.DB_PASSWORD: is written down here: a secret in a repository is none',
    ],
    [
      'a password on a command line',
      deployment('{ name: main, args: ["--password=hunter2"] }'),
      'Deployment api, spec.template.spec.containers.main.args.0: gives password on a command line',
    ],
    [
      'a password on a command line, as an argument of its own',
      deployment('{ name: main, args: [mosquitto_pub, --password, hunter2] }'),
      'Deployment api, spec.template.spec.containers.main.args: gives password on a command line',
    ],
    [
      'a password in a shell line',
      deployment('{ name: main, command: [sh, -c, "PGPASSWORD=hunter2 psql"] }'),
      'Deployment api, spec.template.spec.containers.main.command.2: gives PGPASSWORD on a command line',
    ],
    [
      'an address with a password',
      deployment('{ name: main, args: ["postgres://derms:hunter2@db/derms"] }'),
      'Deployment api, spec.template.spec.containers.main.args.0: holds something that looks like a secret',
    ],
    [
      'a compose file with a default',
      'services: { db: { environment: { POSTGRES_PASSWORD: "${POSTGRES_PASSWORD:-postgres}" } } }\n',
      'file, services.db.environment.POSTGRES_PASSWORD: has a default, which somebody will run with: use ${NAME:?}',
    ],
    [
      'a compose file with a list',
      'services: { db: { environment: [POSTGRES_PASSWORD=postgres] } }\n',
      'file, services.db.environment.POSTGRES_PASSWORD: is written down here: a secret in a repository is none',
    ],
    [
      'a database that asks for no password',
      'services: { db: { environment: { POSTGRES_HOST_AUTH_METHOD: trust } } }\n',
      'file, services.db.environment.POSTGRES_HOST_AUTH_METHOD: lets everybody in without a password',
    ],
    [
      'the second document of a file',
      `kind: Service\n---\nkind: Secret\nstringData: { a-token: x1 }\n`,
      /^Secret, stringData.a-token/,
    ],
  ])('may not hold %s', (_what, text, place) => {
    expect(placesIn(text)).toEqual([typeof place === 'string' ? place : expect.stringMatching(place)]);
  });

  it.each([
    [
      'from a Secret',
      deployment('{ name: main, env: [{ name: JWT_SECRET, valueFrom: { secretKeyRef: { name: derms, key: jwt } } }] }'),
    ],
    ['from a file', deployment('{ name: main, env: [{ name: JWT_SECRET_FILE, value: /run/secrets/jwt }] }')],
    [
      'that Kubernetes puts in',
      deployment('{ name: main, args: ["--password=$(DB_PASSWORD)", "--tls-key=/tls/tls.key"] }'),
    ],
    ['that a shell puts in', deployment('{ name: main, command: [sh, -c, "PGPASSWORD=$(cat /run/secrets/db) psql"] }')],
    ['that must be given', 'services: { db: { environment: { POSTGRES_PASSWORD: "${POSTGRES_PASSWORD:?}" } } }\n'],
    [
      'that is kept elsewhere',
      'kind: ExternalSecret\nmetadata: { name: derms }\nspec: { data: [{ secretKey: jwt, remoteRef: { key: prod/jwt } }] }\n',
    ],
  ])('may take a secret %s', (_how, text) => {
    expect(placesIn(text)).toEqual([]);
  });

  it('that is no YAML is not called clean', () => {
    expect(() => readManifest('m.yaml', 'a: [b')).toThrow('m.yaml: ');
  });
});

describe('staging and production', () => {
  const using = (namespace: string, secret: string): string =>
    `kind: Deployment\nmetadata: { name: api, namespace: ${namespace} }\n` +
    `spec: { containers: [{ name: main, envFrom: [{ secretRef: { name: ${secret} } }] }] }\n`;
  const external = (key: string): string =>
    `kind: ExternalSecret\nmetadata: { name: x }\nspec: { secretStoreRef: { name: vault }, data: [{ remoteRef: { key: ${key}, property: jwt } }] }\n`;
  const both = (staging: string, prod: string) =>
    lintEnvironment(tree({ 'deploy/k8s/staging/derms.yaml': staging, 'deploy/k8s/prod/derms.yaml': prod })).findings;

  it.each([
    ['a Secret of one namespace', using('derms', 'derms'), using('derms', 'derms'), 'secret derms/derms'],
    ['a key of one store', external('derms/jwt'), external('derms/jwt'), 'remote vault/derms/jwt#jwt'],
  ])('may not share %s', (_what, staging, prod, place) => {
    expect(both(staging, prod)).toEqual([
      {
        file: 'deploy/k8s/prod/derms.yaml',
        place,
        fault: 'is named by deploy/k8s/staging/derms.yaml too: staging and production must share no secret',
      },
    ]);
  });

  it('may call their secrets alike in namespaces of their own, and take other keys of one store', () => {
    expect(both(using('derms-staging', 'derms'), using('derms', 'derms'))).toEqual([]);
    expect(both(external('staging/jwt'), external('prod/jwt'))).toEqual([]);
  });
});

it('looks at example settings, compose files and everything below deploy/, and at nobody’s own .env', () => {
  const root = tree({
    '.env': 'DB_PASSWORD=mine',
    '.env.example': 'DB_PASSWORD=',
    'docker-compose.yml': 'services: {}',
    'compose.staging.yaml': 'services: {}',
    'deploy/k8s/prod/derms.yaml': 'kind: Secret\nstringData: { token: x1 }\n',
    'docs/example.yaml': 'kind: Secret\nstringData: { token: x1 }\n',
  });
  const { files, findings } = lintEnvironment(root);

  expect(files).toEqual(['.env.example', 'compose.staging.yaml', 'deploy/k8s/prod/derms.yaml', 'docker-compose.yml']);
  expect(findings.map(({ file }) => file)).toEqual(['deploy/k8s/prod/derms.yaml']);
});

it('finds nothing in what is committed', () => {
  expect(lintEnvironment(repositoryRoot()).findings).toEqual([]);
});
