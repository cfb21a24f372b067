import type { RelayConfig } from './config-types.generated.ts';

/** Gives a configuration in TypeScript or JavaScript its type: `export default defineConfig({ … })` in tidings.config.ts. */
export function defineConfig(config: RelayConfig): RelayConfig {
  return config;
}
