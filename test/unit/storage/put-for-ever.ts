import { createDirectoryStorage } from '../../../storage/directory';
import { inChunks, pattern } from '../../support/chunks';

/** A process that stores one object after the other until it is killed. */
async function main(folder: string): Promise<void> {
  const storage = createDirectoryStorage(folder);
  const content = pattern(20_000_000);
  process.stdout.write('begun\n');
  for (let turn = 0; ; turn += 1) await storage.put(`object-${String(turn)}`, inChunks(content, 65_536));
}

void main(process.argv[2] ?? '');
