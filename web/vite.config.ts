import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { compressed, swaggerAssets } from './tools/build-plugins.ts';

const server = process.env.RUNYARD_SERVER ?? 'http://127.0.0.1:8000';
const proxy = Object.fromEntries(['/api', '/docs', '/healthz', '/readyz'].map((path) => [path, server]));

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
    // light-dark() is left to the browser: what stands in for it knows nothing of our colour schemes.
    target: ['chrome123', 'edge123', 'firefox120', 'safari17.5'],
    cssTarget: ['chrome123', 'edge123', 'firefox120', 'safari17.5'],
    chunkSizeWarningLimit: 1200,
    manifest: 'manifest.json',
  },
  server: { port: 5173, strictPort: true, proxy },
  preview: { port: 5173, strictPort: true, proxy },
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.{ts,tsx}'],
    setupFiles: ['tests/setup.ts'],
    restoreMocks: true,
    testTimeout: 60_000,
    server: { deps: { inline: [/@rjsf/] } },
  },
});
