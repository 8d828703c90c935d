import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { compressed, swaggerAssets } from './tools/build-plugins.ts';

const server = process.env.RUNYARD_SERVER ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [react(), swaggerAssets(), compressed()],
  resolve: {
    alias: {
      '@': fileURLToPath(new URL('./src', import.meta.url)),
      // A test helper of the form library names it; the page has a validator of its own (SchemaForm.tsx).
      '@rjsf/validator-ajv8': fileURLToPath(new URL('./tools/no-ajv.ts', import.meta.url)),
    },
  },
  worker: { format: 'es' },
  build: {
    outDir: '../build/web',
    emptyOutDir: true,
    // Inline code and data: addresses are what the server's Content-Security-Policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    manifest: 'manifest.json',
  },
  server: {
    port: 5173,
    strictPort: true,
    proxy: { '/api': server, '/docs': server, '/healthz': server, '/readyz': server },
  },
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.{ts,tsx}'],
    setupFiles: ['tests/setup.ts'],
    restoreMocks: true,
    server: { deps: { inline: [/@rjsf/] } },
  },
});
