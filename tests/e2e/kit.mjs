/**
 * A real server on a fresh workspace, and a browser in front of it. Every page is watched: an error on
 * its console, or an exception, fails the test that caused it.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(join(root, 'web/package.json'));
const { chromium } = require('playwright-core');
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const build = process.env.RUNYARD_BUILD ? resolve(process.env.RUNYARD_BUILD) : join(root, 'build/release');
const browserPath = process.env.RUNYARD_CHROMIUM ?? '/usr/bin/chromium';

/** The test plugin `command` runs shell texts; two jobs at once, and a cancelled one ends soon. */
const kSettings = `
workspace: {python: /usr/bin/python3}
plugins: {allow: ["scripts.*", /bin/sh]}
queue: {slots: 2}
jobs: {grace_sec: 1}
`;

/** One `runyard serve`. */
export class Server {
  constructor({ options = [], settings = '' } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'runyard-e2e-'));
    this.workspace = join(this.folder, 'workspace');
    this.pluginDir = join(this.folder, 'plugins');
    this.options = options;
    this.headers = {};
    this.port = 0;
    mkdirSync(this.workspace);
    for (const name of ['scripts', 'configs']) {
      cpSync(join(root, name), join(this.workspace, name), {
        recursive: true,
        filter: (path) => !path.includes('__pycache__'),
      });
    }
    writeFileSync(join(this.workspace, 'configs/runyard.yaml'), kSettings + settings);
    // The scripts alone read it; it may be a link itself.
    symlinkSync(join(root, 'data'), join(this.workspace, 'data'));
    cpSync(join(build, 'plugins'), this.pluginDir, { recursive: true });
  }

  async start() {
    const command = [
      'serve', '--workspace', this.workspace, '--port', String(this.port),
      '--plugin-dir', this.pluginDir, '--web-dir', join(root, 'build/web'), ...this.options,
    ];
    this.process = spawn(join(build, 'bin/runyard'), command, {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.log = '';
    this.process.stderr.on('data', (data) => (this.log += data));
    await new Promise((done, failed) => {
      let text = '';
      this.process.stdout.on('data', (data) => {
        text += data;
        const found = /http:\/\/[^: ]+:(\d+)/.exec(text);
        if (!found) return;
        this.port = Number(found[1]);
        this.url = `http://127.0.0.1:${this.port}`;
        done();
      });
      this.process.once('exit', (code) => failed(new Error(`the server ended with ${code}: ${text}${this.log}`)));
    });
    return this;
  }

  async stop(signal = 'SIGTERM') {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((done) => this.process.once('exit', done));
    this.process.kill(signal);
    await ended;
  }

  async remove() {
    const active = await this.active().catch(() => []);
    for (const job of active) await this.post(`/api/jobs/${job.job_id}/cancel`).catch(() => undefined);
    for (const job of active) await this.ended(job.job_id).catch(() => undefined);
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A new token of this role. */
  token(name, role) {
    const command = ['token', 'add', name, '--role', role, '--workspace', this.workspace];
    return execFileSync(join(build, 'bin/runyard'), command, { encoding: 'utf8' }).trim();
  }

  /** What this token may, in the requests of the test. */
  as(token) {
    this.headers = { Authorization: `Bearer ${token}` };
  }

  async get(path) {
    const response = await fetch(this.url + path, { headers: this.headers });
    assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`);
    return response.json();
  }

  async post(path, body = {}) {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...this.headers },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  async active() {
    const lists = await Promise.all(
      ['RUNNING', 'QUEUED'].map((status) => this.get(`/api/jobs/recent?limit=500&status=${status}`)),
    );
    return lists.flat();
  }

  /** The job when it has ended. */
  async ended(id, limit = 240_000) {
    return until(async () => {
      const job = await this.get(`/api/jobs/${id}`);
      return ['SUCCESS', 'FAILED', 'CANCELLED'].includes(job.status) ? job : null;
    }, limit);
  }
}

/** Asks until there is an answer; the limit only ends what would never end. */
export async function until(ask, limit = 45_000) {
  const end = Date.now() + limit;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${ask}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

let browser;

export async function openBrowser() {
  assert.ok(existsSync(browserPath), `${browserPath} is missing: install the package chromium`);
  browser ??= await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

/** A form that is being filled in is asked about; the answer may be that it is wrong, and a browser says so. */
const kPreview = /\/api\/job-types\/[^/]+\/preview$/;

/** What a browser says by itself when a server is away or refuses: expected by tests that make it so. */
const kNetwork = /Failed to load resource|net::ERR_/;

/** Runs `work` with a page of its own, and looks at its console at the end. */
export async function withPage(server, options, work) {
  const { network = false, width = 1440, height = 900, ...rest } = options;
  const context = await (await openBrowser()).newContext({
    baseURL: server.url,
    viewport: { width, height },
    locale: 'en-US',
    colorScheme: 'light',
    reducedMotion: 'reduce',
    acceptDownloads: true,
    permissions: ['clipboard-read', 'clipboard-write'],
    ...rest,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(45_000);
  const problems = [];
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    if (network && kNetwork.test(message.text())) return;
    if (kPreview.test(message.location().url) && message.text().includes('422')) return;
    problems.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.stack}`));
  // No request leaves the machine.
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (/^https?:$/.test(url.protocol) && url.origin !== server.url) problems.push(`request to ${url}`);
  });
  try {
    await work(page);
  } catch (error) {
    const picture = join(tmpdir(), `runyard-e2e-failure-${Date.now()}.png`);
    await page.screenshot({ path: picture }).catch(() => undefined);
    error.message += `\n(page: ${page.url()}, picture: ${picture}${problems.length ? `, console: ${problems.join('; ')}` : ''})`;
    throw error;
  } finally {
    await context.close();
  }
  assert.deepEqual(problems, [], 'the console has errors');
}

/** What axe finds of WCAG 2.1 A and AA, as one line each. */
export async function accessibility(page) {
  // By the debugger's way, which the page's policy does not see.
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const found = await globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
      resultTypes: ['violations'],
    });
    return found.violations.map(({ id, impact, nodes }) => ({
      id,
      impact,
      where: nodes.slice(0, 4).map((node) => `${node.target.join(' ')} ${node.failureSummary ?? ''}`),
    }));
  });
  return violations.map(({ id, impact, where }) => `${impact} ${id}: ${where.join(' | ')}`);
}
