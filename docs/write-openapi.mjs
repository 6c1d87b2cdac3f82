// Writes docs/openapi.json from the routes: `npm run docs:openapi`. Refuses what would break callers, by oasdiff, unless
// `--breaking` says that it is meant: then it is a new version of the API, and CHANGELOG.md says so.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { openApiFile } = createRequire(import.meta.url)(join(root, 'dist', 'api', 'openapi-file.js'));
const promised = join(root, 'docs', 'openapi.json');
const isMeant = process.argv.includes('--breaking');
const folder = mkdtempSync(join(tmpdir(), 'derms-openapi-'));
try {
  const present = join(folder, 'openapi.json');
  writeFileSync(present, openApiFile());
  if (existsSync(promised) && !isMeant && readFileSync(promised, 'utf8') !== readFileSync(present, 'utf8')) {
    execFileSync(oasdiffPath(), ['breaking', promised, present, '--fail-on', 'ERR'], { stdio: 'inherit' });
  }
  writeFileSync(`${promised}.new`, readFileSync(present));
  renameSync(`${promised}.new`, promised);
} catch (error) {
  process.stderr.write(`docs/openapi.json stays as it is: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}

function oasdiffPath() {
  const { oasdiff } = JSON.parse(readFileSync(join(root, '.local', 'toolchain.json'), 'utf8'));
  if (oasdiff) return oasdiff.path;
  throw new Error('this needs oasdiff: `node local/setup/setup.mjs --proofs` installs it, or says what to type');
}
