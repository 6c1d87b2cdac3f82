import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { NOTHING_KNOWN, type PrimaryKnown } from '../../domain/primary-choice';

/**
 * What the check knew before it was started anew.
 *
 * @throws {Error} when the file is there and cannot be understood: with nothing known a stale primary might be believed.
 */
export function readKnown(file: string): PrimaryKnown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING_KNOWN;
    throw error;
  }
  const found = asKnown(text);
  if (found === null) throw new Error(`${file} is not what we wrote: look which node is primary, then remove the file`);
  return found;
}

/** Whole or not at all. */
export function writeKnown(file: string, known: PrimaryKnown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(known)}\n`, { flush: true });
  renameSync(`${file}.new`, file);
}

function asKnown(text: string): PrimaryKnown | null {
  try {
    const { timeline, node } = JSON.parse(text) as Partial<PrimaryKnown>;
    const fits = Number.isInteger(timeline) && (node === null || typeof node === 'string');
    return fits ? { timeline: timeline ?? 0, node: node ?? null } : null;
  } catch {
    return null;
  }
}
