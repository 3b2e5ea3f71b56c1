// As much of Docker's API as looking at containers and reading their logs needs, on a socket of its own. It runs in the test's event loop: a call that
// kept that from turning would never get an answer.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';

const LABEL = 'com.docker.compose.project';

/** A line as Docker sends it: a header with the stream and the length, then time and text. */
function frame(at, text) {
  const body = Buffer.from(`${at} ${text}\n`);
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}

export class Engine {
  /** The names of services that have a container. */
  services = [];
  /** What they wrote: `[at, text]`. */
  past = [];
  /** How many lines were taken from us. */
  taken = 0;
  /** Whoever follows the logs now. */
  followers = new Set();

  static async start(t, directory) {
    const engine = new Engine();
    const server = createServer((request, response) => {
      engine.answer(request, response).catch((error) => response.destroy(error));
    });
    engine.address = `unix://${join(directory, 'docker.sock')}`;
    server.listen(join(directory, 'docker.sock'));
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return engine;
  }

  container(service, project) {
    const labels = { [LABEL]: project, 'com.docker.compose.service': service };
    const id = Buffer.from(service.padEnd(32, '.')).toString('hex');
    return { id, name: `/mailu_${service}`, labels };
  }

  async answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'http://docker');
    const json = (value) => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(value));
    };
    response.setHeader('Api-Version', '1.50');
    const path = pathname.replace(/^\/v1\.\d+/, '');
    const [, project] = /com\.docker\.compose\.project=([\w-]+)/.exec(searchParams.get('filters') ?? '') ?? [];
    if (project) this.project = project;
    const all = this.services.map((service) => this.container(service, this.project));
    if (path === '/_ping') return response.end('OK');
    if (path === '/version') return json({ Version: '28.2.2', ApiVersion: '1.50', MinAPIVersion: '1.24', Os: 'linux', Arch: 'amd64' });
    if (path === '/networks') return json([]);
    if (path === '/containers/json') {
      return json(all.map(({ id, name, labels }) => ({ Id: id, Names: [name], Labels: labels, State: 'running', Status: 'Up' })));
    }
    const [, wanted, verb] = /^\/containers\/([^/]+)\/(json|logs)$/.exec(path) ?? [];
    const there = all.find(({ id, name }) => id === wanted || name === `/${wanted}`);
    if (!there) {
      response.statusCode = 404;
      return json({ message: `No such object: ${path}` });
    }
    const { id, name, labels } = there;
    if (verb === 'json') {
      return json({
        Id: id,
        Name: name,
        Created: '2026-11-22T10:00:00Z',
        State: { Status: 'running', Running: true, Pid: 42, ExitCode: 0, StartedAt: '2026-11-22T10:00:00Z', FinishedAt: '0001-01-01T00:00:00Z' },
        Config: { Labels: labels, Env: [], Image: 'mailu', Tty: false },
        HostConfig: { NetworkMode: 'bridge', LogConfig: { Type: 'json-file', Config: {} } },
        NetworkSettings: { Ports: {}, Networks: {} },
        Mounts: [],
      });
    }
    response.setHeader('Content-Type', 'application/vnd.docker.multiplexed-stream');
    const follow = /^(1|true)$/.test(searchParams.get('follow') ?? '');
    if (!follow) {
      for (const [at, text] of this.past) {
        if (response.destroyed) return undefined;
        this.taken += 1;
        if (!response.write(frame(at, text))) await this.drained(response);
      }
      return response.end();
    }
    response.flushHeaders();
    this.followers.add(response);
    response.on('close', () => this.followers.delete(response));
    return undefined;
  }

  drained(response) {
    return new Promise((resolve) => {
      const done = () => {
        response.off('drain', done).off('close', done);
        resolve();
      };
      response.on('drain', done).on('close', done);
    });
  }

  /** A line for all who follow. What is older than their question they have from before. */
  says(text) {
    const at = new Date().toISOString();
    for (const follower of this.followers) follower.write(frame(at, text));
  }

  /** Until so many follow. */
  async followed(count) {
    const begun = Date.now();
    while (this.followers.size !== count) {
      if (Date.now() - begun > 20_000) throw new Error(`${this.followers.size} follow, not ${count}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
