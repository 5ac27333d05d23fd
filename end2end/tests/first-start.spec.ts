// A newcomer: opens the address, presses Run on a sample, and watches the agents work to the end.
import { expect, test } from '../support/journey.ts';
import { RunPage, open } from '../support/pages.ts';

test.use({ tps: 90 });

test('the first start: one press runs a sample, and three agents write before one\'s eyes', async ({ page, shot }) => {
  await open(page, '/');
  await expect(page.getByText('Simulated answers')).toBeVisible();
  await shot('empty-control-room');

  await page.getByRole('button', { name: /Research, write, review/ }).click();
  const run = new RunPage(page);
  await run.isOpen();

  // Each task in turn is followed by itself, and its text grows piece by piece.
  for (const title of ['Research', 'Write', 'Review']) {
    await expect(run.panel().getByRole('heading', { name: title, exact: true })).toBeVisible({ timeout: 30_000 });
    await expect(run.streaming()).toHaveText(/\S{3}/);
    const before = await run.streaming().innerText();
    await expect(run.streaming()).not.toHaveText(before);
    await expect(run.panel().getByText('Simulated', { exact: true }).first()).toBeVisible();
    await shot(`${title.toLowerCase()}-at-work`);
  }

  await run.ends('succeeded');
  const output = run.panel().getByRole('region', { name: 'Output' });
  await expect(output).toBeVisible();
  expect((await output.innerText()).length).toBeGreaterThan(100);
  await expect(page.getByText('Simulated', { exact: true }).first()).toBeVisible();
  for (const title of ['Research', 'Write', 'Review', 'Article']) {
    await expect(run.task(title)).toHaveAttribute('data-status', 'succeeded');
  }
  await expect(run.node('research')).toHaveAttribute('data-status', 'succeeded');
  await shot('finished');

  // The finished run tells the same story from the log.
  await run.task('Write').click();
  await expect(run.panel().locator('.turn').first()).toContainText('Simulated');
  const told = await run.panel().locator('.transcript').innerText();
  expect(page.url()).toContain('?task=write');
  await page.reload();
  await expect(run.panel().locator('.transcript')).toBeVisible();
  expect(await run.panel().locator('.transcript').innerText()).toBe(told);
  await shot('transcript-after-reload');

  // The control room has not forgotten it.
  await open(page, '/');
  await expect(page.getByRole('link', { name: /Research, write, review/ }).first()).toBeVisible();
  await shot('control-room-after');
});

test('without scripts the pages still say what they have', async ({ browser, server, shot }) => {
  const workflow = await server.createWorkflow({
    troupe: 1,
    name: 'Only a template',
    nodes: [{ id: 'out', kind: 'output', title: 'Out', value: 'made by the server' }],
    edges: [],
  });
  const id = await server.startRun(workflow);
  await expect(async () => {
    const run = (await server.get(`/api/v1/runs/${id}`)) as { status: string };
    expect(run.status).toBe('succeeded');
  }).toPass();
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: server.url });
  const page = await context.newPage();
  await page.goto(`/runs/${id}`);
  await expect(page.getByRole('heading', { name: 'Only a template' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Output' })).toHaveText(/made by the server/);
  await shot('run-without-scripts', page);
  await context.close();
});
