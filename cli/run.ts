import { audit } from './commands/audit';
import { backupKey } from './commands/backup-key';
import { backups } from './commands/backups';
import { brokerStore } from './commands/broker-store';
import { cancel } from './commands/cancel';
import { cancelRun } from './commands/cancel-run';
import { dispatch } from './commands/dispatch';
import { emergencyStop } from './commands/emergency-stop';
import { feeders } from './commands/feeders';
import { hashPassword } from './commands/hash-password';
import { job } from './commands/job';
import { jobs } from './commands/jobs';
import { machineTokens } from './commands/machine-tokens';
import { quarantine } from './commands/quarantine';
import { registry } from './commands/registry';
import { revokeTokens } from './commands/revoke-tokens';
import { run as showRun } from './commands/run';
import { runs } from './commands/runs';
import { schedule, schedules } from './commands/schedules';
import { status } from './commands/status';
import type { CliContext, Command } from './context';
import { CommandFailure } from './failure';

const COMMANDS: Readonly<Record<string, Command>> = {
  status,
  feeders,
  dispatch,
  cancel,
  'emergency-stop': emergencyStop,
  registry,
  jobs,
  job,
  runs,
  run: showRun,
  'cancel-run': cancelRun,
  schedules,
  schedule,
  backups,
  quarantine,
  'machine-tokens': machineTokens,
  'revoke-tokens': revokeTokens,
  audit,
  'hash-password': hashPassword,
  'backup-key': backupKey,
  'broker-store': brokerStore,
};

const HELP = `npm run derms -- COMMAND

  status                        what works and what does not; exit code 0, 1 degraded, 2 down
  feeders                       every feeder, worst first
  dispatch --feeder F …         hold a limit at a feeder for a while
  cancel DISPATCH --reason R    end a dispatch now
  emergency-stop --safe-state S every device to default or zero, straight through the broker (lift --reason R, show)
  registry apply FILE           apply a registry file (--dry-run shows the difference)
  jobs                          every job: when it runs by itself, whether it keeps its promise
  job NAME [--input '{…}']      run a job now: --follow shows it, --wait S waits for it, --again RUN takes that input
  runs [--job J] [--state S]    the newest runs
  run RUN [--follow]            one run: steps, lines, proof, result
  cancel-run RUN --reason R     ask a run to stop
  schedules                     when jobs run by themselves, and what became of their last times
  backups [--kind K]            every backup, newest first, and how far it is proven; exit code 1 when the newest is not
  schedule ACT SCHEDULE         show its last and next times, pause or resume it (--reason R), or trigger it now
  quarantine                    whether a restored database may control yet (lift --reason R)
  machine-tokens                tokens of CronJobs and scrapers: issue NAME --scope S --purpose P, revoke ID --reason R
  revoke-tokens --reason R      end all tokens issued before now (--before T, --user U): people log in again
  hash-password                 a hash, or with --user U --role R an entry, for AUTH_USERS
  audit export FILE             the audit log: --format csv, --from T, --to T
  backup-key [--id ID]          a new key for BACKUP_ENCRYPTION_KEYS
  broker-store --latest …       a proven copy of a broker's store, from storage into a file

The API is found by DERMS_API_URL and entered as DERMS_USER with DERMS_PASSWORD, or with a machine token in
DERMS_TOKEN: from the environment, or from .local/derms.env, which npm start writes. --json prints what the API says.
Of a run the exit code is 0 when it succeeded, 1 when it failed, was cancelled or terminated, 3 while it is not over, 4
when there was nothing to do; 2 is for commands that could not be carried out.`;

/** Runs one command; failures that people can act on become a message and an exit code. */
export async function run(
  argv: readonly string[],
  context: CliContext,
  printError: (text: string) => void,
): Promise<number> {
  const [name = 'help', ...rest] = argv;
  if (['help', '--help', '-h'].includes(name)) {
    context.print(HELP);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (command === undefined) throw new CommandFailure(`There is no command "${name}".\n\n${HELP}`);
    return await command(rest, context);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    printError(error.message);
    return error.exitCode;
  }
}
