import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * `npm run lint:env`: fails when .env.example gives a secret a value. A sample value that works is a default that somebody
 * will run with.
 */
const SECRET = /(PASSWORD|SECRET|TOKEN|KEY|AUTH_USERS|CREDENTIALS)$/;
const path = fileURLToPath(new URL('../.env.example', import.meta.url));
const faults = readFileSync(path, 'utf8')
  .split('\n')
  .flatMap((line, index) => {
    const [, name, value] = /^#?\s*([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    return name !== undefined && SECRET.test(name) && value !== ''
      ? [`.env.example:${index + 1}: ${name} must stay empty`]
      : [];
  });
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
else console.log('.env.example: no secret has a value');
