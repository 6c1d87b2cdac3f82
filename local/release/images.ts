import type { Look } from './check';

/** Whether all places that name an image of ours name it with this version. */
export function images(files: readonly (readonly [string, string])[], version: string): Look {
  const named = files.flatMap(([path, text]) =>
    [...text.matchAll(/derms\/(?:app|ops):([\w.-]+)|^ARG VERSION=(\S+)/gm)].map(([whole, tag, argument]) => ({
      ...{ path, whole },
      is: tag ?? argument,
    })),
  );
  const others = named.filter(({ is }) => is !== version).map(({ path, whole }) => `${path}: ${whole}`);
  return { said: `${String(named.length)} places name ${version}`, faults: [...new Set(others)] };
}
