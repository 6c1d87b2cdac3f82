import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const files = (folder: string): string[] =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
const manifests = [
  ...files(join(ROOT, 'deploy')),
  ...readdirSync(ROOT)
    .filter((name) => /^(docker-)?compose.*\.ya?ml$/.test(name))
    .map((name) => join(ROOT, name)),
];

// There, all our processes would be one client that throws itself out; see deploy/mosquitto/README.md.
it('no manifest sends our processes to the port of the devices', () => {
  const wrong = manifests.filter((file) => /MQTT_PORT\W+(value\W+)?8883\b/.test(readFileSync(file, 'utf8')));
  expect(wrong).toEqual([]);
});
