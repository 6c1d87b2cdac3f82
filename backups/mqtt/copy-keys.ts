import { backupsOf } from '../backup-key';

/** Below which all copies of one broker lie. */
export const copiesOf = (broker: string): string => `${backupsOf('mqtt')}${broker}/`;

/** `mqtt-backup/{broker}/{time of the save}-{run}.db`. */
export const copyKey = (broker: string, savedAtMs: number, runId: string): string =>
  `${copiesOf(broker)}${new Date(savedAtMs).toISOString().slice(0, 19).replaceAll(':', '-')}Z-${runId}.db`;
