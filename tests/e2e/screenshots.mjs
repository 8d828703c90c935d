/**
 * Pictures of every page, light and dark, into docs/screenshots: `npm run screenshots` in web/.
 * Needs pngquant (small files) and fonts-noto-cjk (Chinese) beside what the tests need.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { closeBrowser, root, Server, withPage } from './kit.mjs';
import { fill, pagesOf } from './sample.mjs';

const folder = join(root, 'docs/screenshots');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const server = await new Server().start();
const guarded = new Server({ settings: 'server: {auth: required}\n' });
guarded.token('ada', 'admin');
await guarded.start();

async function picture(page, { name, path, ready, chart, act }, kind) {
  await page.goto(path);
  await page.locator(ready).first().waitFor();
  if (chart) await page.locator('[data-drawn]').first().waitFor();
  await page.getByRole('status', { name: 'Loading…' }).waitFor({ state: 'detached' });
  await act?.(page);
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: join(folder, `${name}-${kind}.png`) });
}

try {
  const made = await fill(server);
  // Something runs, and something waits.
  const long = ['train.pretrain.steps=3000000'];
  const running = await server.post('/api/jobs/train', {
    config_path: 'configs/smoke.yaml', overrides: long, _job: { name: 'wide universe, 3M steps' },
  });
  for (const seed of [1, 2, 3]) {
    await server.post('/api/jobs/train', {
      config_path: 'configs/smoke.yaml', overrides: [...long, `seed=${seed}`], _job: { group: 'sweep', slots: 2 },
    });
  }
  const pages = [
    ...pagesOf(made),
    { name: 'job-running', path: `/jobs/${running.job_id}`, ready: '[data-line]', chart: true },
    {
      name: 'job-duplicate',
      path: `/jobs/${made.second}`,
      ready: '[data-line]',
      act: async (page) => {
        await page.getByRole('button', { name: 'Duplicate & edit' }).click();
        const drawer = page.getByRole('dialog');
        await drawer.getByLabel('Overrides').first().fill('seed=12\ntrain.pretrain.steps=8192');
        await drawer.getByRole('row', { name: /overrides/ }).last().waitFor();
        await drawer.getByTestId('preview').getByText('seed=12').waitFor();
      },
    },
  ];
  for (const colorScheme of ['light', 'dark']) {
    await withPage(server, { colorScheme }, async (page) => {
      for (const each of pages) await picture(page, each, colorScheme);
    });
    await withPage(guarded, { colorScheme, network: true }, (page) =>
      picture(page, { name: 'sign-in', path: '/', ready: 'form' }, colorScheme),
    );
  }
  await withPage(server, { locale: 'zh-TW' }, async (page) => {
    for (const each of pages) if (['dashboard', 'actions'].includes(each.name)) await picture(page, each, 'zh-TW');
  });
  await withPage(server, { width: 390, height: 844 }, async (page) => {
    for (const each of pages) if (['jobs', 'job', 'dashboard'].includes(each.name)) await picture(page, each, 'narrow');
  });
} finally {
  await server.remove();
  await guarded.remove();
  await closeBrowser();
}

for (const name of readdirSync(folder)) {
  const path = join(folder, name);
  execFileSync('pngquant', ['--force', '--skip-if-larger', '--ext', '.png', '--speed', '1', '--strip', '128', path]);
  const size = statSync(path).size;
  if (size > 150 * 1024) throw new Error(`${name} has ${size} bytes`);
}
