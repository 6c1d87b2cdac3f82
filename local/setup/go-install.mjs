import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findIn, pathFolders } from './find-program.mjs';
import { cacheDir } from './paths.mjs';
import { run, tail } from './run.mjs';

/** The `go` on PATH or where its installer puts it. */
export function findGo() {
  return findIn([...pathFolders(), '/usr/local/go/bin', '/opt/homebrew/bin'], 'go');
}

/** Builds `module` (`path@version`) from source and moves its program to `target`; needs Go. */
export function goInstall({ module, target, ...rest }) {
  return goBuild({
    ...rest,
    modules: [module],
    keep({ bin }) {
      const [program] = readdirSync(bin);
      mkdirSync(dirname(target), { recursive: true });
      renameSync(join(bin, program), target);
    },
  });
}

/**
 * Builds `modules` (`path@version`, of one module) from source; `keep` takes what is to stay from their programs (`bin`)
 * and their sources (`mod`).
 *
 * Modules and build cache, gigabytes of them, live in a scratch folder that is removed, whatever happens. The caller
 * holds the lock of component `key`, so a scratch folder of its that is there already was left by a set-up that was killed.
 */
export async function goBuild({ key, modules, ldflags, packages, say, keep }) {
  mkdirSync(cacheDir, { recursive: true });
  const prefix = `go-scratch-${key}-`;
  for (const name of readdirSync(cacheDir)) if (name.startsWith(prefix)) removeTree(join(cacheDir, name));
  const scratch = mkdtempSync(join(cacheDir, prefix));
  const [bin, mod] = [join(scratch, 'bin'), join(scratch, 'mod')];
  const removeScratch = () => removeTree(scratch);
  process.once('exit', removeScratch);
  try {
    const built = await run(findGo(), ['install', '-v', '-ldflags', ldflags, ...modules], {
      cwd: scratch,
      env: {
        GOMODCACHE: mod,
        GOCACHE: join(scratch, 'cache'),
        GOTMPDIR: scratch,
        GOBIN: bin,
        GOFLAGS: '-modcacherw',
        CGO_ENABLED: '0',
      },
      onLine: progressOf(say, packages),
    });
    if (built.status !== 0) throw new Error(`go install ${modules.join(' ')} failed:\n${tail(built.output)}`);
    keep({ bin, mod });
  } finally {
    process.removeListener('exit', removeScratch);
    removeScratch();
  }
  return 'built with Go';
}

function progressOf(say, packages) {
  let modules = 0;
  let compiled = 0;
  return (line) => {
    if (line.startsWith('go: downloading')) say(`building with Go: module ${++modules} downloaded`);
    else if (!line.startsWith('go:')) say(`building with Go: package ${++compiled} compiled, of about ${packages}`);
  };
}

function removeTree(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
