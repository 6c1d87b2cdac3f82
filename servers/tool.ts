/** A program on this machine; `libraryPath` is for LD_LIBRARY_PATH when its libraries lie in a folder of their own. */
export interface Tool {
  readonly path: string;
  readonly libraryPath?: string;
}

/** PostgreSQL's programs, all in one folder and of one version. */
export interface PostgresTools {
  readonly bin: string;
  /** When it is known a cluster that another version made is refused with words. */
  readonly version?: string;
  readonly libraryPath?: string;
}

/** Our environment with the library path that a tool needs, for any program of its folder. */
export function toolEnvironment(tool: { readonly libraryPath?: string }): NodeJS.ProcessEnv {
  if (tool.libraryPath === undefined) return process.env;
  const own = process.env['LD_LIBRARY_PATH'];
  return { ...process.env, LD_LIBRARY_PATH: own ? `${tool.libraryPath}:${own}` : tool.libraryPath };
}
