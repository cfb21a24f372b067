import { type Context, createContext, Script } from 'node:vm';

/** The first limit lets nobody else wait for long; the machine itself may have stood still for that time, so there is a second attempt. */
const MATCH_MAX_MS = [50, 250] as const;
/** Answers that are remembered per expression. */
const ANSWERS_MAX = 10_000;

const script = new Script('expression.test(text)');
let context: Context | null = null;

/** The expression tries too many ways. */
export class MatchTooSlow extends Error {
  override readonly name: string = 'MatchTooSlow';
}

/**
 * Tells whether a text matches a regular expression from outside, which may be one that runs for years (`(.*.*)*x`): JavaScript's engine goes back
 * over everything it has tried, and nothing else happens on the thread meanwhile. So it is interrupted. That costs a thread of its own for each match, some
 * 0.2 ms: texts are to be few, and answers are remembered.
 *
 * @returns a function that throws MatchTooSlow
 */
export function timedMatch(expression: RegExp): (text: string) => boolean {
  if (isHarmless(expression.source)) return (text) => expression.test(text);
  const answers = new Map<string, boolean>();
  return (text) => {
    let answer = answers.get(text);
    if (answer === undefined) {
      answer = testInTime(expression, text);
      if (answers.size >= ANSWERS_MAX) answers.clear();
      answers.set(text, answer);
    }
    return answer;
  };
}

/** One repetition at most, and not of a group: then the time grows with the square of the text's length. */
function isHarmless(source: string): boolean {
  const plain = source.replaceAll(/\\.|\[(?:\\.|[^\]\\])*\]/gs, 'a');
  return (plain.match(/[*+?{]/g) ?? []).length <= 1 && !/\)[*+?{]/.test(plain);
}

function testInTime(expression: RegExp, text: string): boolean {
  context ??= createContext({ __proto__: null });
  context['expression'] = expression;
  context['text'] = text;
  for (const timeout of MATCH_MAX_MS) {
    try {
      return script.runInContext(context, { timeout }) as boolean;
    } catch (error) {
      // An error of the context's own, of which ours is no class.
      const isLate = (error as { readonly code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
      if (!isLate) throw error;
    }
  }
  throw new MatchTooSlow(`a match took more than ${MATCH_MAX_MS[1]} ms`);
}
