/** Every page, in light and dark, wide and narrow: by axe, by its deep link, in both languages. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibility, closeBrowser, Server, withPage } from './kit.mjs';
import { fill, pagesOf } from './sample.mjs';

let server;
let pages;

before(async () => {
  server = await new Server().start();
  pages = pagesOf(await fill(server));
});

after(async () => {
  await server?.remove();
  await closeBrowser();
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing, ${colorScheme}`, async () => {
    await withPage(server, { colorScheme }, async (page) => {
      const found = [];
      for (const { name, path, ready } of pages) {
        await page.goto(path);
        await page.locator(ready).first().waitFor();
        await page.locator('[data-line], main').first().waitFor();
        for (const each of await accessibility(page)) found.push(`${name} (${path}): ${each}`);
      }
      assert.deepEqual(found, []);
    });
  });
}

test('nothing sticks out of a narrow screen, and axe finds nothing there', async () => {
  await withPage(server, { width: 375, height: 740 }, async (page) => {
    const found = [];
    for (const { name, path, ready } of pages) {
      await page.goto(path);
      await page.locator(ready).first().waitFor();
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      if (width > 375) found.push(`${name}: ${width} px wide`);
      for (const each of await accessibility(page)) found.push(`${name} (${path}): ${each}`);
    }
    assert.deepEqual(found, []);
    await page.goto('/jobs');
    await page.getByRole('button', { name: 'Open the menu' }).click();
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
  });
});

test('the language is the browser’s, and can be changed', async () => {
  await withPage(server, { locale: 'zh-TW' }, async (page) => {
    await page.goto('/jobs');
    await page.getByRole('heading', { name: '工作', level: 1 }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-Hant-TW');
    await page.goto('/actions');
    await page.getByRole('tab', { name: '訓練', exact: true }).click();
    await page.getByText('設定檔').first().waitFor();
    await page.getByRole('button', { name: '語言' }).click();
    await page.getByRole('menuitem', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Actions', level: 1 }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Actions', level: 1 }).waitFor();
  });
});

test('why a job waits is said in the reader’s language', async () => {
  await server.post('/api/admin/queue/pause');
  const job = await server.post('/api/jobs/train', { config_path: 'configs/smoke.yaml', dry_run: true });
  await withPage(server, { locale: 'zh-TW' }, async (page) => {
    await page.goto('/jobs');
    await page.locator(`[data-job="${job.job_id}"]`).getByText('佇列已暫停').last().waitFor();
    await page.goto(`/jobs/${job.job_id}`);
    await page.getByRole('alert').getByText('佇列已暫停').waitFor();
  });
  await server.post('/api/admin/queue/resume');
  await server.ended(job.job_id);
});

test('the dark page is dark before anything is loaded, and the choice is kept', async () => {
  await withPage(server, { colorScheme: 'dark' }, async (page) => {
    await page.goto('/');
    assert.equal(await page.locator('html').getAttribute('data-mantine-color-scheme'), 'dark');
    await page.getByRole('button', { name: 'Light or dark' }).click();
    await page.getByRole('menuitem', { name: 'Light' }).click();
    await page.reload();
    assert.equal(await page.locator('html').getAttribute('data-mantine-color-scheme'), 'light');
  });
});

test('what is not there is said, with a way on', async () => {
  await withPage(server, { network: true }, async (page) => {
    for (const [path, text] of [
      ['/jobs/job_20200101_000000__00000000', 'There is no such job'],
      ['/runs/20200101_000000__00000000', 'There is no such run'],
      ['/backtests/bt_20200101_000000__00000000', 'There is no such backtest'],
      ['/nowhere', 'There is no such page'],
      ['/actions?type=nothing', 'There is no job type “nothing”'],
    ]) {
      await page.goto(path);
      await page.getByText(text).waitFor();
    }
  });
});

test('an empty workspace says on every page what to do', async () => {
  const empty = await new Server().start();
  try {
    await withPage(empty, {}, async (page) => {
      for (const [path, text] of [
        ['/', 'No jobs yet'],
        ['/jobs', 'No jobs yet'],
        ['/registry', 'The registry is empty'],
        ['/runs', 'No runs yet'],
        ['/backtests', 'No backtests yet'],
      ]) {
        await page.goto(path);
        await page.getByText(text).first().waitFor();
        assert.deepEqual(await accessibility(page), [], path);
      }
    });
  } finally {
    await empty.remove();
  }
});
