import { TidingsError } from '../core/errors.ts';

/** How names change: a case, or replacements by name or pattern; a list is applied in its order. */
export type RenameConfig = NameCase | NameReplacements | readonly (NameCase | NameReplacements)[];

export type NameCase = 'camel' | 'pascal' | 'snake' | 'lower' | 'upper';
export const NAME_CASES: readonly NameCase[] = ['camel', 'pascal', 'snake', 'lower', 'upper'];

/** By name, or by `/regular expression/`, whose groups are `$1`, `$2`, … in the replacement. The first that matches counts. */
export type NameReplacements = Readonly<Record<string, string>>;

export type Renamer = (name: string) => string;

const UNCHANGED: Renamer = (name) => name;

/** @throws TidingsError MAPPING_INVALID naming the pattern */
export function compileRename(config: RenameConfig | undefined): Renamer {
  if (config === undefined) return UNCHANGED;
  if (isList(config)) {
    const steps = config.map(compileRename);
    return (name) => steps.reduce((renamed, step) => step(renamed), name);
  }
  return typeof config === 'string' ? CASES[config] : compileReplacements(config);
}

function isList(config: RenameConfig): config is readonly (NameCase | NameReplacements)[] {
  return Array.isArray(config);
}

function compileReplacements(config: NameReplacements): Renamer {
  const replacements = Object.entries(config).map(([from, to]): ((name: string) => string | null) => {
    const expression = regularExpression(from);
    if (expression === null) return (name) => (name === from ? to : null);
    return (name) => (expression.test(name) ? name.replace(expression, to) : null);
  });
  return (name) => {
    for (const replace of replacements) {
      const renamed = replace(name);
      if (renamed !== null) return renamed;
    }
    return name;
  };
}

export type NameMatcher = (name: string) => boolean;

const PATTERN_LENGTH_MAX = 1000;

/** `email`, `secret_*`, `/regular expression/`. @throws TidingsError MAPPING_INVALID naming the pattern */
export function compileNamePattern(text: string): NameMatcher {
  const expression = regularExpression(text);
  if (expression !== null) return (name) => expression.test(name);
  if (!text.includes('*')) return (name) => name === text;
  const pieces = text.split('*').map((piece) => piece.replaceAll(/[^\p{L}\p{N}_]/gu, String.raw`\$&`));
  const stars = new RegExp(`^${pieces.join('.*')}$`, 's');
  return (name) => stars.test(name);
}

export function compileNamePatterns(texts: readonly string[]): NameMatcher {
  const matchers = texts.map(compileNamePattern);
  return (name) => matchers.some((matches) => matches(name));
}

/** Whether a pattern means one name only. */
export function isName(pattern: string): boolean {
  return !pattern.includes('*') && !/^\/.*\/[a-z]*$/s.test(pattern);
}

/** Null when the text is none. */
function regularExpression(text: string): RegExp | null {
  const parts = /^\/(.*)\/([a-z]*)$/s.exec(text);
  if (parts === null) return null;
  try {
    if (text.length > PATTERN_LENGTH_MAX) throw new RangeError('too long');
    // Whether it matches must not depend on the name before.
    return new RegExp(parts[1] ?? '', (parts[2] ?? '').replaceAll(/[gy]/g, ''));
  } catch (error) {
    throw new TidingsError('MAPPING_INVALID', `"${text.slice(0, 60)}" is no regular expression`, {
      cause: error,
      hint: `It has at most ${PATTERN_LENGTH_MAX} characters between slashes, with flags behind it.`,
    });
  }
}

const CASES: Readonly<Record<NameCase, Renamer>> = {
  camel: (name) =>
    wordsOf(name)
      .map((word, index) => (index === 0 ? word : capitalized(word)))
      .join(''),
  pascal: (name) => wordsOf(name).map(capitalized).join(''),
  snake: (name) => wordsOf(name).join('_'),
  lower: (name) => name.toLowerCase(),
  upper: (name) => name.toUpperCase(),
};

/** `ORDER_ID`, `order-id`, `orderId`, `OrderID` are all order and id. A name of other characters is a word of its own. */
function wordsOf(name: string): string[] {
  const words = name
    .replaceAll(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .split(/[\s_-]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());
  return words.length === 0 ? [name] : words;
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
