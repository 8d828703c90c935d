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
    { name: 'job-running', path: `/jobs/${running.job_id}`, ready: '[data-line]' },
  ];
  for (const colorScheme of ['light', 'dark']) {
    await withPage(server, { colorScheme }, async (page) => {
      for (const { name, path, ready } of pages) {
        await page.goto(path);
        await page.locator(ready).first().waitFor();
        await page.evaluate(() => document.fonts.ready);
        await page.waitForTimeout(700); // charts and fonts are drawn
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) });
      }
    });
  }
  await withPage(server, { locale: 'zh-TW' }, async (page) => {
    for (const name of ['dashboard', 'actions']) {
      const { path, ready } = pages.find((each) => each.name === name);
      await page.goto(path);
      await page.locator(ready).first().waitFor();
      await page.waitForTimeout(700);
      await page.screenshot({ path: join(folder, `${name}-zh-TW.png`) });
    }
  });
  await withPage(server, { width: 390, height: 844 }, async (page) => {
    for (const name of ['jobs', 'job', 'dashboard']) {
      const { path, ready } = pages.find((each) => each.name === name);
      await page.goto(path);
      await page.locator(ready).first().waitFor();
      await page.waitForTimeout(700);
      await page.screenshot({ path: join(folder, `${name}-narrow.png`) });
    }
  });
} finally {
  await server.remove();
  await closeBrowser();
}

for (const name of readdirSync(folder)) {
  const path = join(folder, name);
  execFileSync('pngquant', ['--force', '--skip-if-larger', '--ext', '.png', '--speed', '1', '--strip', '128', path]);
  const size = statSync(path).size;
  if (size > 150 * 1024) throw new Error(`${name} has ${size} bytes`);
}
