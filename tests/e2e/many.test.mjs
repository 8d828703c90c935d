/** The list of jobs, when there are a hundred thousand. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { closeBrowser, Server, until, withPage } from './kit.mjs';

const kJobs = 100_000;
let server;

/** Copies of one job's record, a second apart, into the database of a server that is down. */
const kCopy = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("""
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${kJobs - 1}),
  one AS (SELECT * FROM jobs LIMIT 1),
  made AS (SELECT i, printf('job_20200101_000000__%08x', i) AS id, one.* FROM n, one)
  INSERT INTO jobs SELECT id, instance, number + i, seq + i * 2, created_at - i * 1000, ended_at - i * 1000,
    status, job_type, job_group,
    json_set(doc, '$.job_id', id, '$.number', number + i, '$.seq', seq + i * 2) FROM made""")
database.commit()
`;

before(async () => {
  server = await new Server().start();
  const job = await server.post('/api/jobs/train', { config_path: 'configs/smoke.yaml', dry_run: true });
  await server.ended(job.job_id);
  await until(async () => (await server.active()).length === 0);
  const others = (await server.get('/api/jobs/recent')).filter((other) => other.job_id !== job.job_id);
  for (const other of others) await fetch(`${server.url}/api/jobs/${other.job_id}`, { method: 'DELETE' });
  await server.stop();
  const database = execFileSync('find', [join(server.workspace, '.runyard'), '-name', '*.db'], { encoding: 'utf8' });
  execFileSync('/usr/bin/python3', ['-c', kCopy, database.trim().split('\n')[0]]);
  await server.start();
});

after(async () => {
  await server?.remove();
  await closeBrowser();
});

test('they are scrolled through without an end, and only what is seen is drawn', async () => {
  await withPage(server, {}, async (page) => {
    await page.goto('/jobs');
    await page.getByText('100,000 jobs').waitFor();
    const scroller = page.getByTestId('jobs');
    const rows = page.locator('[data-job]');
    await rows.first().waitFor();
    // Twenty pages further down, by what a reader does.
    for (let step = 0; step < 20; step += 1) {
      const before = await scroller.evaluate((element) => element.scrollHeight);
      await scroller.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      await until(() => scroller.evaluate((element, old) => element.scrollHeight > old, before));
    }
    assert.ok((await rows.count()) < 80, 'only what is seen is in the page');
    const loaded = await scroller.evaluate((element) => element.scrollHeight);
    assert.ok(loaded > 40 * 1900, `${loaded}`);

    // A new job does not move what is being read.
    const seen = await rows.nth(20).getAttribute('data-job');
    const place = () => page.locator(`[data-job="${seen}"]`).evaluate((element) => element.getBoundingClientRect().top);
    const top = await place();
    const job = await server.post('/api/jobs/train', { config_path: 'configs/smoke.yaml', dry_run: true });
    await page.getByText('100,001 jobs').waitFor();
    assert.ok(Math.abs((await place()) - top) < 2, 'the row stayed where it was');
    await scroller.evaluate((element) => element.scrollTo(0, 0));
    await page.locator(`[data-job="${job.job_id}"]`).waitFor();

    // The server searches them all.
    await page.getByLabel('Search id, name, note, inputs').fill('000000__00010000');
    await page.getByText('1 job', { exact: true }).waitFor();
  });
});
