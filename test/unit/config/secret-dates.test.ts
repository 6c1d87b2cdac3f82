import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { secretDates } from '../../../config/secret-dates';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-dates-'));
const SECRETS_DATES_FILE = join(folder, 'dates.json');
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const NOW = new Date('2026-05-01T12:00:00Z');
const held = { DB_PASSWORD: 'a-password', MQTT_PASSWORD: 'another-one', SECRETS_DATES_FILE };

const dates = (text: string) => {
  writeFileSync(SECRETS_DATES_FILE, text);
  return secretDates(held, NOW);
};

describe('the days that secrets were made on', () => {
  it('are those of the file, for what the process has and for what else the file names', () => {
    expect(dates('{"DB_PASSWORD":"2026-03-01","BACKUP_ENCRYPTION_KEYS":"2026-01-01"}')).toEqual([
      { name: 'DB_PASSWORD', madeOn: '2026-03-01', fault: null },
      { name: 'MQTT_PASSWORD', madeOn: null, fault: 'SECRETS_DATES_FILE does not name it' },
      { name: 'BACKUP_ENCRYPTION_KEYS', madeOn: '2026-01-01', fault: null },
    ]);
  });

  it('are read anew each time', () => {
    expect(dates('{"DB_PASSWORD":"2026-03-01"}')[0]?.madeOn).toBe('2026-03-01');
    expect(dates('{"DB_PASSWORD":"2026-04-01"}')[0]?.madeOn).toBe('2026-04-01');
  });

  it.each([
    ['{', 'SECRETS_DATES_FILE: is not JSON'],
    ['{"DB_PASSWORD":"May"}', 'SECRETS_DATES_FILE: DB_PASSWORD is no date such as 2026-10-01'],
    ['{"DB_PASWORD":"2026-03-01"}', 'SECRETS_DATES_FILE: DB_PASWORD is no secret setting'],
    ['{"DB_PASSWORD":"2026-05-03"}', 'SECRETS_DATES_FILE: DB_PASSWORD was made on a day that has not come yet'],
  ])('are not known from %s, and it says why', (text, fault) => {
    expect(dates(text)).toEqual([
      { name: 'DB_PASSWORD', madeOn: null, fault },
      { name: 'MQTT_PASSWORD', madeOn: null, fault },
    ]);
  });

  it('are not known without the file, or while it is away', () => {
    expect(secretDates({ DB_PASSWORD: 'x' }, NOW)[0]?.fault).toBe('SECRETS_DATES_FILE is not set');
    rmSync(SECRETS_DATES_FILE);
    expect(secretDates(held, NOW)[0]?.fault).toBe('SECRETS_DATES_FILE: cannot be read (ENOENT)');
  });

  it('never quote what somebody put in by mistake', () => {
    expect(JSON.stringify(dates('{"DB_PASSWORD":"the-password-itself"}'))).not.toContain('the-password-itself');
    expect(JSON.stringify(dates('DB_PASSWORD=the-password-itself'))).not.toContain('the-password-itself');
  });
});
