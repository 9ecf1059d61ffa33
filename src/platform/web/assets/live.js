// The line to the server: its stream of events, and what this window posts.

/** A fresh id, of an act or of this window. */
export function token() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const windowId = token();

const PAUSES = [0, 400, 1000, 2500];
const SLOWEST_POST = 20_000;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Posts; after a network error the same again, with the same id in `body`, so that the server can
 * tell a repetition. Never throws: `{ok, status, data, error, lost}`.
 */
export async function post(path, body) {
  for (const pause of PAUSES) {
    if (pause) await sleep(pause);
    let response;
    try {
      response = await fetch(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(SLOWEST_POST),
      });
    } catch {
      continue;
    }
    const data = await response.json().catch(() => ({}));
    const error = response.ok ? '' : data.error ?? `The demo's server refused that (${response.status}).`;
    return { ok: response.ok, status: response.status, data, error, lost: false };
  }
  return { ok: false, status: 0, data: {}, error: 'The demo\'s server did not answer. Please try again.', lost: true };
}

/** The stream of one person at a time. */
export class Live {
  static #FIRST_PAUSE = 500;
  static #LONGEST_PAUSE = 5_000;
  // A stream that is back within this was not lost for anybody who reads.
  static #PATIENCE = 800;

  #on;
  #source;
  #retry;
  #patience;
  #pause = Live.#FIRST_PAUSE;
  #greeted = false;

  /** `on`: hello(data), message(data), form(data), lost(bool), nobody(). */
  constructor(on) {
    this.#on = on;
  }

  connect(person) {
    this.#greeted = false;
    this.#pause = Live.#FIRST_PAUSE;
    this.#open(`/demo/events?as=${encodeURIComponent(person)}&window=${windowId}`);
  }

  #open(url) {
    this.#source?.close();
    clearTimeout(this.#retry);
    const source = new EventSource(url);
    this.#source = source;
    const listen = (name, then) => source.addEventListener(name, (event) => {
      if (source === this.#source) then(JSON.parse(event.data));
    });
    listen('hello', (data) => {
      this.#greeted = true;
      this.#pause = Live.#FIRST_PAUSE;
      this.#lost(false);
      this.#on.hello(data);
    });
    listen('message', (data) => this.#on.message(data));
    listen('form', (data) => this.#on.form(data));
    source.onerror = () => {
      if (source !== this.#source) return;
      this.#lost(true);
      // Otherwise the browser tries again by itself.
      if (source.readyState === EventSource.CLOSED) this.#again(url);
    };
  }

  async #again(url) {
    const source = this.#source;
    if (!this.#greeted && await isNobody(url)) {
      if (source === this.#source) this.#on.nobody();
      return;
    }
    if (source !== this.#source) return;
    this.#retry = setTimeout(() => this.#open(url), this.#pause);
    this.#pause = Math.min(this.#pause * 2, Live.#LONGEST_PAUSE);
  }

  #lost(lost) {
    if (lost) {
      this.#patience ??= setTimeout(() => this.#on.lost(true), Live.#PATIENCE);
    } else {
      clearTimeout(this.#patience);
      this.#patience = undefined;
      this.#on.lost(false);
    }
  }
}

// EventSource does not tell why it was refused.
async function isNobody(url) {
  const stop = new AbortController();
  try {
    return (await fetch(url, { signal: stop.signal })).status === 404;
  } catch {
    return false;
  } finally {
    stop.abort();
  }
}
