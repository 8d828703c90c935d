import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const kText = /\.(js|css|html|svg|json|txt)$/;

function* files(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield path;
  }
}

/** Writes `.br` and `.gz` beside each text file of the build: the server sends those as they are. */
export function compressed(): Plugin {
  let folder = '';
  return {
    name: 'runyard-compressed',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir;
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        for (const path of [...files(folder)]) {
          if (!kText.test(path)) continue;
          const plain = readFileSync(path);
          if (plain.length < 1024) continue;
          const params = { [constants.BROTLI_PARAM_QUALITY]: path.includes('docs-assets') ? 9 : 11 };
          writeFileSync(`${path}.br`, brotliCompressSync(plain, { params }));
          writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
        }
      },
    },
  };
}

/** The API browser's files, for the server's page at /docs. */
export function swaggerAssets(): Plugin {
  let folder = '';
  return {
    name: 'runyard-swagger-assets',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir;
    },
    writeBundle() {
      const require = createRequire(import.meta.url);
      const source = dirname(require.resolve('swagger-ui-dist/package.json'));
      const target = join(folder, 'docs-assets');
      mkdirSync(target, { recursive: true });
      for (const name of ['swagger-ui.css', 'swagger-ui-bundle.js', 'LICENSE', 'NOTICE']) {
        cpSync(join(source, name), join(target, name));
      }
    },
  };
}
