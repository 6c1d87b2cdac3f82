import { workflowBundle } from '../support/runtime';

describe('the workflow bundle', () => {
  it('builds, and holds nothing that reaches out of the sandbox', async () => {
    const { code } = await workflowBundle();
    const modules = [...code.matchAll(/!\*\*\* (\.\/\S+) \*\*\*!/g)].map(([, name]) => name);
    expect(modules).toEqual(expect.arrayContaining(['./workflows/control-loop.ts', './domain/control-ticks.ts']));
    const foreign = modules.filter((name) =>
      /^\.\/(activities|db|broker|api|config|contracts|observability)\//.test(name!),
    );
    expect(foreign).toEqual([]);
    expect(modules.filter((name) => /node_modules\/(pg|mqtt|pino|zod|express)\//.test(name!))).toEqual([]);
  }, 30_000);
});
