import { cpSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isExecutable } from './find-program.mjs';
import { findGo, goBuild } from './go-install.mjs';
import { cacheDir } from './paths.mjs';
import { run } from './run.mjs';

/** The one that docker-compose.yml and deploy/k8s name. */
export const TEMPORAL_SERVER_VERSION = '1.32.1';
const MODULE = 'go.temporal.io/server';

/** The production server of Temporal, its schema tool and its schemas for PostgreSQL, from one source, in one folder. */
export const temporalServer = {
  name: 'Temporal server',
  key: 'temporalServer',
  async find() {
    const folder = process.env.TEMPORAL_SERVER_FOLDER ?? cachedFolder();
    const [server, sqlTool] = [join(folder, 'temporal-server'), join(folder, 'temporal-sql-tool')];
    if (!isExecutable(server) || !isExecutable(sqlTool)) return undefined;
    const { output } = await run(server, ['--version'], { timeoutMs: 10_000 });
    const version = /version (\d+\.\d+\.\d+)/.exec(output)?.[1];
    if (!version) return undefined;
    const from = folder === cachedFolder() ? 'our cache' : 'TEMPORAL_SERVER_FOLDER';
    return { version, from, entry: { path: folder, version } };
  },
  async install(say) {
    const chosen = process.env.TEMPORAL_SERVER_FOLDER;
    if (chosen) throw new Error(`TEMPORAL_SERVER_FOLDER=${chosen} holds no temporal-server and temporal-sql-tool`);
    if (!findGo()) throw new Error('it is built with Go, and Go is not here');
    return goBuild({
      key: 'temporal-server',
      modules: ['cmd/server', 'cmd/tools/sql'].map((path) => `${MODULE}/${path}@v${TEMPORAL_SERVER_VERSION}`),
      ldflags: '-s -w',
      packages: '1,500',
      say,
      keep: ({ bin, mod }) => keepTogether(bin, join(mod, `${MODULE}@v${TEMPORAL_SERVER_VERSION}`)),
    });
  },
  help: () => [
    'install Go 1.26 or newer (https://go.dev/dl), and run this again: it is then built from source (some minutes, once)',
    `or set TEMPORAL_SERVER_FOLDER to a folder with temporal-server and temporal-sql-tool of ${TEMPORAL_SERVER_VERSION} and its schema/`,
  ],
};

/** Under the names that its images give them. The programs come last: with them the folder is found. */
function keepTogether(bin, source) {
  const folder = cachedFolder();
  mkdirSync(dirname(folder), { recursive: true });
  cpSync(join(source, 'schema', 'postgresql'), join(folder, 'schema', 'postgresql'), { recursive: true });
  renameSync(join(bin, 'server'), join(folder, 'temporal-server'));
  renameSync(join(bin, 'sql'), join(folder, 'temporal-sql-tool'));
}

function cachedFolder() {
  return join(cacheDir, 'temporal-server', TEMPORAL_SERVER_VERSION);
}
