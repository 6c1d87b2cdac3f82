/** A command could not do what was asked; the message says what to do about it. Exit code 2 unless told otherwise. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';

  constructor(
    message: string,
    readonly exitCode = 2,
    options: ErrorOptions = {},
  ) {
    super(message, options);
  }
}
