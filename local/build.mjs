import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { withLock } from './setup/lock.mjs';
import { localDir, repoRoot } from './setup/paths.mjs';
import { run } from './setup/run.mjs';

// Sources to dist/: compiled programs, migrations, and the bundle of workflow code that workers load. Does nothing
// when the content of all inputs is what the last build saw. `--force` builds anyway, `--quiet` speaks only of errors.

const dist = join(repoRoot, 'dist');
const stampFile = join(dist, '.build-stamp');
const force = process.argv.includes('--force');
const say = process.argv.includes('--quiet') ? () => undefined : (text) => console.log(text);

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'test', 'coverage', 'docs', 'deploy', 'console']);
const INPUT = /(\.ts|\.sql|^tsconfig.*\.json|^package-lock\.json|^build\.mjs)$/;

if (force || !isCurrent()) {
  await withLock(
    join(localDir, 'build.lock'),
    async () => {
      // Another process may have built exactly this while we waited.
      if (force || !isCurrent()) await build();
    },
    (pid) => say(`… waiting for another build (process ${pid})`),
  );
}

function isCurrent() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === digestOfInputs();
}

async function build() {
  // Taken before, so that what is edited while we build is built next time.
  const digest = digestOfInputs();
  rmSync(stampFile, { force: true });
  await timed('compiled', compile);
  copyMigrations();
  removeOrphans();
  if (existsSync(join(dist, 'workflows', 'index.js'))) await timed('workflow bundle', bundleWorkflows);
  writeFileSync(stampFile, digest);
}

async function timed(what, work) {
  const began = performance.now();
  await work();
  say(`✓ ${what.padEnd(16)} ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

async function compile() {
  // Incremental state that speaks of files which were deleted by hand would leave them out.
  if (force) rmSync(dist, { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status, output } = await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--pretty', 'false'], {
    cwd: repoRoot,
  });
  if (status === 0) return;
  console.error(`The build failed:\n${output}`);
  process.exit(1);
}

function copyMigrations() {
  const from = join(repoRoot, 'db', 'migrations');
  const to = join(dist, 'db', 'migrations');
  rmSync(to, { recursive: true, force: true });
  if (!existsSync(from)) return;
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from).filter((name) => name.endsWith('.sql'))) {
    copyFileSync(join(from, name), join(to, name));
  }
}

/** Programs whose source was removed or renamed would still run. */
function removeOrphans() {
  for (const file of filesUnder(dist, () => true)) {
    const source = /^(.*?)\.js(\.map)?$/.exec(relative(dist, file))?.[1];
    if (source && source !== 'workflow-bundle' && !existsSync(join(repoRoot, `${source}.ts`))) rmSync(file);
  }
}

async function bundleWorkflows() {
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const target = join(dist, 'workflow-bundle.js');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(dist, 'workflows', 'index.js'),
    logger: new DefaultLogger('WARN'),
  });
  writeFileSync(`${target}.new`, code);
  renameSync(`${target}.new`, target);
}

/** Names and contents of everything that the build reads: also tells when a file was removed. */
function digestOfInputs() {
  const hash = createHash('sha256').update(process.version);
  for (const file of filesUnder(repoRoot, (name) => INPUT.test(name))) {
    hash.update(`\n${relative(repoRoot, file)}\n`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function filesUnder(folder, wanted) {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const skip = folder === repoRoot && (entry.name.startsWith('.') || SKIPPED_FOLDERS.has(entry.name));
      return skip ? [] : filesUnder(path, wanted);
    }
    return entry.isFile() && wanted(entry.name) ? [path] : [];
  });
}
