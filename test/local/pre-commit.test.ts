import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeCertificateAuthority } from '../support/certificate-authority';
import { repositoryRoot } from '../../local/toolchain';

// The real hook in a real repository of its own, with this checkout's build.

let repository: string;
const git = (...args: string[]): { status: number | null; said: string } => {
  const env = {
    ...{ PATH: process.env['PATH'], HOME: repository, GIT_CONFIG_NOSYSTEM: '1' },
    ...{ GIT_AUTHOR_NAME: 'x', GIT_AUTHOR_EMAIL: 'x@test', GIT_COMMITTER_NAME: 'x', GIT_COMMITTER_EMAIL: 'x@test' },
  };
  const { status, stdout, stderr } = spawnSync('git', args, {
    cwd: repository,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, said: stdout + stderr };
};
const write = (name: string, text: string): void => {
  mkdirSync(dirname(join(repository, name)), { recursive: true });
  writeFileSync(join(repository, name), text);
};
const commit = () => git('commit', '-m', 'x');

beforeEach(() => {
  repository = mkdtempSync(join(tmpdir(), 'derms-test-hook-'));
  git('init', '-q');
  mkdirSync(join(repository, '.githooks'));
  copyFileSync(join(repositoryRoot(), '.githooks/pre-commit'), join(repository, '.githooks/pre-commit'));
  for (const name of ['dist', 'node_modules']) symlinkSync(join(repositoryRoot(), name), join(repository, name));
  write('local/build.mjs', '// built already\n');
  write('.env.example', 'DB_PASSWORD=\n');
  git('config', 'core.hooksPath', '.githooks'); // as the README says
  git('add', '.env.example');
});
afterEach(() => {
  rmSync(repository, { recursive: true });
});

it('lets a commit through that holds no secret', () => {
  expect(commit()).toMatchObject({ status: 0 });
});

it('refuses a weak default, and says where', () => {
  write(
    'deploy/k8s/prod/derms.yaml',
    'kind: Secret\nmetadata: { name: derms }\nstringData: { jwt: x, db-password: changeme }\n',
  );
  git('add', 'deploy');
  const { status, said } = commit();

  expect(status).not.toBe(0);
  expect(said).toContain('deploy/k8s/prod/derms.yaml: Secret derms, stringData.db-password: is a sample value');
});

it('looks at what is committed: neither is it fooled by the working tree, nor does it ask for more', () => {
  write('.env.example', 'DB_PASSWORD=changeme\n');
  git('add', '.env.example');
  write('.env.example', 'DB_PASSWORD=\n'); // mended, and not staged
  expect(commit().status).not.toBe(0);

  git('add', '.env.example');
  write('.env.example', 'DB_PASSWORD=changeme\n'); // not staged
  expect(commit().status).toBe(0);
});

it.each([
  ['somebody’s own settings', '.env', 'DB_PASSWORD=mine\n'],
  ['a key file', 'certs/tls.key', 'x\n'],
  ['a private key under another name', 'certs/tls.pem', makeCertificateAuthority().issue({}).key.replace('RSA ', '')],
])('refuses %s', (_what, name, text) => {
  write(name, text);
  git('add', '-f', name);

  expect(commit().status).not.toBe(0);
});
