import { describeBaseBackups } from '../../support/backup-cases/base-backup';
import { describeRecovery } from '../../support/backup-cases/recovery';
import { describeStock } from '../../support/backup-cases/stock';
import { inBucket } from '../../support/backup-places';

// What the adapter tests show of a directory, of a bucket of a real S3 server.

describe('in a bucket', () => {
  describeBaseBackups(inBucket);
  describeRecovery(inBucket);
  describeStock(inBucket);
});
