import { formatLsn, parseWalName, startOf } from '../../domain/wal-names';

/** As far as the first page of a segment tells who wrote it. */
const HEADER_BYTES = 40;
/** xlp_info: the page begins with the long header, as the first page of each segment does. */
const LONG_HEADER = 0x0002;

/**
 * Compares a segment's own words with its name and its cluster, so that neither a cut file nor another cluster's is taken
 * for it. Reads the layout that PostgreSQL has written since 9.3 on little-endian machines.
 *
 * @throws {Error} with what does not fit.
 */
export function checkSegment(name: string, content: Buffer, systemId: string): void {
  const file = parseWalName(name);
  if (file?.kind !== 'segment') return;
  if (content.length < HEADER_BYTES) throw new Error(`${name} has only ${String(content.length)} bytes`);
  if ((content.readUInt16LE(2) & LONG_HEADER) === 0) throw new Error(`${name} does not begin as a segment of the log`);
  const timeline = content.readUInt32LE(4);
  const startsAt = content.readBigUInt64LE(8);
  const writtenBy = content.readBigUInt64LE(24).toString();
  const segmentBytes = content.readUInt32LE(32);
  if (content.length !== segmentBytes)
    throw new Error(`${name} has ${String(content.length)} bytes of ${String(segmentBytes)}`);
  if (writtenBy !== systemId) throw new Error(`${name} is of cluster ${writtenBy}, not of ${systemId}`);
  // A segment that a timeline begins with may still bear the number of the one before.
  if (timeline > file.timeline || startsAt !== startOf(file.place, segmentBytes))
    throw new Error(`${name} holds timeline ${String(timeline)} from ${formatLsn(startsAt)} on`);
}
