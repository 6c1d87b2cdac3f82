import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// `npm run deploy:render`: writes deploy/k8s/{staging,prod}/derms.yaml from base and overlays, by the pinned kustomize. With
// `--check` it writes nothing and fails where a file is not what it would write.

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const toolchain = JSON.parse(readFileSync(at('../../.local/toolchain.json'), 'utf8'));
if (!toolchain.kustomize)
  throw new Error('kustomize is not here: `node local/setup/setup.mjs --proofs` builds it, or says what to type');
const check = process.argv.includes('--check');

for (const environment of ['staging', 'prod']) {
  const rendered = execFileSync(toolchain.kustomize.path, ['build', at(`overlays/${environment}`)], {
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  });
  const head = `# Rendered by \`npm run deploy:render\` from deploy/k8s/overlays/${environment}. Change it there.\n`;
  const file = at(`${environment}/derms.yaml`);
  if (!check) writeFileSync(file, head + rendered);
  else if (readFileSync(file, 'utf8') !== head + rendered) {
    console.error(`deploy/k8s/${environment}/derms.yaml is not what its overlay says: npm run deploy:render`);
    process.exitCode = 1;
  }
}
