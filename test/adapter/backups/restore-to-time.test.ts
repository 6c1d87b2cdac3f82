import { describeRecovery } from '../../support/backup-cases/recovery';
import { inDirectory } from '../../support/backup-places';

describeRecovery(inDirectory);
