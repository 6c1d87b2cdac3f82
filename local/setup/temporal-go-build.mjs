import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findIn, pathFolders } from './find-program.mjs';
import { cacheDir } from './paths.mjs';
import { run, tail } from './run.mjs';

/** The `go` on PATH or where its installer puts it. */
export function findGo() {
  return findIn([...pathFolders(), '/usr/local/go/bin', '/opt/homebrew/bin'], 'go');
}

/**
 * Builds the Temporal CLI from source into `target`: about four minutes on two cores.
 *
 * Its 3 GB of modules and build cache live in a scratch folder that is removed, whatever happens. The caller holds the
 * lock of the cache, so a scratch folder that is there already was left by a set-up that was killed.
 */
export async function buildTemporal(version, target, say) {
  mkdirSync(cacheDir, { recursive: true });
  for (const name of readdirSync(cacheDir)) if (name.startsWith('go-scratch-')) removeTree(join(cacheDir, name));
  const scratch = mkdtempSync(join(cacheDir, 'go-scratch-'));
  const removeScratch = () => removeTree(scratch);
  process.once('exit', removeScratch);
  try {
    const built = await run(findGo(), installArgs(version), {
      cwd: scratch,
      env: {
        GOMODCACHE: join(scratch, 'mod'),
        GOCACHE: join(scratch, 'cache'),
        GOTMPDIR: scratch,
        GOBIN: join(scratch, 'bin'),
        GOFLAGS: '-modcacherw',
        CGO_ENABLED: '0',
      },
      onLine: progressOf(say),
    });
    if (built.status !== 0) throw new Error(`go install of the Temporal CLI failed:\n${tail(built.output)}`);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(join(scratch, 'bin', 'temporal'), target);
  } finally {
    process.removeListener('exit', removeScratch);
    removeScratch();
  }
  return 'built with Go';
}

/** The same link flags as the official release, so that `--version` tells the truth. */
function installArgs(version) {
  const flags = `-s -w -X github.com/temporalio/cli/temporalcli.Version=${version}`;
  return ['install', '-v', '-ldflags', flags, `github.com/temporalio/cli/cmd/temporal@v${version}`];
}

function progressOf(say) {
  let modules = 0;
  let packages = 0;
  return (line) => {
    if (line.startsWith('go: downloading')) say(`building with Go: module ${++modules} downloaded`);
    else if (!line.startsWith('go:')) say(`building with Go: package ${++packages} compiled, of about 1,300`);
  };
}

function removeTree(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
