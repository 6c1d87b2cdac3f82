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

/** What a program of somebody else gets to know of our environment: no setting, and above all no secret, of ours. */
const HANDED_ON = /^(PATH|HOME|USER|LOGNAME|TMPDIR|TZ|LANG|LC_\w+|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|PGSSL[A-Z]*)$/;

/** That, with the library path that a tool needs, for any program of its folder. */
export function toolEnvironment(tool: { readonly libraryPath?: string } = {}): NodeJS.ProcessEnv {
  const handedOn = Object.fromEntries(Object.entries(process.env).filter(([name]) => HANDED_ON.test(name)));
  if (tool.libraryPath === undefined) return handedOn;
  const own = handedOn['LD_LIBRARY_PATH'];
  return { ...handedOn, LD_LIBRARY_PATH: own ? `${tool.libraryPath}:${own}` : tool.libraryPath };
}
