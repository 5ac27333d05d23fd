// Models that are out of order, steps whose prompt is not the recorded one, and usage as a file.
import { expect, test } from '../support/journey.ts';
import { type OpenRouter, KEY, openRouter } from '../support/openrouter.ts';
import { RunPage, open } from '../support/pages.ts';
import type { Server, WorkflowFile } from '../support/server.ts';

let seller: OpenRouter;
test.beforeEach(async () => {
  seller = await openRouter();
});
test.afterEach(async () => {
  await seller.close();
});

async function send(server: Server, method: string, path: string, body: object, headers = {}): Promise<unknown> {
  const response = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  expect(response.ok, `${method} ${path}: ${text}`).toBe(true);
  return text === '' ? null : JSON.parse(text);
}

async function provide(server: Server): Promise<void> {
  const wish = { name: 'openrouter', kind: 'openrouter', base_url: seller.url, key: KEY, default_model: 'acme/echo', private: true };
  await send(server, 'POST', '/providers', wish);
}

function step(id: string, title: string, model: string, more = {}): object {
  return { id, kind: 'agent', title, capabilities: [`at-${id}`], prompt: `Say something: ${title}`, model: `openrouter:${model}`, max_tokens: 1000, ...more };
}

test('a model that is out of order: why, for how long, who waits, and who goes on without it', async ({ page, server, shot }) => {
  await provide(server);
  const hasty = { retry: { attempts: 3, min_wait_ms: 1, max_wait_ms: 2 } };
  const asks = [1, 2, 3, 4, 5, 6].map((number) => step(`ask${number}`, `Ask ${number}`, 'acme/busy', hasty));
  const storm: WorkflowFile = { troupe: 1, name: 'Nobody answers', nodes: asks, edges: [] };
  const waits = await server.startRun(await server.createWorkflow(storm));

  await open(page, '/');
  const shut = page.getByRole('region', { name: 'Models out of order' });
  await expect(shut.getByText('openrouter:acme/busy')).toBeVisible();
  await expect(shut.getByText(/all servers are at work/)).toBeVisible();
  const left = async () => Number((await shut.getByText(/Tried again in \d+ s/).textContent())?.match(/in (\d+) s/)?.[1]);
  const first = await left();
  await expect.poll(left, { message: 'it counts down' }).toBeLessThan(first);
  await shot('out-of-order');

  await open(page, `/runs/${waits}`);
  const run = new RunPage(page);
  await expect(run.task('Ask 3')).toBeVisible();
  await run.task('Ask 3').click();
  await expect(run.panel().getByText(/The provider may not be called now. Goes on in \d+ s/)).toBeVisible();
  await shot('waits');
  // One may have been quick enough for a second try before the fifth failure; behind it nobody calls.
  const called = seller.calls.filter((model) => model === 'acme/busy').length;
  expect(called).toBeLessThan(asks.length * 2);

  // OpenRouter would try others by itself; one of another provider is ours to ask.
  const fallback: WorkflowFile = {
    troupe: 1,
    name: 'Another one answers',
    nodes: [step('ask', 'Ask', 'acme/busy', { models: ['rehearsal:default'] })],
    edges: [],
  };
  const goes = await server.startRun(await server.createWorkflow(fallback));
  await open(page, `/runs/${goes}`);
  await run.ends('succeeded');
  expect(seller.calls.filter((model) => model === 'acme/busy'), 'nobody calls it any more').toHaveLength(called);

  await open(page, '/events?type=provider.unhealthy');
  await expect(page.getByText(/acme\/busy/).first()).toBeVisible();
});

test('a prompt that is not the recorded one: call the model, use the recorded answer, or let it fail', async ({ page, server, shot }) => {
  await provide(server);
  const file = (prompt: string): WorkflowFile => ({
    troupe: 1,
    name: 'Recorded',
    nodes: [step('say', 'Say it', 'acme/echo'), step('again', 'Say it again', 'acme/echo', { prompt })],
    edges: [{ from: 'say', to: 'again' }],
  });
  const workflow = await server.createWorkflow(file('Once more'));
  const recorded = await server.startRun(workflow);
  await open(page, `/runs/${recorded}`);
  const run = new RunPage(page);
  await run.ends('succeeded');
  await send(server, 'PUT', `/workflows/${workflow}`, file('Once more, and louder'), { 'if-match': '1' });

  const answers: [string, 'succeeded' | 'failed', number][] = [
    ['Call the model', 'succeeded', 1],
    ['Use the recorded answer', 'succeeded', 0],
    ['Let it fail', 'failed', 0],
  ];
  for (const [answer, end, calls] of answers) {
    const before = seller.calls.length;
    await open(page, `/runs/${recorded}`);
    await page.getByRole('button', { name: 'Play back…' }).click();
    await page.getByRole('dialog', { name: 'Play back' }).getByRole('button', { name: 'Play back' }).click();
    await expect(page).not.toHaveURL(new RegExp(recorded));
    await run.isOpen();
    const played = run.id();
    // Whoever is not on the page is told on the first one.
    await open(page, '/');
    await page.getByRole('region', { name: 'Waits for you' }).getByRole('link', { name: /Say it again/ }).click();
    await run.isOpen();
    expect(run.id()).toBe(played);
    const question = run.panel().getByRole('region', { name: 'Changed prompt' });
    await expect(question).toContainText('prompt');
    await shot('asks');
    await question.getByRole('button', { name: answer }).click();
    await run.ends(end);
    expect(seller.calls.length - before, answer).toBe(calls);
  }
  await expect(page.getByText(/again/).first()).toBeVisible();
  await shot('let-fail');
});

test('usage as a file of commas', async ({ page, server }) => {
  await provide(server);
  const workflow = await server.createWorkflow({ troupe: 1, name: 'One', nodes: [step('say', 'Say it', 'acme/echo')], edges: [] });
  const id = await server.startRun(workflow);
  await open(page, `/runs/${id}`);
  await new RunPage(page).ends('succeeded');
  await open(page, '/usage');
  for (const [by, name] of [['model', 'openrouter:acme/echo'], ['workflow', 'One'], ['day', new Date().toISOString().slice(0, 10)]]) {
    const link = page.getByRole('link', { name: `Export as CSV, by ${by}` });
    const answer = await page.request.get((await link.getAttribute('href')) ?? '');
    expect(answer.headers()['content-type']).toContain('text/csv');
    const [head = '', row = ''] = (await answer.text()).split(/\r?\n/);
    const at = head.split(',').indexOf('cost_usd');
    expect(row.split(',')[at]).toBe('0.0025');
    expect(row).toContain(name);
  }
  const days = page.getByRole('region', { name: 'Per day' });
  await page.getByRole('combobox', { name: /^Days/ }).selectOption('workflow');
  await expect(page).toHaveURL(/split=workflow/);
  await expect(days.getByText('Cost by workflow.', { exact: false })).toBeVisible();
  await expect(days.getByRole('listitem').filter({ hasText: 'One' })).toBeVisible();
});
