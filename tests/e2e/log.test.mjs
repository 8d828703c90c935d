/** Logs that are huge, and logs that mean harm. */
import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build, closeBrowser, Server, withPage } from './kit.mjs';

/** Ends what would never end; a gigabyte is counted in seconds, on a machine that has time for it. */
const kHugeMs = 240_000;

let server;

before(async () => {
  server = await new Server({
    options: ['--plugin-dir', join(build, 'test-plugins/command')],
  }).start();
});

after(async () => {
  await server?.remove();
  await closeBrowser();
});

const run = async (script) => server.ended((await server.post('/api/jobs/command', { script })).job_id);
const log = (page) => page.getByTestId('log');

test('markup and escape sequences of a log stay text, or go', async () => {
  const job = await run(
    [
      `printf '%s\\n' '<script>window.hurt = 1</script><img src=x onerror="window.hurt = 2">'`,
      `printf 'a\\033]0;owned\\007b\\033]8;;http://evil.example\\007c\\033[2Jd\\033[31mred\\033[0m\\n'`,
      `printf 'bar 1%%\\rbar 50%%\\rbar 100%%\\n'`,
      `printf 'left\\342\\200\\256right\\n'`,
      `printf 'bad \\377 bytes\\n'`,
    ].join('\n'),
  );
  await withPage(server, {}, async (page) => {
    await page.goto(`/jobs/${job.job_id}`);
    await log(page).getByText('<script>window.hurt = 1</script>').last().waitFor();
    await log(page).locator('[data-line]').getByText('bar 100%', { exact: true }).waitFor();
    const text = await log(page).locator('[data-line]').allTextContents();
    assert.ok(text.some((line) => line === 'abcdred'), JSON.stringify(text));
    assert.ok(text.some((line) => line === 'bar 100%'), JSON.stringify(text));
    assert.equal(await page.evaluate(() => globalThis.hurt), undefined);
    assert.equal(await log(page).locator('img, script').count(), 0);
    assert.equal(await log(page).locator('a[href^="http"]').count(), 0);
    const color = await log(page).getByText('red', { exact: true }).evaluate((element) => element.style.color);
    assert.equal(color, 'var(--ansi-1)');
  });
});

test('a log is followed while it grows', async () => {
  const seen = join(server.workspace, 'seen');
  const job = await server.post('/api/jobs/command', {
    script: `while [ ! -e ${seen} ]; do sleep 0.1; done; i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo "step $i/40"; sleep 0.1; done`,
  });
  await withPage(server, {}, async (page) => {
    await page.goto(`/jobs/${job.job_id}`);
    await log(page).getByRole('button', { name: 'Following' }).waitFor();
    writeFileSync(seen, '');
    await log(page).getByText('step 40/40').waitFor();
    await page.getByTestId('status').getByText('Success').waitFor();
  });
});

test('a page whose log is quiet asks nothing, and shows at once what comes', async () => {
  const go = join(server.workspace, 'go');
  const job = await server.post('/api/jobs/command', {
    script: `echo before; while [ ! -e ${go} ]; do sleep 0.1; done; echo after`,
  });
  await withPage(server, {}, async (page) => {
    let asked = 0;
    page.on('request', (request) => (asked += /\/log\/lines/.test(request.url()) ? 1 : 0));
    const waits = page.waitForRequest(/\/log\/stream\?offset=/);
    await page.clock.install();
    await page.goto(`/jobs/${job.job_id}`);
    await log(page).locator('[data-line]').getByText('before', { exact: true }).waitFor();
    await waits;
    asked = 0;
    // Every timer of most of a minute; the answer comes after what they have asked.
    await page.clock.runFor(50_000);
    await page.evaluate(() => undefined);
    assert.equal(asked, 0);
    writeFileSync(go, '');
    await log(page).locator('[data-line]').getByText('after', { exact: true }).waitFor();
    await page.getByTestId('status').getByText('Success').waitFor();
  });
});

test('a log of 1 GiB opens at once, is read anywhere, linked to and searched', async () => {
  const job = await run('echo first');
  const line = (number) => `line ${String(number).padStart(9, '0')} ${'.'.repeat(80)}\n`;
  const block = 10_000;
  const file = openSync(join(server.workspace, job.log_path), 'w');
  let lines = 0;
  let size = 0;
  while (size < 2 ** 30) {
    let text = '';
    for (let index = 0; index < block; index += 1) text += line((lines += 1));
    size += writeSync(file, text);
  }
  writeSync(file, 'needle in the last line\n');
  closeSync(file);
  lines += 1;
  await withPage(server, {}, async (page) => {
    await page.goto(`/jobs/${job.job_id}`);
    await log(page).getByText(/^line 000000001 /).waitFor({ timeout: kHugeMs });
    await log(page).getByText(`${lines.toLocaleString('en')} lines`).waitFor({ timeout: kHugeMs });
    await log(page).getByRole('button', { name: 'To the end' }).click();
    await log(page).getByText('needle in the last line').waitFor();
    assert.ok((await log(page).locator('[data-line]').count()) < 300);

    await page.goto(`/jobs/${job.job_id}#L5000000`);
    await log(page).getByText(/^line 005000000 /).waitFor();
    assert.equal(await log(page).locator('[data-selected]').count(), 1);
    // The wheel moves by lines, though a pixel of the bar is many.
    await log(page).getByRole('log').hover();
    await page.mouse.wheel(0, 18 * 60);
    await log(page).getByText(/^line 005000060 /).waitFor();

    await log(page).getByLabel('Search the log').fill('line 000123456 ');
    await log(page).getByText('1 of 1').waitFor({ timeout: kHugeMs });
    await log(page).locator('[data-line="123456"][data-current]').waitFor();
    await log(page).getByRole('button', { name: 'Wrap long lines' }).click();
    await log(page).locator('[data-line="123456"]').waitFor();
  });
});
