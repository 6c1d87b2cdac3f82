import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './paths.mjs';
import { run, tail } from './run.mjs';

// Debian's packages without being root: fetched by apt-get, unpacked by dpkg-deb into our cache, never installed.
// What the machine already has is not fetched again, so the libraries of both are used together.

// A C library other than the machine's own loader cannot be used with it.
const NEVER = /^(libc6|libc-bin|libc6-.*|locales.*|base-files|dpkg|apt)$/;

/** Where a component's packages are unpacked: a tree with `usr/bin`, `usr/lib`, …; exists only when complete. */
export function extractedRoot(component) {
  return join(cacheDir, 'debian', component);
}

/** LD_LIBRARY_PATH for the programs of a component, colon-separated; `undefined` when it is not unpacked. */
export function libraryPathOf(component) {
  const root = extractedRoot(component);
  const bases = [join(root, 'usr/lib'), join(root, 'lib')].filter(existsSync);
  const folders = bases.flatMap((base) =>
    readdirSync(base, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /-linux-gnu/.test(entry.name))
      .map((entry) => join(base, entry.name)),
  );
  return folders.length > 0 ? folders.join(':') : undefined;
}

/** Fetches and unpacks packages with everything they depend on that the machine lacks. */
export async function extractDebianPackages(component, packages, say) {
  const names = await missingPackages(packages);
  const base = join(cacheDir, 'debian');
  mkdirSync(base, { recursive: true });
  const work = mkdtempSync(join(base, '.unpack-'));
  try {
    say(`fetching ${names.length} Debian packages`);
    const fetched = await run('apt-get', ['download', ...names], { cwd: work });
    if (fetched.status !== 0) throw new Error(`apt-get download failed:\n${tail(fetched.output)}`);
    const root = join(work, 'root');
    const archives = readdirSync(work).filter((name) => name.endsWith('.deb'));
    for (const [index, archive] of archives.entries()) {
      say(`unpacking ${index + 1} of ${archives.length}`);
      const unpacked = await run('dpkg-deb', ['-x', join(work, archive), root]);
      if (unpacked.status !== 0) throw new Error(`dpkg-deb -x ${archive} failed:\n${tail(unpacked.output)}`);
    }
    rmSync(extractedRoot(component), { recursive: true, force: true });
    renameSync(root, extractedRoot(component));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return `apt-get download, unpacked into ${extractedRoot(component)}`;
}

/**
 * Everything the packages depend on, as apt would choose it on an empty machine, less what this one has, as
 * `name=version`. Asked in this way it works without root and apt's lock, and where other packages are half installed.
 */
async function missingPackages(packages) {
  const onEmptyMachine = ['--simulate', '--no-install-recommends', '-o', 'Dir::State::status=/dev/null'];
  const plan = await run('apt-get', ['install', ...onEmptyMachine, ...packages]);
  if (plan.status !== 0) {
    throw new Error(
      `apt does not know ${packages.join(' ')}; its lists must be there (sudo apt-get update), then we need no root:\n${tail(plan.output, 4)}`,
    );
  }
  const installed = await installedPackages();
  const planned = [...plan.stdout.matchAll(/^Inst (\S+) \((\S+)/gm)];
  const missing = planned.filter(([, name]) => !installed.has(name) && !NEVER.test(name));
  if (missing.length === 0)
    throw new Error(`dpkg says ${packages.join(' ')} is installed, but its programs are not there`);
  return missing.map(([, name, version]) => `${name}=${version}`);
}

async function installedPackages() {
  const { stdout } = await run('dpkg-query', ['--show', '--showformat', '${db:Status-Abbrev} ${Package}\\n']);
  return new Set([...stdout.matchAll(/^ii\s+(\S+)/gm)].map(([, name]) => name));
}
