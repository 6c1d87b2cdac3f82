import { repositoryRoot } from '../toolchain';
import { exitCodeOf, judge, type Judged } from './check';
import { releaseChecks } from './checks';
import { readPreviousRelease } from './previous-release';

/** `npm run release:check [-- --or-say-so]`: everything that a release has to be, as one table. */
async function main(): Promise<number> {
  const root = repositoryRoot();
  const previous = readPreviousRelease(root);
  console.log(`Held against ${previous.version}, commit ${previous.commit.slice(0, 7)}.\n`);
  const all = await judge(releaseChecks(root, previous), tell);
  const code = exitCodeOf(all, process.argv.includes('--or-say-so'));
  console.log(code === 0 ? '\nIt can be released.' : '\nNot to be released like this.');
  return code;
}

const FAULTS_SHOWN = 20;

function tell({ verdict, name, said, seconds, faults }: Judged): void {
  console.log(`${verdict.padEnd(12)} ${name.padEnd(30)} ${`${seconds.toFixed(1)} s`.padStart(7)}  ${said}`);
  for (const fault of faults.slice(0, FAULTS_SHOWN)) console.log(`             - ${fault}`);
  if (faults.length > FAULTS_SHOWN) console.log(`             - and ${String(faults.length - FAULTS_SHOWN)} more`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
