import { readdirSync } from 'node:fs';
import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import ts from 'typescript-eslint';

const features = readdirSync(new URL('./src/features', import.meta.url));

// The arrows of the house: app -> features -> shared. Features do not know each other.
const arrow = (files, group, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group, message }] }] },
});

export default ts.config(
  { ignores: ['node_modules', 'src/shared/api/schema.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    plugins: { 'react-hooks': hooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]',
          message: 'Text from logs, plugins and files is never interpreted as HTML.',
        },
      ],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  { files: ['tools/**', '*.js'], rules: { 'no-console': 'off' } },
  arrow(['src/shared/**'], ['@/features/*', '@/app/*', '**/features/*', '**/app/*'],
    'shared knows neither features nor the app'),
  ...features.map((name) =>
    arrow([`src/features/${name}/**`],
      ['@/app/*', '@/features/*', `!@/features/${name}`, '../../*', '../[a-z]*/*'],
      'features do not import each other; what two of them need lives in src/shared'),
  ),
);
