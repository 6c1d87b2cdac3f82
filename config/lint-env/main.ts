import { lintEnvironment } from './lint';

/** `npm run lint:env [-- FOLDER]`: 0: clean; 1: something is to be seen to, a line each; 2: something cannot be read. */
function main([root = '.']: readonly string[]): number {
  try {
    const { files, findings } = lintEnvironment(root);
    for (const { file, place, fault } of findings) process.stderr.write(`${file}: ${place}: ${fault}\n`);
    if (findings.length > 0) return 1;
    process.stdout.write(`no secret and no weak default in ${String(files.length)} files: ${files.join(', ')}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

process.exitCode = main(process.argv.slice(2));
