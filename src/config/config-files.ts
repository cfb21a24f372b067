/** The files that are looked for where none is named, first one first. */
export const CONFIG_FILES: readonly string[] = [
  'tidings.yaml',
  'tidings.yml',
  'tidings.config.ts',
  'tidings.config.js',
  'tidings.config.mjs',
];
