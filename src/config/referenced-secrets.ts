import type { Explained } from './explain-issue.ts';
import { type ConfigPath, valueAt } from './mistake.ts';
import { nodeAt } from './schema-model.ts';

/** Shorter values, switches and ports are everywhere in a log: to hide them would hide the log. */
const PLAIN = /^(?:.{0,3}|-?\d{1,5}|true|false)$/s;

/**
 * What references have put in at a secret place, or below one: taken out of everything that is shown. Of a secret URL the password is the secret, which is known
 * without this; its host and user may be shown.
 */
export function referencedSecrets({ root, tree, referenced }: Explained): readonly string[] {
  return [...referenced].flatMap(([key, values]) => {
    const path = JSON.parse(key) as ConfigPath;
    const isSecret = (depth: number): boolean => nodeAt(root, path.slice(0, depth), tree)?.['x-secret'] === true;
    const isBelow = path.some((_, depth) => isSecret(depth));
    const isSecretText = isSecret(path.length) && !URL.canParse(String(valueAt(tree, path)));
    return isBelow || isSecretText ? values.filter((value) => !PLAIN.test(value)) : [];
  });
}
