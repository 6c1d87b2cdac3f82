import { createS3Storage } from '../../../storage/s3';
import type { S3Location } from '../../../storage/s3-client';
import { inChunks, pattern } from '../../support/chunks';

/** A process that stores one object after the other until it is killed. */
async function main(location: S3Location): Promise<void> {
  const storage = await createS3Storage(location);
  const content = pattern(20_000_000);
  process.stdout.write('begun\n');
  for (let turn = 0; ; turn += 1) await storage.put(`object-${String(turn)}`, inChunks(content, 65_536));
}

// The test gives us one.
void main(JSON.parse(process.argv[2] ?? '') as S3Location);
