// Hold a run, let it go on, take it up again after it failed, and run parts of it again.
import { expect, test } from '../support/journey.ts';
import { RunPage, open } from '../support/pages.ts';
import type { WorkflowFile } from '../support/server.ts';
import { chain } from '../support/workflows.ts';

/// Waits, then reads something that is not what it is said to be: the second step fails each time.
function failing(): WorkflowFile {
  return {
    troupe: 1,
    name: 'Fails in the middle',
    inputs: [{ name: 'text', type: 'string', default: 'not json' }],
    nodes: [
      { id: 'first', kind: 'transform', title: 'First', template: '{{ input.text }}' },
      { id: 'second', kind: 'transform', title: 'Second', as: 'json', template: '{{ input.text }}' },
      { id: 'done', kind: 'output', title: 'Done', value: '{{ nodes.second.output }}' },
    ],
    edges: [{ from: 'first', to: 'second' }, { from: 'second', to: 'done' }],
  };
}

test.describe('a run that takes its time', () => {
  test.use({ tps: 40 });

  test('a paused run starts nothing until it is resumed', async ({ page, server, shot }) => {
    test.setTimeout(90_000);
    const id = await server.startRun(await server.createWorkflow(chain()));
    await open(page, `/runs/${id}`);
    const run = new RunPage(page);
    await expect(run.task('First')).toHaveAttribute('data-status', 'running');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await expect(run.status()).toHaveText('paused');
    await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeHidden();

    // What was under way ends; what follows waits.
    await expect(run.task('First')).toHaveAttribute('data-status', 'succeeded', { timeout: 30_000 });
    await page.waitForTimeout(1_000);
    await expect(run.task('Second')).not.toHaveAttribute('data-status', /running|assigned/);
    await shot('paused');

    // It is still so for who comes later.
    await page.reload();
    await expect(run.status()).toHaveText('paused');
    await page.getByRole('button', { name: 'Resume' }).click();
    await run.ends('succeeded', 60_000);
  });
});

test('a failed run is taken up again, and again from a step with other input', async ({ page, server, shot }) => {
  const id = await server.startRun(await server.createWorkflow(failing()));
  await open(page, `/runs/${id}`);
  const run = new RunPage(page);
  await run.ends('failed');
  await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeHidden();
  await expect(page.getByRole('button', { name: 'Cancel', exact: true })).toBeHidden();
  await shot('failed');

  // The same run goes on, keeps what was done, and fails once more.
  await page.getByRole('button', { name: 'Retry 1 failed task' }).click();
  await expect
    .poll(async () => {
      const told = (await server.get(`/api/v1/runs/${id}`)) as { tasks: { task: string; attempts: unknown[] }[] };
      return told.tasks.map((task) => `${task.task} ${task.attempts.length}`);
    })
    .toEqual(['first 1', 'second 2', 'done 0']);
  await run.ends('failed');
  await expect(page).toHaveURL(new RegExp(`/runs/${id}`));

  // From the failed step with other input: a new run that names this one.
  await run.task('Second').click();
  await run.panel().getByRole('button', { name: 'Run again from here' }).click();
  const dialog = page.getByRole('dialog', { name: 'Run again from a step' });
  await dialog.getByLabel('Input').fill('{"text": "[1, 2]"}');
  await shot('again-from-here');
  await dialog.getByRole('button', { name: 'Run again' }).click();
  await expect(page).not.toHaveURL(new RegExp(id));
  await run.ends('succeeded');
  await expect(page.getByRole('link', { name: `run ${id.slice(-12)}` })).toBeVisible();
  await run.task('First').click();
  await expect(run.panel().getByText('Its result was taken over')).toBeVisible();
  await shot('the-new-run');

  // One step alone, with what it reads pinned.
  await run.task('Done').click();
  await run.panel().getByRole('button', { name: 'Run this step alone' }).click();
  const alone = page.getByRole('dialog', { name: 'Run this step alone' });
  await alone.getByLabel('Output of second').fill('"pinned"');
  await alone.getByRole('button', { name: 'Run the step' }).click();
  await run.ends('succeeded');
  await expect(page.getByText('Only step')).toBeVisible();
  await expect(run.task('Done')).toHaveAttribute('data-status', 'succeeded');
  await expect(page.getByText('pinned')).toBeVisible();
  await run.task('First').click();
  await expect(run.panel().getByText('Its result was taken over')).toBeVisible();
});
