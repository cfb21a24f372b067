import type { Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import type { MappedRow } from '../core/mapper.ts';
import type { SinkTarget } from '../core/sink.ts';
import { fault } from './faults.ts';
import type { RulePlan } from './plan.ts';
import { isSameValue } from './row-image.ts';

/** What a rule makes of the changes of one table. */
export interface RuleProgram {
  readonly plan: RulePlan;
  /** Adds the rows that the change becomes. @throws ValueFault */
  map(change: StreamChange, out: MappedRow[]): void;
}

export const FULL_IMAGES = 'set binlog_row_image to FULL';

/** Whether a row satisfies the condition: undefined where a column that decides was not logged. */
export function presenceOf({ condition }: RulePlan, image: Row, change: StreamChange): boolean | undefined {
  if (condition === null) return true;
  const truth = condition.evaluate(image, change);
  return truth === undefined ? undefined : truth === 1;
}

export function targetFor({ target }: RulePlan, image: Row, change: StreamChange): SinkTarget {
  if (target.kind === 'one') return target.target;
  return target.of(image, change) ?? fault(`the target's name depends on a column that was not logged: ${FULL_IMAGES}`);
}

export function unknownCondition(): never {
  return fault(`the condition depends on a column that was not logged: ${FULL_IMAGES}`);
}

export function imageOf(row: Row | null): Row {
  return row ?? fault('the change has no row image');
}

/** What holds after an update: what its image after lacks was not changed, and stands in the image before if anywhere. */
export function imageAfter({ hasInputs }: RulePlan, { before, after }: StreamChange): Row {
  const logged = imageOf(after);
  return hasInputs(logged) ? logged : { ...before, ...logged };
}

export function isSameKey(a: Row, b: Row): boolean {
  for (const name of Object.keys(a)) if (!isSameValue(a[name], b[name])) return false;
  return true;
}
