import { describeBaseBackups } from '../../support/backup-cases/base-backup';
import { inDirectory } from '../../support/backup-places';

describeBaseBackups(inDirectory);
