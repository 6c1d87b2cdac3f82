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

/** HAProxy leads to the primary: proofs of failover run it with the configuration that we ship. */
export const haproxy = singleProgram({
  name: 'HAProxy',
  key: 'haproxy',
  program: 'haproxy',
  versionArgs: ['-v'],
  version: /version (2\.[6-9][.\w-]*|[3-9]\.[.\w-]+)/,
  packages: { debian: ['haproxy'], brew: ['haproxy'] },
  asks: 'HAProxy 2.6 or newer',
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

/** Prometheus itself, of the same package: scrapes a real system and judges the alerts. */
export const prometheus = singleProgram({
  name: 'Prometheus',
  key: 'prometheus',
  program: 'prometheus',
  versionArgs: ['--version'],
  version: /prometheus, version (\d+\.[.\w+]+)/,
  packages: { debian: ['prometheus'], brew: ['prometheus'] },
  asks: 'Prometheus',
});

/** Alertmanager: who is told of what, and what is kept quiet meanwhile. Debian gives its program a longer name. */
export const alertmanager = singleProgram({
  name: 'Alertmanager',
  key: 'alertmanager',
  program: 'prometheus-alertmanager',
  alias: 'alertmanager',
  versionArgs: ['--version'],
  version: /alertmanager, version (\d+\.[.\w+]+)/,
  packages: { debian: ['prometheus-alertmanager'], brew: ['alertmanager'] },
  asks: 'Alertmanager (of Prometheus)',
});

/** amtool, of Alertmanager: checks its configuration and tells where an alert goes. */
export const amtool = singleProgram({
  name: 'amtool',
  key: 'amtool',
  program: 'amtool',
  versionArgs: ['--version'],
  version: /amtool, version (\d+\.[.\w+]+)/,
  packages: { debian: ['prometheus-alertmanager'], brew: ['alertmanager'] },
  asks: 'amtool (of Alertmanager)',
});

function singleProgram({ name, key, program, alias, versionArgs, version, packages, asks }) {
  return {
    name,
    key,
    packages,
    async find() {
      for (const { path, from, libraryPath } of [program, alias].flatMap((named) =>
        named ? candidates(named, program) : [],
      )) {
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

/** `component`: the name under which its packages were unpacked. */
function candidates(program, component) {
  const installed = findIn([...pathFolders(), ...systemFolders()], program);
  const root = extractedRoot(component);
  const extracted = findIn([join(root, 'usr/bin'), join(root, 'usr/sbin')], program);
  return [
    ...(installed ? [{ path: installed, from: dirname(installed) }] : []),
    ...(extracted ? [{ path: extracted, from: 'our cache', libraryPath: libraryPathOf(component) }] : []),
  ];
}
