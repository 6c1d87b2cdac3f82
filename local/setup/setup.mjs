import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { components, proofComponents, shapeComponents, tableLine, whatToType } from './components.mjs';
import { withLock } from './lock.mjs';
import { npmPackages } from './npm-packages.mjs';
import { cacheDir, localDir, toolchainFile } from './paths.mjs';
import { createProgress } from './progress.mjs';

// The step that `npm start`, `npm test` and the rest begin with: finds what the machine has, installs what it lacks,
// says what it did, and writes where the tools are. Plain Node without packages, since those may be missing themselves.

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 11)) {
  console.error(`Node ${process.versions.node} is too old: install Node 20.11 or newer (https://nodejs.org).`);
  process.exit(1);
}
for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 }))
  process.on(signal, () => process.exit(code));
process.setMaxListeners(50); // each component that is being installed removes its scratch on exit

const npmOnly = process.argv.includes('--npm-only');
const forShape = process.argv.includes('--production-shape') ? shapeComponents : [];
const wanted = npmOnly ? [npmPackages] : [...components, ...forShape];
const forProofs = (process.argv.includes('--proofs') ? proofComponents : []).filter((each) => !wanted.includes(each));
const progress = createProgress();
const results = await Promise.all([...wanted, ...forProofs].map(provide));

const missing = results.filter(({ found }) => !found);
if (missing.length > 0) console.error(whatToType(missing));
if (missing.some(({ component }) => wanted.includes(component))) process.exitCode = 1;
else if (!npmOnly) writeToolchain([...results, ...(await alreadyThere())].filter(({ found }) => found));

/** What only proofs or the production-shaped run need is not installed without them, but kept in the record once it is there: benchmarks use it. */
async function alreadyThere() {
  const asked = [...wanted, ...forProofs];
  const rest = [...new Set([...proofComponents, ...shapeComponents])].filter((component) => !asked.includes(component));
  return Promise.all(rest.map(async (component) => ({ component, found: await component.find() })));
}

/** Finds a component, or installs it under a lock and looks again. */
async function provide(component) {
  const began = performance.now();
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  const report = (found, how) => progress.print(tableLine(component.name, found, how));
  let found = await component.find();
  if (found) {
    report(found, `found, ${seconds()}`);
    return { component, found };
  }
  const say = (text) => progress.say(component.name, text);
  try {
    let how = 'found';
    await withLock(
      lockOf(component),
      async () => {
        found = await component.find();
        if (!found) how = await component.install(say);
      },
      (pid) => say(pid === process.pid ? 'waiting for its turn' : `waiting for another set-up (process ${pid})`),
    );
    found ??= await component.find();
    progress.end(component.name);
    report(found, found ? `${how}, ${seconds()}` : `not usable after ${how}`);
    return { component, found, reason: found ? undefined : `${how} went well, but the programs do not run here` };
  } catch (error) {
    progress.end(component.name);
    report(undefined, `could not be installed, ${seconds()}`);
    return { component, reason: error.message };
  }
}

/** npm packages belong to this checkout; the cache and the system's packages are shared by all checkouts. */
function lockOf(component) {
  if (component === npmPackages) return join(localDir, 'setup.lock');
  return join(cacheDir, component.packages ? 'system-packages.lock' : `${component.key}.lock`);
}

function writeToolchain(all) {
  const tools = Object.fromEntries(
    all.filter(({ component }) => component.key).map(({ component, found }) => [component.key, found.entry]),
  );
  const text = `${JSON.stringify(tools, undefined, 2)}\n`;
  if (text === current()) return;
  mkdirSync(localDir, { recursive: true });
  const fresh = `${toolchainFile}.${process.pid}`;
  writeFileSync(fresh, text);
  renameSync(fresh, toolchainFile);
}

function current() {
  try {
    return readFileSync(toolchainFile, 'utf8');
  } catch {
    return undefined;
  }
}
