import { z } from 'zod';
import { readRegistry, registryFileSchema } from '../../contracts/registry-file';
import { answer, defineRoute, type Route } from '../route';
import { flagField, idSchema } from '../schemas/fields';
import { tellWorkflow, wakeTrees } from '../tell-workflow';

const ids = z.array(idSchema).readonly();
const difference = z.strictObject({
  created: ids,
  changed: z
    .array(
      z.strictObject({
        id: idSchema,
        fields: z.record(z.string(), z.strictObject({ from: z.unknown(), to: z.unknown() }).readonly()).readonly(),
      }),
    )
    .readonly(),
  unchanged: z.number().int(),
  absent: ids.describe('In the database and not in the file; left as they are.'),
  removed: ids.describe('Removed because `prune` asked for it.'),
});

const registryApplied = z
  .strictObject({ applied: z.boolean(), feeders: difference, devices: difference })
  .meta({ id: 'RegistryDifference' });

export const registryRoutes: readonly Route[] = [
  defineRoute({
    method: 'post',
    path: '/api/registry',
    operationId: 'applyRegistry',
    tag: 'Registry',
    summary: 'Apply a registry file, whole or not at all',
    description:
      'The tree of feeders and the devices on it, as `npm run derms -- registry apply file.yaml` sends it. What the file ' +
      'leaves out of an entry stays as it is. Answers with the difference; with `validateOnly` nothing is applied.',
    query: z.strictObject({
      validateOnly: flagField('Show the difference and change nothing.'),
      prune: flagField('Remove what the file does not name, devices that came over the wire included.'),
    }),
    body: registryFileSchema.meta({ id: 'RegistryFile' }),
    readBody: readRegistry,
    bodyLimitBytes: 8 * 1024 * 1024,
    answers: { 200: { description: 'The difference.', schema: registryApplied } },
    errors: ['REGISTRY_INVALID'],
    needsTemporal: ({ query }) => !query.validateOnly,
    audit: { action: 'registry.apply', subject: () => 'registry' },
    handle: async ({ query: { validateOnly, prune }, body, actor }, ports) => {
      const { rootsTouched, rootsCreated, ...result } = await ports.registry.apply({
        file: body,
        validateOnly,
        prune,
        actor,
      });
      for (const feederId of rootsCreated) {
        const about = { feederId, requestId: actor.requestId };
        await tellWorkflow(ports, 'start-loop', about, (to) => to.startControlLoop(feederId));
      }
      await wakeTrees(ports, rootsTouched, actor.requestId);
      return answer(200, result);
    },
  }),
];
