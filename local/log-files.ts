import { copyFileSync, existsSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const MOST_BYTES = 50 * 1024 ** 2;
const LOOK_EVERY_MS = 30_000;

/**
 * Keeps logs from growing without bound: one over 50 MiB becomes `name.log.1` and begins anew.
 * Its writer keeps the file open for appending, hence copied and cut, not renamed. Returns how to stop looking.
 */
export function rotateLogs(folder: string): () => void {
  const look = (): void => {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const file = join(folder, name);
      if (!name.endsWith('.log') || statSync(file).size < MOST_BYTES) continue;
      copyFileSync(file, `${file}.1`);
      truncateSync(file);
    }
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
  };
}
