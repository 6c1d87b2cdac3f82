import { followLog } from '../broker/follow-log';
import { readLogLine } from '../broker/log-lines';
import { createTurnedAwayCount } from '../broker/turned-away';
import type { RoleProcess } from './role-process';

/** Counts by client what the broker turns away, and passes on the rest of what it says to people. */
export function watchBrokerLog(
  path: string,
  { log, registry, shutdown }: Pick<RoleProcess, 'log' | 'registry' | 'shutdown'>,
): void {
  const count = createTurnedAwayCount({ registry, log, monotonicMs: () => performance.now() });
  const follower = followLog(path, {
    onLine: (line) => {
      const read = readLogLine(line);
      if (typeof read === 'string') log.info({ said: read }, 'the broker says');
      else if (read !== null) count(read);
    },
    onFault: (err) => {
      log.warn({ err }, "the broker's log cannot be read; it is tried again");
    },
  });
  shutdown.add("the broker's log", () => follower.stop());
}
