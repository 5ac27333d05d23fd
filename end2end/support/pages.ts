// Pages by what a person sees and presses on them. Journeys name things through these, so that a change of
// wording is one change here.
import { type Locator, type Page, expect } from '@playwright/test';

/// Opens a page and waits until the browser's half has taken it over: the light says whether it is live.
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await isLive(page);
}

/// The page is taken over, and what it shows is current.
export async function isLive(page: Page): Promise<void> {
  await expect(light(page)).toHaveAttribute('data-status', 'current', { timeout: 15_000 });
  // A page with a canvas comes in a part of its own, after the light: until then the canvas stands where the server
  // could only guess the middle.
  await expect(page.locator('[data-viewport][style*="calc("]')).toHaveCount(0, { timeout: 15_000 });
}

/// The light at the top: current, behind, reconnecting, unreachable.
export function light(page: Page): Locator {
  return page.locator('.live-dot');
}

/// The run page.
export class RunPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /// `/runs/{id}` of the page that is open.
  id(): string {
    const id = new URL(this.page.url()).pathname.match(/^\/runs\/([0-9a-f-]{36})$/)?.[1];
    if (!id) throw new Error(`no run is open: ${this.page.url()}`);
    return id;
  }

  /// Waits until the address is that of a run.
  async isOpen(): Promise<void> {
    await this.page.waitForURL(/\/runs\/[0-9a-f-]{36}/);
    await expect(this.page.getByRole('listbox', { name: 'Tasks' })).toBeVisible();
  }

  /// The run's state, as it stands beside its name.
  status(): Locator {
    return this.page.locator('.run-title .status');
  }

  async ends(status: 'succeeded' | 'failed' | 'cancelled', timeout = 45_000): Promise<void> {
    await expect(this.status()).toHaveText(status, { timeout });
  }

  /// The row of a task.
  task(title: string): Locator {
    return this.page.getByRole('option', { name: title });
  }

  /// The node of a task in the graph.
  node(id: string): Locator {
    return this.page.locator(`[data-node-id="${id}"]`);
  }

  /// The right side.
  panel(): Locator {
    return this.page.locator('.run-panel');
  }

  /// The answer that is being written in the selected task.
  streaming(): Locator {
    return this.panel().locator('[data-streaming="true"] pre');
  }
}

/// The editor's canvas.
export class CanvasPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  canvas(): Locator {
    return this.page.locator('[data-canvas]');
  }

  node(id: string): Locator {
    return this.page.locator(`[data-node-id="${id}"]`);
  }

  nodes(): Locator {
    return this.page.locator('[data-node-id]');
  }

  edge(id: string): Locator {
    return this.page.locator(`[data-edge-id="${id}"]`);
  }

  edges(): Locator {
    return this.page.locator('[data-edge-id]');
  }

  port(node: string, port: string): Locator {
    return this.node(node).locator(`[data-port="${port}"]`);
  }

  /// Drags a connection with the mouse, in steps as a hand does.
  async drag(from: Locator, to: Locator): Promise<void> {
    await this.rests();
    await this.dragTo(from, await centre(to));
  }

  /** Waits until the view has come to rest: what is measured before that is somewhere else when it is pressed. */
  async rests(): Promise<void> {
    await this.page.locator('[data-viewport]').evaluate(
      (viewport) =>
        new Promise<void>((rest) => {
          let [seen, still] = ['', 0];
          const look = () => {
            const transform = (viewport as HTMLElement).style.transform;
            still = transform === seen ? still + 1 : 0;
            seen = transform;
            if (still >= 5) rest();
            else requestAnimationFrame(look);
          };
          look();
        }),
    );
  }

  async dragTo(from: Locator, to: { x: number; y: number }): Promise<void> {
    await this.rests();
    const start = await centre(from);
    const { mouse } = this.page;
    await mouse.move(start.x, start.y);
    await mouse.down();
    await mouse.move(start.x + 6, start.y + 3);
    await mouse.move(to.x, to.y, { steps: 12 });
    await mouse.up();
  }

  control(name: string): Locator {
    return this.page.locator(`[data-control="${name}"]`);
  }
}

/// The middle of an element on the screen.
export async function centre(element: Locator): Promise<{ x: number; y: number }> {
  // The painter may put a new element in the place of the one that was just found.
  let box: Awaited<ReturnType<Locator['boundingBox']>> = null;
  await expect.poll(async () => (box = await element.boundingBox()), 'the element is on the page').not.toBeNull();
  const { x, y, width, height } = box!;
  return { x: x + width / 2, y: y + height / 2 };
}
