/** Names of what is stored: `mqtt-backup/{broker}/{time of the save}-{run}.db`, and its manifest beside it. */
const MANIFEST = '.manifest.json';

/** Below which all copies of one broker lie. */
export const copiesOf = (broker: string): string => `mqtt-backup/${broker}/`;

export const copyKey = (broker: string, savedAtMs: number, runId: string): string =>
  `${copiesOf(broker)}${new Date(savedAtMs).toISOString().slice(0, 19).replaceAll(':', '-')}Z-${runId}.db`;

export const manifestKey = (copyKey: string): string => `${copyKey}${MANIFEST}`;
export const isManifestKey = (key: string): boolean => key.endsWith(MANIFEST);
export const copyKeyOf = (manifestKey: string): string => manifestKey.slice(0, -MANIFEST.length);
