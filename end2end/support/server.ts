// A server process with a data directory of its own, that can be killed and started again in the same place.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = process.env.TROUPE_BIN ?? join(import.meta.dirname, '../../target/release/troupe');
const site = process.env.TROUPE_SITE ?? join(import.meta.dirname, '../../target/site');

/// Longest time from start to ready; a loaded machine compiles beside it.
const READY_MS = 20_000;

export interface Options {
  /// Tokens per second of the rehearsal; 0 answers at once.
  tps: number;
}

/// A workflow file, as far as journeys write one.
export interface WorkflowFile {
  troupe: 1;
  name: string;
  description?: string;
  inputs?: object[];
  nodes: object[];
  edges: object[];
  layout?: object;
}

export class Server {
  readonly url: string;
  readonly #port: number;
  readonly #data: string;
  readonly #options: Options;
  #child: ChildProcess | undefined;
  #said = '';

  private constructor(port: number, data: string, options: Options) {
    this.#port = port;
    this.#data = data;
    this.#options = options;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(options: Options): Promise<Server> {
    const server = new Server(await freePort(), await mkdtemp(join(tmpdir(), 'troupe-journey-')), options);
    await server.up();
    return server;
  }

  /// Starts the process and waits until it can serve.
  async up(): Promise<void> {
    const environment = { ...process.env };
    // A key in the environment of whoever runs the journeys would make them cost money.
    for (const name of ['OPENROUTER_API_KEY', 'OPENAI_API_KEY', 'OPENAI_BASE_URL', 'OLLAMA_HOST', 'DATABASE_URL', 'REDIS_URL', 'TROUPE_ADDR', 'TROUPE_DATA']) {
      delete environment[name];
    }
    const child = spawn(binary, ['serve', '--addr', `127.0.0.1:${this.#port}`, '--data', this.#data], {
      cwd: this.#data,
      env: { ...environment, TROUPE_SITE: site, TROUPE_REHEARSAL_TPS: String(this.#options.tps) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    this.#child = child;
    const until = Date.now() + READY_MS;
    while (!(await this.#isReady())) {
      if (child.exitCode !== null || Date.now() > until) {
        throw new Error(`the server did not become ready (exit status ${child.exitCode}):\n${this.#said}`);
      }
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }

  /// Ends the process without a chance to say goodbye.
  async kill9(): Promise<void> {
    const ended = this.#ended();
    this.#child?.kill('SIGKILL');
    await ended;
  }

  /// Ends the process the polite way, removes its data, and says what was wrong with the way it ended.
  async stop(): Promise<string[]> {
    const wrong: string[] = [];
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = this.#ended();
      this.#child.kill('SIGTERM');
      const status = await ended;
      if (status !== 0) wrong.push(`the server ended with status ${status}`);
    }
    if (/panicked at/.test(this.#said)) wrong.push('the server panicked');
    await rm(this.#data, { recursive: true, force: true });
    return wrong;
  }

  /// Everything that the process wrote.
  said(): string {
    return this.#said;
  }

  /// Stores a workflow through the API, for journeys that are about something else than drawing one.
  async createWorkflow(file: WorkflowFile): Promise<string> {
    const { id } = (await this.#post('/api/v1/workflows', file)) as { id: string };
    return id;
  }

  /// Starts a run through the API.
  async startRun(workflow: string, input: object = {}): Promise<string> {
    const { id } = (await this.#post(`/api/v1/workflows/${workflow}/runs`, { input })) as { id: string };
    return id;
  }

  /// A document of the API.
  async get(path: string): Promise<unknown> {
    const response = await fetch(this.url + path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  }

  async #post(path: string, body: object): Promise<unknown> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).ok;
    } catch {
      return false;
    }
  }

  #ended(): Promise<number | null> {
    return new Promise((resolve) => {
      if (!this.#child || this.#child.exitCode !== null || this.#child.signalCode !== null) resolve(null);
      else this.#child.once('exit', (status) => resolve(status));
    });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no free port'))));
    });
  });
}
