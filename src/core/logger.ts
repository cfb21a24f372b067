/**
 * What every part of Tidings logs through. Object first, message second: fixed keys, ids and counts, never row values or
 * credentials (I10). Quiet when all is well; `error` means that someone must act.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds these fields to every line. */
  child(fields: object): Logger;
}

/** Says nothing. What a library uses when it was given no logger. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
