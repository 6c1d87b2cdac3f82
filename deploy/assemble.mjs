import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// `node deploy/assemble.mjs FOLDER`, after a build: puts together what an image holds, and nothing else. deploy/Dockerfile
// calls it, and the test of the image, which has no container engine.

const root = fileURLToPath(new URL('..', import.meta.url));
const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node deploy/assemble.mjs FOLDER');
const target = resolve(folder);
if (existsSync(target)) throw new Error(`${target} is there already`);
if (!existsSync(join(root, 'dist', 'workflow-bundle.js'))) throw new Error('dist/ is not built: node local/build.mjs');

mkdirSync(target, { recursive: true });
for (const file of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(root, file), join(target, file));
// Nothing of ours in production needs an install script; what comes from the registry runs none here.
const ci = ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
execFileSync('npm', ci, { cwd: target, stdio: ['ignore', 'inherit', 'inherit'] });
keepOnePlatform();

// Programs of development are no part of an image; neither is what the build remembers.
const left = ['bench', 'local', 'test', '.tsbuildinfo', '.build-stamp'].map((name) => join(root, 'dist', name));
cpSync(join(root, 'dist'), join(target, 'dist'), { recursive: true, filter: (path) => !left.includes(path) });
for (const path of ['registry', 'health.mjs', 'nightly-backup.mjs'])
  cpSync(join(root, 'deploy', path), join(target, 'deploy', path), { recursive: true });
rmSync(join(target, '.npmrc'));

/** Temporal's package brings its native library for five platforms, 30 MB each. */
function keepOnePlatform() {
  const releases = join(target, 'node_modules', '@temporalio', 'core-bridge', 'releases');
  const arch = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
  const wanted = `${arch}-${process.platform === 'darwin' ? 'apple-darwin' : 'unknown-linux-gnu'}`;
  if (!existsSync(join(releases, wanted))) throw new Error(`Temporal ships no library for ${wanted}`);
  for (const name of readdirSync(releases)) if (name !== wanted) rmSync(join(releases, name), { recursive: true });
}
