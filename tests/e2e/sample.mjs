/** A workspace in which something has happened, and the pages that show it. */
import assert from 'node:assert/strict';

/** Trains, evaluates, backtests twice, and leaves a failure and a cancelled job behind. */
export async function fill(server) {
  const train = await server.post('/api/jobs/train', {
    config_path: 'configs/smoke.yaml',
    _job: { name: 'nightly baseline' },
  });
  assert.equal((await server.ended(train.job_id)).status, 'SUCCESS');
  const second = await server.post('/api/jobs/train', {
    config_path: 'configs/smoke.yaml',
    overrides: ['seed=11', 'train.pretrain.steps=8192'],
  });
  assert.equal((await server.ended(second.job_id)).status, 'SUCCESS');
  // The registry is rewritten after each training.
  for (const job of await server.active()) await server.ended(job.job_id);
  const { artifacts_hint: { run_id: run } } = await server.get(`/api/jobs/${train.job_id}`);
  const { artifacts_hint: { run_id: otherRun } } = await server.get(`/api/jobs/${second.job_id}`);
  const backtest = await server.post('/api/jobs/backtest', {
    config_path: 'configs/backtest/base.yaml',
    tickers: ['SPX', 'GOOG'],
    overrides: [`model.run_id=${run}`],
  });
  const done = await server.ended(backtest.job_id);
  assert.equal(done.status, 'SUCCESS', done.error_message);
  const failed = await server.post('/api/jobs/backtest', {
    config_path: 'configs/backtest/base.yaml',
    tickers: ['NONE'],
  });
  await server.ended(failed.job_id);
  await server.post('/api/admin/queue/pause');
  const cancelled = await server.post('/api/jobs/train', { config_path: 'configs/base.yaml' });
  await server.post(`/api/jobs/${cancelled.job_id}/cancel`);
  await server.post('/api/admin/queue/resume');
  for (const job of await server.active()) await server.ended(job.job_id);
  const backtests = (await server.get('/api/backtests/recent')).map((row) => row.bt_run_id);
  return { train: train.job_id, failed: failed.job_id, second: second.job_id, run, otherRun, backtests };
}

/** `ready`: something that is there when the page has its content; `chart`: a curve is drawn after that. */
export function pagesOf({ train, failed, second, run, otherRun, backtests }) {
  return [
    { name: 'dashboard', path: '/', ready: 'article' },
    { name: 'jobs', path: '/jobs', ready: '[data-job]' },
    { name: 'jobs-compare', path: `/jobs/compare?ids=${train},${second}`, ready: 'table' },
    { name: 'job', path: `/jobs/${train}`, ready: '[data-line]', chart: true },
    { name: 'job-failed', path: `/jobs/${failed}`, ready: '[data-line]' },
    { name: 'actions', path: `/actions?type=train&config_path=configs/smoke.yaml&overrides=${encodeURIComponent('train.pretrain.steps=20000')}&overrides=label.horizon_days=40`, ready: 'pre' },
    { name: 'registry', path: '/registry', ready: 'td' },
    { name: 'registry-compare', path: `/registry/compare?models=${run}:finetune:GOOG,${otherRun}:finetune:GOOG`, ready: 'table' },
    { name: 'runs', path: '/runs', ready: 'td' },
    { name: 'run', path: `/runs/${run}`, ready: 'table' },
    { name: 'runs-compare', path: `/runs/compare?ids=${run},${otherRun}`, ready: 'table' },
    { name: 'backtests', path: '/backtests', ready: 'td' },
    { name: 'backtest', path: `/backtests/${backtests[0]}`, ready: 'canvas', chart: true },
    { name: 'backtests-compare', path: `/backtests/compare?ids=${backtests.slice(0, 2).join(',')}`, ready: 'canvas', chart: true },
    { name: 'admin', path: '/admin', ready: 'td' },
  ];
}
