import { TidingsError } from '../core/errors.ts';

/**
 * Why a row cannot be mapped, before anybody has said which table, column and rule it is about. Its reason never holds a value (I10).
 */
export class ValueFault extends Error {
  override readonly name: string = 'ValueFault';
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

export function fault(reason: string): never {
  throw new ValueFault(reason);
}

/** An expression or a template that cannot be used. @param at where in its text, counted from 0; people count from 1 */
export function expressionError(what: string, at: number, hint?: string): TidingsError {
  return new TidingsError('MAPPING_INVALID', `${what}, at character ${at + 1}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { character: at + 1 },
  });
}

/** What differs from change to change cannot say which row is meant: that of the last change would be left behind. */
export function changeMistake(what: string): TidingsError {
  return new TidingsError(
    'MAPPING_INVALID',
    `${what} depends on scn(), committed_at() or op(), which differ from change to change`,
    {
      hint: 'Use values of the row.',
    },
  );
}
