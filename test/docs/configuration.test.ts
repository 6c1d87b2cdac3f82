import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage, environmentExample } from '../../config/page';
import { SECRET_SETTINGS, settings } from '../../config/schema';

const file = (name: string): string => readFileSync(join(__dirname, '../..', name), 'utf8');

describe('the configuration', () => {
  it('is described in docs/configuration.md as the schema has it', () => {
    expect(file('docs/configuration.md')).toBe(configurationPage());
  });

  it('is laid out in .env.example as the schema has it', () => {
    expect(file('.env.example')).toBe(environmentExample());
  });

  it('gives no secret a default', () => {
    for (const name of SECRET_SETTINGS) {
      const given = settings[name].safeParse(undefined);
      expect([name, given.success ? given.data : undefined]).toEqual([name, undefined]);
    }
  });
});
