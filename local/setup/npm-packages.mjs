import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoRoot } from './paths.mjs';
import { run } from './run.mjs';

export const npmPackages = {
  name: 'npm packages',
  /** Found when what npm says it installed is what package-lock.json asks for. */
  async find() {
    const wanted = packagesOf('package-lock.json');
    const installed = packagesOf('node_modules/.package-lock.json');
    if (!wanted || !installed || !matches(wanted, installed)) return undefined;
    return { version: `${Object.keys(installed).length} packages`, from: 'node_modules' };
  },
  async install(say) {
    say('npm ci');
    const { program, args } = npm();
    const done = await run(program, [...args, 'ci', '--no-audit', '--no-fund'], { cwd: repoRoot });
    if (done.status !== 0) throw new Error(`npm ci failed:\n${reasons(done.output)}`);
    return 'npm ci';
  },
  help: () => [`cd '${repoRoot}' && npm ci`],
};

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(repoRoot, file), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** npm leaves out optional packages of other platforms; everything else has to be there, in the locked version. */
function matches(wanted, installed) {
  const asWanted = Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = installed[path];
    if (!found) return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
  return asWanted && Object.keys(installed).every((path) => path in wanted);
}

/** npm says first what is wrong, and then much else. */
function reasons(output) {
  const errors = output.split('\n').filter((line) => /^npm (error|ERR!) \S/.test(line));
  return (errors.length > 0 ? errors : output.split('\n')).slice(0, 6).join('\n');
}

/** The npm that called us, or else the one on PATH. */
function npm() {
  const script = process.env.npm_execpath;
  if (script?.endsWith('.js')) return { program: process.execPath, args: [script] };
  return { program: 'npm', args: [] };
}
