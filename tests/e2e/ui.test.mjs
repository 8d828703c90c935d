/** What people do with the product, from the form to the curve, on the sample workload. */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build, closeBrowser, Server, until, withPage } from './kit.mjs';

/** Ends what would never end; a training takes seconds, on a machine that has time for it. */
const kWorkMs = 240_000;

let server;

before(async () => {
  server = await new Server().start();
});

after(async () => {
  await server?.remove();
  await closeBrowser();
});

/** The id in the toast, after a submit. */
async function toastId(page) {
  const link = page.locator('.mantine-Notification-root a[href^="/jobs/job_"]').last();
  await link.waitFor();
  return (await link.getAttribute('href')).slice('/jobs/'.length);
}

/** How long it takes a list that is open to show a job that is submitted. */
async function appears(list, id) {
  const start = performance.now();
  await list.locator(`[data-job="${id}"]`).waitFor();
  return performance.now() - start;
}

/** Opens a job type's tab, and waits until it is: until then the panel that is seen is another one. */
async function openTab(page, name, options = {}) {
  await page.getByRole('tab', { name, exact: true }).click(options);
  await page.getByRole('tab', { name, exact: true, selected: true }).waitFor();
}
const panel = (page) => page.getByRole('tabpanel').filter({ visible: true }).first();
const submit = (page) => panel(page).getByRole('button', { name: /^Submit/ });

describe('the way of a model', { concurrency: false }, () => {
  let run;
  let train;

  test('a training is submitted through its form, and is in Jobs within a second', async () => {
    await withPage(server, {}, async (page) => {
      const list = await page.context().newPage();
      await list.goto(`${server.url}/jobs`);
      await list.getByText('No jobs yet').waitFor();
      await list.getByText('Live', { exact: true }).waitFor();

      await page.bringToFront();
      await page.goto('/actions');
      await openTab(page, 'Train');
      const config = panel(page).getByLabel(/^Configuration/);
      await config.fill('configs/smo');
      await page.getByRole('option', { name: 'configs/smoke.yaml' }).click();
      await panel(page).getByLabel('Overrides').first().fill('# small\nseed=7  # for the test');
      await panel(page).getByTestId('preview').getByText('--config').waitFor();
      await panel(page).getByTestId('preview').getByText('seed=7').waitFor();
      await submit(page).click();
      train = await toastId(page);
      const row = list.locator(`[data-job="${train}"]`);
      // A machine that is busy elsewhere may miss it once.
      let soonest = await appears(list, train);
      for (let more = 0; more < 3 && soonest > 1000; more += 1) {
        const { job_id: id } = await server.post('/api/jobs/train', { config_path: 'configs/smoke.yaml', dry_run: true });
        soonest = Math.min(soonest, await appears(list, id));
      }
      assert.ok(soonest <= 1000, `the job is in the list after ${soonest} ms`);

      // The log is followed to its end, and leads to the run.
      await page.locator('.mantine-Notification-root a').last().click();
      await page.getByTestId('status').getByText('Success').waitFor({ timeout: kWorkMs });
      await page.getByTestId('log').getByText(/^manifest:/).waitFor();
      await row.getByText('Success').waitFor();
      await page.getByRole('link', { name: 'View Run' }).click();
      await page.waitForURL(/\/runs\/\d{8}_\d{6}__[0-9a-f]{8}$/);
      run = page.url().split('/').at(-1);
      await page.getByRole('heading', { name: run }).waitFor();
    });
  });

  test('its metrics are recomputed from the run’s page', async () => {
    await withPage(server, {}, async (page) => {
      await page.goto(`/runs/${run}`);
      await page.getByRole('row', { name: /GOOG/ }).first().waitFor();
      await page.getByRole('link', { name: 'Recompute metrics' }).click();
      await page.waitForURL(/type=eval_metrics/);
      assert.equal(await panel(page).getByLabel(/^Run\b/).inputValue(), run);
      await submit(page).click();
      const id = await toastId(page);
      assert.equal((await server.ended(id)).status, 'SUCCESS');
      await page.goto(`/runs/${run}`);
      await page.getByRole('link', { name: id }).waitFor();
    });
  });

  test('the index is rewritten through its form, and the card’s model is backtested', async () => {
    await withPage(server, {}, async (page) => {
      await page.goto('/actions?type=index_runs');
      await submit(page).click();
      assert.equal((await server.ended(await toastId(page))).status, 'SUCCESS');

      await page.goto('/');
      const card = page.getByRole('article', { name: 'GOOG' });
      await card.getByRole('link', { name: 'Run backtest with this model' }).click();
      await page.waitForURL(/type=backtest/);
      await panel(page).getByTestId('preview').getByText('--model-path').waitFor();
      await submit(page).click();
      const id = await toastId(page);
      await page.locator('.mantine-Notification-root a').last().click();
      await page.getByTestId('status').getByText('Success').waitFor({ timeout: kWorkMs });
      await page.getByRole('link', { name: 'View Backtest' }).click();
      await page.waitForURL(/\/backtests\/bt_/);
      const curve = page.getByRole('img', { name: /^Value from/ });
      await curve.locator('canvas').waitFor();
      await page.getByText(/^Maximum drawdown: peak/).waitFor();
      await page.getByRole('tab', { name: 'All trades' }).click();
      await page.getByRole('table', { name: 'All trades' }).waitFor();
      assert.ok((await server.get(`/api/jobs/${id}`)).links.length >= 1);
    });
  });

  test('models are chosen and compared side by side', async () => {
    await withPage(server, {}, async (page) => {
      await page.goto('/registry?mode=finetune');
      for (const ticker of ['GOOG', 'SPX']) await page.getByLabel(`Select ${run}:finetune:${ticker}`).check();
      await page.getByRole('link', { name: 'Compare 2' }).click();
      await page.waitForURL(/\/registry\/compare\?models=/);
      const precision = page.getByRole('row', { name: /^precision/ });
      await precision.locator('[data-differs]').waitFor();
      assert.equal(await page.getByRole('row', { name: /^run_id/ }).locator('[data-differs]').count(), 0);
      await page.getByRole('switch', { name: /^Only differences/ }).click();
      await page.getByRole('row', { name: /^run_id/ }).waitFor({ state: 'detached' });
    });
  });

  test('a job is duplicated, edited and compared before it is submitted', async () => {
    await withPage(server, {}, async (page) => {
      await page.goto(`/jobs/${train}`);
      await page.getByRole('button', { name: 'Duplicate & edit' }).click();
      const drawer = page.getByRole('dialog');
      await drawer.getByLabel('Overrides').first().fill('seed=8');
      await drawer.getByLabel(/^Dry run/).check();
      await drawer.getByRole('row', { name: /overrides \["seed=7"\] \["seed=8"\]/ }).waitFor();
      await drawer.getByRole('row', { name: /dry_run false true/ }).waitFor();
      await drawer.getByText('Run options').click();
      await drawer.getByLabel(/^Memory/).fill('2048');
      await drawer.getByLabel(/^Retries/).fill('1');
      await drawer.getByRole('row', { name: /_job\.memory_mb 0 2048/ }).waitFor();
      await drawer.getByRole('button', { name: 'Submit' }).click();
      const id = await toastId(page);
      const job = await server.ended(id);
      assert.deepEqual(job.params.overrides, ['seed=8']);
      assert.equal(job.rerun_of, train);
      assert.equal(job.resources.memory_mb, 2048);
      assert.equal(job.max_retries, 1);
      await page.goto(`/jobs/${id}`);
      await page.getByText('2 GiB', { exact: true }).waitFor();
      await page.getByText('the server’s machine').waitFor();

      await page.goto(`/jobs/compare?ids=${train},${id}`);
      await page.getByRole('row', { name: /params\.overrides/ }).waitFor();
    });
  });
});

test('a job that runs is cancelled', async () => {
  const job = await server.post('/api/jobs/train', {
    config_path: 'configs/smoke.yaml',
    overrides: ['train.pretrain.steps=50000000'],
  });
  await withPage(server, {}, async (page) => {
    await page.goto(`/jobs/${job.job_id}`);
    await page.getByTestId('status').getByText('Running').waitFor();
    await page.getByRole('progressbar', { name: 'Progress' }).waitFor();
    await page.getByRole('button', { name: 'Cancel job' }).click();
    await page.getByTestId('status').getByText('Cancelled').waitFor({ timeout: kWorkMs });
    // From the list, several at once.
    const more = await Promise.all(
      [1, 2].map(() =>
        server.post('/api/jobs/train', { config_path: 'configs/smoke.yaml', overrides: ['train.pretrain.steps=50000000'] }),
      ),
    );
    await page.goto('/jobs?type=train');
    for (const { job_id: id } of more) await page.getByLabel(`Select ${id}`).check();
    await page.getByRole('toolbar').getByRole('button', { name: 'Cancel 2 jobs' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel 2 jobs' }).click();
    for (const { job_id: id } of more) {
      await page.locator(`[data-job="${id}"]`).getByText('Cancelled').waitFor({ timeout: kWorkMs });
    }
  });
});

test('a job that waits in a cluster says so, though it is Running', async () => {
  const job = await server.post('/api/jobs/train', {
    config_path: 'configs/smoke.yaml',
    overrides: ['train.pretrain.steps=50000000'],
    _job: { memory_mb: 4096 },
  });
  await until(async () => (await server.get(`/api/jobs/${job.job_id}`)).status === 'RUNNING');
  const asInSlurm = (each) =>
    each.job_id === job.job_id
      ? { ...each, seq: each.seq + 1_000_000, executor: 'slurm', waiting_for: 'Slurm: no node has what it asks for free' }
      : each;
  await withPage(server, {}, async (page) => {
    // The real answers, but for what only a cluster says.
    await page.route(/\/api\/jobs\/(job_\w+|recent.*)$/, async (route) => {
      const response = await route.fetch();
      const found = await response.json();
      await route.fulfill({ response, json: Array.isArray(found) ? found.map(asInSlurm) : asInSlurm(found) });
    });
    await page.goto('/jobs');
    const row = page.locator(`[data-job="${job.job_id}"]`);
    await row.getByTestId('status').getByText('Running').waitFor();
    await row.getByText('Slurm: no node has what it asks for free').last().waitFor();
    await page.goto(`/jobs/${job.job_id}`);
    await page.getByRole('alert').getByText('Waiting in the cluster').waitFor();
    await page.getByRole('alert').getByText('Slurm: no node has what it asks for free').waitFor();
    await page.getByText('4 GiB', { exact: true }).waitFor();
    await page.getByText('Slurm', { exact: true }).waitFor();
  });
  await server.post(`/api/jobs/${job.job_id}/cancel`);
  await server.ended(job.job_id);
});

test('what the server refuses is said at its field', async () => {
  await withPage(server, { network: true }, async (page) => {
    await page.goto('/actions?type=backtest&ticker=TSM');
    await panel(page).getByText('TSM', { exact: true }).waitFor();
    const config = panel(page).getByLabel(/^Configuration/);
    await config.fill('configs/none.yaml');
    await config.blur();
    const message = panel(page).locator('.mantine-InputWrapper-error').first();
    await message.waitFor();
    assert.equal(await config.getAttribute('aria-invalid'), 'true');
    await panel(page).getByLabel('Overrides').first().fill('no equals sign');
    await submit(page).click();
    await panel(page).getByRole('alert').filter({ hasText: 'Line 1:' }).waitFor();
    assert.equal(await page.locator('.mantine-Notification-root').count(), 0);
  });
});

test('several values of a field make a batch, and their number is shown', async () => {
  await withPage(server, {}, async (page) => {
    await page.goto('/actions?type=train&config_path=configs/smoke.yaml&dry_run=true');
    const form = panel(page);
    await form.getByText('Sweep: several values at once').click();
    await form.getByRole('button', { name: 'Vary an input' }).click();
    await form.getByLabel('Input', { exact: true }).first().click();
    await page.getByRole('option', { name: 'Overrides' }).click();
    await form.getByLabel('Key of the override').fill('seed');
    await form.getByLabel('Values', { exact: true }).fill('1, 2, 3');
    await form.getByText('Run options').click();
    await form.getByLabel('Group').fill('sweep');
    await form.getByRole('button', { name: 'Submit 3 jobs' }).click();
    await page.getByText('3 jobs submitted').waitFor();
    await page.getByRole('link', { name: 'Show them' }).click();
    await page.waitForURL(/group=sweep/);
    await until(async () => (await page.locator('[data-job]').count()) === 3);
  });
});

test('a plugin that is dropped in at run time has its tab without a reload', async () => {
  await withPage(server, {}, async (page) => {
    await page.goto('/actions');
    await openTab(page, 'Train');
    await panel(page).getByLabel('Overrides').first().fill('seed=7 # being written');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.evaluate(() => (globalThis.notReloaded = true));
    cpSync(join(build, 'test-plugins/command/command.so'), join(server.pluginDir, 'command.so'));
    await openTab(page, 'Command', { timeout: kWorkMs });
    await panel(page).getByLabel('script').fill('echo value=hello');
    await submit(page).click();
    assert.equal((await server.ended(await toastId(page))).status, 'SUCCESS');
    assert.equal(await page.evaluate(() => globalThis.notReloaded), true);
    // What is being written into another form stays.
    await openTab(page, 'Train');
    assert.equal(await panel(page).getByLabel('Overrides').first().inputValue(), 'seed=7 # being written');
  });
});

test('a page recovers by itself when the server is killed and started again', async () => {
  await withPage(server, { network: true }, async (page) => {
    await page.goto('/jobs');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.locator('[data-job]').first().waitFor();
    await server.stop('SIGKILL');
    await page.getByText('Asking every 3 s', { exact: true }).waitFor();
    assert.ok((await page.locator('[data-job]').count()) > 0, 'what was known is still shown');
    await server.start();
    const job = await server.post('/api/jobs/train', { config_path: 'configs/smoke.yaml', dry_run: true });
    await page.locator(`[data-job="${job.job_id}"]`).waitFor({ timeout: kWorkMs });
    await page.getByText('Live', { exact: true }).waitFor({ timeout: kWorkMs });
    await server.ended(job.job_id);
    await page.locator(`[data-job="${job.job_id}"]`).getByText('Success').waitFor();
  });
});

test('filters are in the address, and keys lead everywhere', async () => {
  await withPage(server, {}, async (page) => {
    await page.goto('/jobs?status=CANCELLED');
    await page.getByTestId('status').first().waitFor();
    for (const text of await page.getByTestId('status').allTextContents()) assert.equal(text, 'Cancelled');
    await page.keyboard.press('/');
    await page.keyboard.type('nothing like this');
    await page.getByText('No job matches').waitFor();
    assert.match(page.url(), /q=nothing/);
    await page.getByRole('main').getByRole('button', { name: 'Clear filters' }).last().click();
    await page.locator('[data-job]').first().waitFor();
    await page.getByRole('heading', { name: 'Jobs' }).click();
    await page.keyboard.press('g');
    await page.keyboard.press('r');
    await page.getByRole('heading', { name: 'Registry', level: 1 }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('Search on this page').waitFor();
  });
});

test('the queue is paused and resumed by the admin page', async () => {
  await withPage(server, {}, async (page) => {
    await page.goto('/admin');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused', { exact: true }).waitFor();
    const job = await server.post('/api/jobs/train', { config_path: 'configs/smoke.yaml', dry_run: true });
    await page.getByRole('link', { name: job.job_id }).waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('Open', { exact: true }).waitFor();
    await server.ended(job.job_id);
    await page.getByRole('button', { name: 'Rescan' }).click();
    await page.getByText(/job types are loaded/).waitFor();
  });
});
