import { join } from 'node:path';
import {
  brewPrefixes,
  findIn,
  isExecutable,
  numberedFolders,
  pathFolders,
  realFolder,
  unique,
} from './find-program.mjs';
import { extractedRoot, libraryPathOf } from './debian-extract.mjs';
import { installPackages, packageHelp } from './system-packages.mjs';
import { run } from './run.mjs';

const OLDEST_MAJOR = 15;
const TOOLS = ['postgres', 'initdb', 'pg_ctl', 'psql', 'pg_dump', 'pg_restore', 'pg_basebackup', 'pg_verifybackup'];
const PACKAGES = { debian: ['postgresql'], brew: ['postgresql@17'] };

/**
 * PostgreSQL, server and client tools from one folder and of one version: a PATH may hold three links to one version
 * and the client of another, and a backup made with mixed versions is not one that can be restored.
 */
export const postgresTools = {
  name: 'PostgreSQL',
  key: 'postgres',
  packages: PACKAGES,
  async find() {
    for (const { bin, from, libraryPath } of candidates()) {
      const version = await commonVersion(bin, libraryPath);
      if (version && Number.parseInt(version, 10) >= OLDEST_MAJOR) {
        return { version, from: from ?? bin, entry: { bin, version, ...(libraryPath && { libraryPath }) } };
      }
    }
    return undefined;
  },
  install: (say) => installPackages('postgresql', PACKAGES, say),
  help: () => packageHelp(PACKAGES, `PostgreSQL ${OLDEST_MAJOR} or newer, server and client tools`),
};

function candidates() {
  const onPath = pathFolders().filter((folder) => isExecutable(join(folder, 'postgres')));
  const debian = numberedFolders('/usr/lib/postgresql', /^\d+$/).map((folder) => join(folder, 'bin'));
  const brew = brewPrefixes.flatMap((prefix) =>
    numberedFolders(join(prefix, 'opt'), /^postgresql(@\d+)?$/).map((folder) => join(folder, 'bin')),
  );
  const installed = unique([
    ...onPath,
    ...onPath.map((folder) => realFolder(findIn([folder], 'postgres'))),
    ...debian,
    ...brew,
  ]);
  const root = extractedRoot('postgresql');
  const extracted = numberedFolders(join(root, 'usr/lib/postgresql'), /^\d+$/).map((folder) => ({
    bin: join(folder, 'bin'),
    from: 'our cache',
    libraryPath: libraryPathOf('postgresql'),
  }));
  return [...installed.filter(Boolean).map((bin) => ({ bin })), ...extracted].filter(({ bin }) =>
    TOOLS.every((tool) => isExecutable(join(bin, tool))),
  );
}

/** The version that all tools of a folder have, for instance `15.18`; none when they differ or one does not run. */
async function commonVersion(bin, libraryPath) {
  const env = libraryPath ? { LD_LIBRARY_PATH: libraryPath } : {};
  const answers = await Promise.all(
    TOOLS.map((tool) => run(join(bin, tool), ['--version'], { env, timeoutMs: 5_000 })),
  );
  const versions = unique(answers.map(({ stdout }) => /\(PostgreSQL\) (\d+[.\w]*)/.exec(stdout)?.[1]));
  return versions.length === 1 ? versions[0] : undefined;
}
