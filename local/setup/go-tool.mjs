import { join } from 'node:path';
import { isExecutable } from './find-program.mjs';
import { findGo, goInstall } from './go-install.mjs';
import { cacheDir } from './paths.mjs';
import { run } from './run.mjs';

/**
 * A program of one pinned version, built from source where it is not in our cache: checks that give other answers in other
 * versions are taken from nowhere else, unless the variable `pathVariable` names one.
 */
export function goTool({ name, key, module, version, pathVariable, probe, packages }) {
  const cached = join(cacheDir, key, version, key);
  return {
    name,
    key,
    async find() {
      const path = process.env[pathVariable] ?? cached;
      if (!isExecutable(path)) return undefined;
      const { status } = await run(path, probe, { timeoutMs: 10_000 });
      const from = path === cached ? 'our cache' : pathVariable;
      return status === 0 ? { version, from, entry: { path, version } } : undefined;
    },
    async install(say) {
      const chosen = process.env[pathVariable];
      if (chosen) throw new Error(`${pathVariable}=${chosen} is not a ${name} that runs here`);
      if (!findGo()) throw new Error('it is built with Go, and Go is not here');
      return goInstall({ key, module: `${module}@v${version}`, ldflags: '-s -w', target: cached, packages, say });
    },
    help: () => [
      `install Go 1.25 or newer (https://go.dev/dl), and run this again: it is then built from source`,
      `or set ${pathVariable} to a ${name} ${version}`,
    ],
  };
}
