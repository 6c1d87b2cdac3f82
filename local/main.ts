import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { config } from 'dotenv';
import { panel } from './panel';
import { choosePorts } from './ports';
import { createProgress } from './progress';
import { exampleDispatch } from './registry-example';
import { beginRunRecord, endLeftovers, ownerOfRun, RunningAlreadyError, type RunRecord } from '../servers/run-record';
import { localSecrets } from './secrets';
import { DEMO_REGISTRY, startStack } from './stack';
import { startOver } from './start-over';
import { Supervisor } from './supervisor';
import { localFolder, repositoryRoot } from './toolchain';
import { rotateLogs } from './log-files';

// `npm start`: the whole system on this machine, kept up until Ctrl-C. `--fresh` forgets the data of earlier runs.

const EXIT = { ok: 0, failed: 1, forced: 130 } as const;
// One Ctrl-C reaches us twice where npm hands on what the terminal has sent already.
const SAME_KEYSTROKE_MS = 300;

async function main(): Promise<number> {
  const began = performance.now();
  const root = repositoryRoot();
  const folder = localFolder();
  config({ path: join(root, '.env'), quiet: true });
  mkdirSync(folder, { recursive: true });
  const progress = createProgress(process.stdout);
  const record = await claim(join(folder, 'run.json'), progress.say);
  if (!record) return EXIT.failed;
  if (process.argv.includes('--fresh')) {
    startOver(folder);
    progress.say('- data, logs and passwords of earlier runs are removed');
  }
  const supervisor = new Supervisor({ say: progress.say, record: record.add });
  const signals = stopOnSignal(supervisor, progress.say);
  const stopRotation = rotateLogs(join(folder, 'logs'));
  const { ports, notes } = await choosePorts(process.env);
  for (const note of notes) progress.say(`! ${note}`);
  const secrets = localSecrets(join(folder, 'secrets.json'));

  const failed = startStack({ root, folder, ports, secrets, supervisor, progress }).then(
    () => {
      const readySeconds = (performance.now() - began) / 1000;
      const example = exampleDispatch(join(root, DEMO_REGISTRY));
      progress.say(panel({ ports, users: secrets.users, folder, readySeconds, example }));
      return supervisor.gaveUp;
    },
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const reason = await Promise.race([failed, signals.asked]);
  if (reason !== undefined && !supervisor.signal.aborted) progress.say(`\n✗ ${reason}\n\nStopping everything.`);
  const stopping = performance.now();
  await supervisor.stop();
  stopRotation();
  progress.end();
  record.end();
  progress.say(`Stopped after ${((performance.now() - stopping) / 1000).toFixed(1)} s.`);
  if (signals.forced()) return EXIT.forced;
  return reason === undefined ? EXIT.ok : EXIT.failed;
}

/** Makes this process the one that runs the stack; ends what a killed one left. `undefined` when one runs already. */
async function claim(file: string, say: (line: string) => void): Promise<RunRecord | undefined> {
  const owner = ownerOfRun(file);
  try {
    if (owner !== undefined) throw new RunningAlreadyError(`process ${owner}`);
    const left = await endLeftovers(file);
    if (left.length > 0) say(`- the last run was killed; ended what it left: ${left.join(', ')}`);
    return beginRunRecord(file);
  } catch (error) {
    if (!(error instanceof RunningAlreadyError)) throw error;
    say(`The stack of this folder is running already (${error.message}). Stop it with Ctrl-C there first.`);
    return undefined;
  }
}

/**
 * `asked` settles at the first Ctrl-C (or SIGTERM, or when the terminal is closed); the second one kills everything and
 * ends this process even if the orderly stop hangs.
 */
function stopOnSignal(supervisor: Supervisor, say: (line: string) => void) {
  let askedAt: number | undefined;
  let forced = false;
  const asked = new Promise<undefined>((resolve) => {
    const onSignal = (): void => {
      if (askedAt === undefined) {
        askedAt = performance.now();
        say('\nStopping everything; Ctrl-C again kills it.');
        resolve(undefined);
      } else if (performance.now() - askedAt > SAME_KEYSTROKE_MS) {
        forced = true;
        say('Killed.');
        void supervisor.kill().then(() => process.exit(EXIT.forced));
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  });
  return { asked, forced: () => forced };
}

// The terminal is gone: we still have to stop what we started.
process.stdout.on('error', () => undefined);

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(EXIT.failed);
  },
);
