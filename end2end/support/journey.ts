// What every journey stands on: a server of its own, a page that may write nothing to its console, and
// screenshots that stay outside the checkout.
import { type BrowserContext, type Page, expect, test as base } from '@playwright/test';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from './server.ts';

const screens = join(process.env.TROUPE_ARTIFACTS || join(tmpdir(), 'troupe-artifacts'), 'screens');

/// What pages said on their consoles, errors and warnings only.
export class Console {
  readonly #said: string[] = [];
  #expected: RegExp[] = [];

  listen(context: BrowserContext): void {
    context.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        this.#said.push(`${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    context.on('weberror', (error) => this.#said.push(`uncaught: ${error.error().stack ?? error.error().message}`));
  }

  /// What a journey brings about on purpose, for example by killing the server.
  expect(...patterns: RegExp[]): void {
    this.#expected = [...this.#expected, ...patterns];
  }

  unexpected(): string[] {
    return this.#said.filter((line) => !this.#expected.some((pattern) => pattern.test(line)));
  }
}

interface Fixtures {
  /// Tokens per second of the rehearsal: `test.use({ tps: 5 })` where a run has to be met half-way.
  tps: number;
  server: Server;
  watched: Console;
  shot: (name: string, page?: Page) => Promise<void>;
}

export const test = base.extend<Fixtures>({
  tps: [400, { option: true }],
  server: async ({ tps }, use, info) => {
    const server = await Server.start({ tps });
    await use(server);
    const wrong = await server.stop();
    if (info.status !== info.expectedStatus || wrong.length > 0) {
      await info.attach('server', { body: server.said(), contentType: 'text/plain' });
    }
    expect(wrong, server.said()).toEqual([]);
  },
  baseURL: async ({ server }, use) => use(server.url),
  watched: [
    async ({ context }, use) => {
      const watched = new Console();
      watched.listen(context);
      await use(watched);
      expect(watched.unexpected(), 'the console must stay silent').toEqual([]);
    },
    { auto: true },
  ],
  shot: async ({ page }, use, info) => {
    const [file = '', ...titles] = info.titlePath;
    const slug = (text: string) => text.toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 60).replace(/^-|-$/g, '');
    const folder = join(screens, slug(file.replace(/^tests\/|\.spec\.ts$/g, '')), slug(titles.join(' ')));
    let count = 0;
    await use(async (name, other = page) => {
      await mkdir(folder, { recursive: true });
      count += 1;
      const number = String(count).padStart(2, '0');
      await other.screenshot({ path: join(folder, `${number}-${name}.png`), animations: 'disabled' });
    });
  },
});

export { expect };
export type { Page };
