import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoRoot } from './setup/paths.mjs';

// After each `npm install` behind a registry that does not serve the packages of other platforms: npm then leaves them
// out of package-lock.json, and `npm ci` refuses such a lockfile on every machine ("Missing: … from lock file").
// Adds them with what is known without asking: the version that their parent wants, and the platform in their name.

const file = process.argv[2] ?? join(repoRoot, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = [];

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(path, name)) continue;
    added.push(name);
    lock.packages[`node_modules/${name}`] = {
      version: range.replace(/^[^\d]*/, ''),
      ...platformOf(name),
      ...(entry.dev && { dev: true }),
      optional: true,
    };
  }
}
if (added.length > 0) {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
}
console.log(`${added.length} optional packages of other platforms added to ${file}`);

/** npm looks from the package's own folder outwards. */
function isLocked(path, name) {
  for (let folder = path; folder !== ''; folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    if (lock.packages[`${folder}/node_modules/${name}`]) return true;
  }
  return lock.packages[`node_modules/${name}`] !== undefined;
}

/** `@swc/core-linux-x64-musl` → what keeps npm from installing it elsewhere. */
function platformOf(name) {
  if (name === 'fsevents') return { os: ['darwin'] };
  const os = /(darwin|linux|win32|android|freebsd|openharmony|sunos|aix|netbsd|openbsd)/.exec(name)?.[1];
  const cpu = /(arm64|x64|ia32|ppc64|s390x|riscv64|loong64|mips64el|wasm32|arm)/.exec(name)?.[1];
  const libc = /(gnu|musl)/.exec(name)?.[1];
  if (!os && !cpu) throw new Error(`the platform of ${name} cannot be read from its name`);
  return {
    ...(os && { os: [os] }),
    ...(cpu && { cpu: [cpu] }),
    ...(os === 'linux' && libc && { libc: [libc === 'gnu' ? 'glibc' : 'musl'] }),
  };
}
