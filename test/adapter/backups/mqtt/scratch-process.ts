import { copyFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { withScratchBroker } from '../../../../backups/mqtt/scratch-broker';

// A worker that proves a copy and is killed while the broker runs: argv is root folder, store, mosquitto.
const [root, store, path] = process.argv.slice(2) as [string, string, string];

void withScratchBroker(
  { mosquitto: { path }, root },
  async (file) => {
    copyFileSync(store, file);
  },
  async ({ pid }) => {
    process.stdout.write(`${pid}\n`);
    await sleep(60_000);
  },
);
