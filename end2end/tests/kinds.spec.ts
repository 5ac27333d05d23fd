// Steps that wait for a person, do the same for each item, or stand inside of others.
import { expect, test } from '../support/journey.ts';
import { CanvasPage, RunPage, isLive, open } from '../support/pages.ts';
import type { WorkflowFile } from '../support/server.ts';

/// A draft that a person has to agree to before it goes out.
function asking(): WorkflowFile {
  return {
    troupe: 1,
    name: 'Ask before it goes out',
    inputs: [{ name: 'text', type: 'string', required: true, default: 'Hello' }],
    nodes: [
      { id: 'draft', kind: 'transform', title: 'Draft', template: '{{ input.text }}, world' },
      { id: 'agree', kind: 'approval', title: 'Agree', message: 'Send **{{ nodes.draft.output }}**?' },
      { id: 'sent', kind: 'output', title: 'Sent', value: 'sent: {{ nodes.draft.output }} ({{ nodes.agree.output.comment }})' },
      { id: 'kept', kind: 'output', title: 'Kept', value: 'kept' },
    ],
    edges: [
      { from: 'draft', to: 'agree' },
      { from: 'agree.approved', to: 'sent' },
      { from: 'agree.rejected', to: 'kept' },
    ],
  };
}

/// Upper case for each of a list of words.
function each(count: number): WorkflowFile {
  return {
    troupe: 1,
    name: 'Loud words',
    inputs: [{ name: 'words', type: 'json', default: Array.from({ length: count }, (_, at) => `word ${at + 1}`) }],
    nodes: [
      {
        id: 'each',
        kind: 'map',
        title: 'Each word',
        items: 'input.words',
        body: { nodes: [{ id: 'loud', kind: 'transform', title: 'Loud', template: '{{ item | upper }}' }], edges: [] },
      },
      { id: 'done', kind: 'output', title: 'Done', value: '{{ nodes.each.output }}' },
    ],
    edges: [{ from: 'each', to: 'done' }],
  };
}

test('an approval in the page lets the run go on', async ({ page, server, shot }) => {
  const id = await server.startRun(await server.createWorkflow(asking()));
  // The control room names what waits, and leads there.
  await open(page, '/');
  await page.getByRole('region', { name: 'Waits for you' }).getByRole('link', { name: 'Ask before it goes out: Agree' }).click();
  await expect(page).toHaveURL(new RegExp(`/runs/${id}\\?task=agree`));

  const run = new RunPage(page);
  await expect(run.task('Agree')).toHaveAttribute('data-status', 'waiting');
  await expect(run.task('Sent')).toHaveAttribute('data-status', 'blocked');
  const approval = run.panel().getByRole('region', { name: 'Approval' });
  await expect(approval.getByText('Hello, world')).toBeVisible();
  await shot('a-person-is-asked');

  await approval.getByLabel('Comment').fill('Looks good.');
  await approval.getByRole('button', { name: 'Approve' }).click();
  await run.ends('succeeded');
  await expect(run.task('Sent')).toHaveAttribute('data-status', 'succeeded');
  await expect(run.task('Kept')).toHaveAttribute('data-status', 'skipped');
  const answer = run.panel().getByRole('region', { name: 'Answer' });
  await run.task('Agree').click();
  await expect(answer).toContainText(/Approved by \S+/);
  await expect(answer).toContainText('Looks good.');
  await shot('approved');

  // Who and when are stored: they are there after a reload too.
  await page.reload();
  await isLive(page);
  await expect(answer).toContainText(/Approved by \S+/);
  await page.keyboard.press('Escape');
  await expect(run.panel()).toContainText('sent: Hello, world (Looks good.)');
});

test('rounds of a map fold out below it, and stay few elements however many there are', async ({ page, server, shot }) => {
  const id = await server.startRun(await server.createWorkflow(each(400)));
  await open(page, `/runs/${id}`);
  const run = new RunPage(page);
  await run.ends('succeeded');
  await expect(page.getByRole('option')).toHaveCount(2);
  await expect(run.task('Each word')).toContainText('400 rounds');

  await run.task('Each word').click();
  const list = page.getByRole('listbox', { name: 'Tasks' });
  await list.focus();
  await page.keyboard.press('ArrowRight');
  await expect(run.task('Loud').first()).toBeVisible();
  expect(await page.getByRole('option').count()).toBeLessThanOrEqual(80);
  await page.keyboard.press('ArrowDown');
  await expect(page).toHaveURL(/task=each%5B0%5D\.loud/);
  await run.panel().getByRole('tab', { name: 'Output' }).click();
  await expect(run.panel().getByRole('tabpanel')).toContainText('WORD 1');
  await shot('a-round');

  // From inside a round, Left leads back to the map and closes it.
  await list.focus();
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByRole('option')).toHaveCount(2);
  await expect(run.task('Each word')).toHaveAttribute('aria-selected', 'true');
});

test('the steps inside of a map are drawn on a canvas of their own', async ({ page, server, shot }) => {
  const id = await server.createWorkflow(each(3));
  await open(page, `/workflows/${id}`);
  const canvas = new CanvasPage(page);
  await canvas.node('each').click();
  await page.getByRole('button', { name: 'Open the steps inside' }).click();
  await expect(canvas.node('loud')).toBeVisible();
  await expect(canvas.node('each')).toHaveCount(0);
  const way = page.getByRole('navigation', { name: 'Levels' });
  await expect(way).toContainText('Each word');

  await canvas.node('loud').click();
  await page.getByLabel('Template').fill('{{ item | upper }}!');
  await page.getByRole('button', { name: 'Add transform' }).click();
  await expect(canvas.nodes()).toHaveCount(2);
  await shot('inside');

  await way.getByRole('button', { name: 'Workflow' }).click();
  await expect(canvas.node('each')).toContainText('2 inside');
  await expect(page.locator('[data-save="saved"]')).toBeVisible();
  // What was done inside is stored with the workflow.
  const stored = JSON.stringify(await server.get(`/api/v1/workflows/${id}`));
  expect(stored).toContain('{{ item | upper }}!');
});
