import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readToolchain } from '../toolchain';
import { apiFaults } from './api-changes';
import { changelogFault } from './changelog';
import type { Look, ReleaseCheck } from './check';
import { images } from './images';
import { migrationFaults } from './migration-safety';
import { filesOf, git, type PreviousRelease } from './previous-release';
import { historiesOf, replayFaults } from './replay-histories';
import { makeSbom, sbomFaults, type Lockfile } from './sbom';

const MIGRATIONS = 'db/migrations';
const API = 'docs/openapi.json';
const MEANT = 'docs/openapi-breaking.txt';
/** Where images are named with their version. */
const DEPLOYED = [
  'docker-compose.yml',
  'deploy/Dockerfile',
  'deploy/k8s/prod/derms.yaml',
  'deploy/k8s/staging/derms.yaml',
];
const SBOM_FILE = 'dist/sbom.cdx.json';

/** All of them, the quick ones first. */
export function releaseChecks(root: string, previous: PreviousRelease): ReleaseCheck[] {
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const { version } = JSON.parse(read('package.json')) as { version: string };
  return [
    { name: 'no uncommitted change', look: () => uncommitted(root) },
    {
      name: 'changelog',
      look: () => {
        const fault = changelogFault(read('CHANGELOG.md'), version);
        return { said: `CHANGELOG.md tells of ${version}`, faults: fault === null ? [] : [fault] };
      },
    },
    {
      name: 'images carry the version',
      look: () =>
        images(
          DEPLOYED.map((path) => [path, read(path)] as const),
          version,
        ),
    },
    { name: 'migrations only add', look: () => migrations(root, previous) },
    { name: 'recorded histories replay', look: () => replay(root, previous) },
    { name: 'the API keeps its promises', look: () => api(root, previous) },
    { name: 'no secret, no weak default', look: () => script(root, 'lint:env') },
    { name: 'known weaknesses of packages', look: () => script(root, 'audit:packages') },
    { name: 'list of packages (SBOM)', look: () => sbom(root) },
  ];
}

function uncommitted(root: string): Look {
  const changed = git(root, 'status', '--porcelain')
    .split('\n')
    .filter((line) => line !== '');
  return { said: `commit ${git(root, 'rev-parse', '--short', 'HEAD').trim()}`, faults: changed };
}

function migrations(root: string, previous: PreviousRelease): Look {
  const now = new Map(
    readdirSync(join(root, MIGRATIONS))
      .filter((name) => name.endsWith('.sql'))
      .map((name) => [name, readFileSync(join(root, MIGRATIONS, name), 'utf8')]),
  );
  const before = filesOf(previous, MIGRATIONS, root);
  return {
    said: `${String(now.size - before.size)} new since ${previous.version}`,
    faults: migrationFaults(before, now, previous.version),
  };
}

async function replay(root: string, previous: PreviousRelease): Promise<Look> {
  const histories = historiesOf(root, previous);
  return {
    said: `${String(histories.size)} histories, on the bundle that is shipped`,
    faults: await replayFaults(join(root, 'dist/workflow-bundle.js'), histories),
  };
}

function api(root: string, previous: PreviousRelease): Look {
  const tool = readToolchain(join(root, '.local')).oasdiff;
  if (tool === undefined)
    return { said: 'needs oasdiff: node local/setup/setup.mjs --proofs', faults: [], notChecked: true };
  const folder = mkdtempSync(join(tmpdir(), 'derms-release-'));
  try {
    const before = join(folder, 'openapi.json');
    writeFileSync(before, git(root, 'show', `${previous.commit}:${API}`));
    const { status, stdout, stderr } = spawnSync(
      tool.path,
      ['breaking', before, join(root, API), '--fail-on', 'ERR', '--format', 'singleline'],
      { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
    );
    // 1: it has found something; anything else but 0 is a failure of its own.
    if (status !== 0 && status !== 1) throw new Error(`oasdiff ended with ${String(status)}: ${stderr}`);
    return { said: `against ${previous.version}`, faults: apiFaults(stdout, readFileSync(join(root, MEANT), 'utf8')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Code 3 is "not checked" for all our scripts. */
function script(root: string, name: string): Look {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', name], { cwd: root, encoding: 'utf8' });
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line.trim() !== '');
  if (status === 3) return { said: lines.at(-1) ?? name, faults: [], notChecked: true };
  return { said: `npm run ${name}`, faults: status === 0 ? [] : lines };
}

function sbom(root: string): Look {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lockfile;
  const made = makeSbom(root, lock);
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(join(root, SBOM_FILE), `${JSON.stringify(made, null, 2)}\n`);
  const unlicensed = made.components.filter(({ licenses }) => licenses === undefined).length;
  return {
    said: `${String(made.components.length)} packages in ${SBOM_FILE}, of ${String(unlicensed)} the lockfile knows no licence`,
    faults: sbomFaults(made, lock),
  };
}
