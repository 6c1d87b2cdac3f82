import { describeStock } from '../../support/backup-cases/stock';
import { inDirectory } from '../../support/backup-places';

describeStock(inDirectory);
