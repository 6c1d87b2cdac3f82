import { parseArgs } from 'node:util';
import { CHECKS } from './checks';
import { FAULTS } from './faults';
import { startFleet, startProductionShape, type ProductionShape } from './shape';

const USAGE = `npm run stack:production-shape -- [--check] [--faults]

  Starts the system as production runs it, with the files of docker-compose.yml and deploy/ and secrets of its own, and runs
  its checks. Then it goes on until Ctrl-C.

  --check    ends after the checks
  --faults   kills and hangs the Temporal server too

Exit code 0: all checks hold, 1: not.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { check: { type: 'boolean', default: false }, faults: { type: 'boolean', default: false } },
  });
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      say('stopping');
      interrupted.abort(new Error('stopped'));
    });
  const shape = await startProductionShape({ say: told, signal: interrupted.signal });
  let allHold = false;
  try {
    await startFleet(shape);
    say(`\n${tableOf(shape)}\n`);
    allHold = await check(shape, values.faults, interrupted.signal);
    if (!values.check) {
      const { DERMS_USER: user = '', DERMS_PASSWORD: password = '' } = shape.secrets;
      say(
        `\n${shape.apiUrl} (its certificate is of ${shape.ground.path('api', '/keys/ca.crt')}), user ${user}, password ${password}`,
      );
      say('Ctrl-C stops it.');
      if (!interrupted.signal.aborted)
        await new Promise((resolve) => {
          interrupted.signal.addEventListener('abort', resolve);
        });
    }
  } finally {
    await shape.stop({ keepFolder: !allHold && !interrupted.signal.aborted });
  }
  if (!allHold) say(`logs are in ${shape.ground.folder}`);
  return allHold || interrupted.signal.aborted ? 0 : 1;
}

/** All are tried, whatever one says. */
async function check(shape: ProductionShape, faults: boolean, signal: AbortSignal): Promise<boolean> {
  let failed = 0;
  for (const { name, run } of [...CHECKS, ...(faults ? FAULTS : [])]) {
    if (signal.aborted) break;
    const startedAt = performance.now();
    const seconds = (): string => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`;
    try {
      say(`✓ ${name}: ${await run(shape)} (${seconds()})`);
    } catch (error) {
      failed += 1;
      say(`✗ ${name}: ${error instanceof Error ? error.message : String(error)} (${seconds()})`);
    }
  }
  return failed === 0;
}

function tableOf({ parts }: ProductionShape): string {
  const rows = parts
    .all()
    .map(({ name, from, address, process: running }) => [name, address, String(running().pid), from]);
  const all = [['what', 'where', 'pid', 'from'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function told(step: string): void {
  say(`✓ ${step}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n${USAGE}`);
    process.exit(1);
  },
);
