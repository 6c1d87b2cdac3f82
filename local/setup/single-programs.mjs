import { dirname, join } from 'node:path';
import { extractedRoot, libraryPathOf } from './debian-extract.mjs';
import { findIn, pathFolders, systemFolders } from './find-program.mjs';
import { run } from './run.mjs';
import { installPackages, packageHelp } from './system-packages.mjs';

/** Mosquitto 2, the broker alone: our own clients need none of its command-line ones. */
export const mosquitto = singleProgram({
  name: 'Mosquitto',
  key: 'mosquitto',
  program: 'mosquitto',
  // `-h` is the only option that ends at once; it prints the version and exits with 3.
  versionArgs: ['-h'],
  version: /mosquitto version (2\.[.\w]+)/,
  packages: { debian: ['mosquitto'], brew: ['mosquitto'] },
  asks: 'the broker of Mosquitto 2',
});

/** zstd packs the backups. */
export const zstd = singleProgram({
  name: 'zstd',
  key: 'zstd',
  program: 'zstd',
  versionArgs: ['--version'],
  version: /v(\d+\.[.\w]+)/,
  packages: { debian: ['zstd'], brew: ['zstd'] },
  asks: 'the command zstd',
});

/** promtool, of Prometheus: checks and tries out the alert rules. */
export const promtool = singleProgram({
  name: 'promtool',
  key: 'promtool',
  program: 'promtool',
  versionArgs: ['--version'],
  version: /promtool, version (\d+\.[.\w+]+)/,
  packages: { debian: ['prometheus'], brew: ['prometheus'] },
  asks: 'promtool (of Prometheus)',
});

/** A real browser for the pages. */
export const chromium = singleProgram({
  name: 'Chromium',
  key: 'chromium',
  program: 'chromium',
  versionArgs: ['--version'],
  version: /Chromium (\d+\.[.\d]+)/,
  packages: { debian: ['chromium'], brew: ['chromium'] },
  asks: 'the browser Chromium',
});

/** PgBouncer: what `DB_HOST` names in production. */
export const pgbouncer = singleProgram({
  name: 'PgBouncer',
  key: 'pgbouncer',
  program: 'pgbouncer',
  versionArgs: ['--version'],
  version: /PgBouncer (1\.(?:1[89]|[2-9]\d)[.\w]*)/,
  packages: { debian: ['pgbouncer'], brew: ['pgbouncer'] },
  asks: 'PgBouncer 1.18 or newer',
});

function singleProgram({ name, key, program, versionArgs, version, packages, asks }) {
  return {
    name,
    key,
    packages,
    async find() {
      for (const { path, from, libraryPath } of candidates(program)) {
        const env = libraryPath ? { LD_LIBRARY_PATH: libraryPath } : {};
        const { output } = await run(path, versionArgs, { env, timeoutMs: 5_000 });
        const found = version.exec(output)?.[1];
        if (found) {
          const entry = { path, version: found, ...(libraryPath && { libraryPath }) };
          return { version: found, from, entry };
        }
      }
      return undefined;
    },
    install: (say) => installPackages(program, packages, say),
    help: () => packageHelp(packages, asks),
  };
}

function candidates(program) {
  const installed = findIn([...pathFolders(), ...systemFolders()], program);
  const root = extractedRoot(program);
  const extracted = findIn([join(root, 'usr/bin'), join(root, 'usr/sbin')], program);
  return [
    ...(installed ? [{ path: installed, from: dirname(installed) }] : []),
    ...(extracted ? [{ path: extracted, from: 'our cache', libraryPath: libraryPathOf(program) }] : []),
  ];
}
