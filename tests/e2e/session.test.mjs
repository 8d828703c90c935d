/** A server that asks for tokens: who is signed in sees the pages, and may what their role may. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibility, closeBrowser, Server, withPage } from './kit.mjs';

let server;
const tokens = {};

before(async () => {
  server = new Server({ settings: 'server: {auth: required}\n' });
  for (const role of ['viewer', 'admin']) tokens[role] = server.token(`a-${role}`, role);
  await server.start();
  server.as(tokens.admin);
});

after(async () => {
  await server?.remove();
  await closeBrowser();
});

async function signIn(page, token) {
  await page.getByLabel(/^Token/).fill(token);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing where one signs in, ${colorScheme}`, async () => {
    await withPage(server, { colorScheme, network: true }, async (page) => {
      await page.goto('/jobs');
      await page.getByRole('heading', { name: 'Sign in to Runyard' }).waitFor();
      assert.deepEqual(await accessibility(page), []);
    });
  });
}

test('one signs in with a token, stays on the page, and signs out', async () => {
  await withPage(server, { network: true }, async (page) => {
    const job = await server.post('/api/jobs/train', { config_path: 'configs/smoke.yaml', dry_run: true });
    await page.goto(`/jobs/${job.job_id}#L2`);
    await signIn(page, 'ryd_0');
    await page.getByText('This token is not valid').waitFor();
    await signIn(page, ` ${tokens.admin} `);
    await page.getByTestId('status').getByText('Success').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    assert.match(page.url(), new RegExp(`/jobs/${job.job_id}#L2$`));
    await page.locator('[data-line="2"][data-selected]').waitFor();
    // The browser keeps it where no script reads it, over a reload too.
    assert.equal(await page.evaluate(() => document.cookie), '');
    await page.reload();
    await page.getByTestId('status').getByText('Success').waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.goto(`/jobs/${job.job_id}`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.getByTestId('status').count(), 0);
  });
});

test('a viewer looks and changes nothing', async () => {
  await withPage(server, { network: true }, async (page) => {
    await page.goto('/admin');
    await signIn(page, tokens.viewer);
    await page.getByRole('heading', { name: 'Admin' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Pause' }).isDisabled(), true);
    await page.goto('/actions?type=train&config_path=configs/smoke.yaml');
    await page.getByText('Your token may look').waitFor();
    assert.equal(await page.getByRole('button', { name: /^Submit/ }).isDisabled(), true);
  });
});
