import { changeJson } from '../../formats/change-json.ts';
import { isoMicroseconds, jsonString } from '../../formats/json-text.ts';
import { sinkRowJson, targetMembers } from '../../formats/sink-row-json.ts';
import { leftOutText, type Previewed } from './preview-entry.ts';

/** One line of `tidings preview --format json`: docs/reference/cli.md. */
export function previewJson(previewed: Previewed): string {
  switch (previewed.kind) {
    case 'mapped': {
      const { change, rows, leftOut } = previewed;
      const reasons = leftOut.map((each) => JSON.stringify({ ...each, text: leftOutText(each) }));
      return line(changeJson(change), { rows: rows.map(sinkRowJson), leftOut: reasons });
    }
    case 'failed':
      return line(changeJson(previewed.change), { error: previewed.error });
    case 'emptied':
      return line(truncationJson(previewed), {
        empties: previewed.targets.map((target) => `{${targetMembers(target)}}`),
      });
    case 'unemptied':
      return line(truncationJson(previewed), { error: previewed.error });
  }
}

interface LineParts {
  readonly rows?: readonly string[];
  readonly leftOut?: readonly string[];
  readonly empties?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

function line(change: string, { rows = [], leftOut = [], empties = [], error }: LineParts): string {
  const told =
    error === undefined ? 'null' : JSON.stringify({ code: error.code, message: error.message, hint: error.hint });
  return `{"change":${change},"rows":[${rows.join(',')}],"leftOut":[${leftOut.join(',')}],"empties":[${empties.join(',')}],"error":${told}}`;
}

function truncationJson({ truncation }: Extract<Previewed, { readonly kind: 'emptied' | 'unemptied' }>): string {
  const { database, table, committedAtUs, scn } = truncation;
  return `{"op":"truncate","db":${jsonString(database)},"table":${jsonString(table)},"ts":"${isoMicroseconds(committedAtUs)}","scn":${scn}}`;
}
