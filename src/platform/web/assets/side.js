// Beside the conversation: what to try, what happens at Sekoia, what is on record.

import { post } from './live.js';
import { h, icon, patch } from './render.js';

const EVERY = 1000;
const USED = 'sekoia-chatops-used';
const MEANING = {
  0: 'no answer yet', 200: '200 fine', 201: '201 created', 204: '204 fine', 400: '400 not understood', 401: '401 key refused',
  403: '403 not allowed', 404: '404 not found', 409: '409 conflict', 429: '429 limited', 500: '500 failed', 503: '503 unavailable',
};

const at = (id) => document.getElementById(id);

/** Columns that do not fit beside the conversation open over it, one at a time. */
export class Panels {
  #wide = matchMedia('(min-width: 1100px)');
  #narrow = matchMedia('(max-width: 699px)');
  #open = null;
  #changed;

  /** `changed(name)`: that one was closed; null: one was opened. */
  constructor(changed) {
    this.#changed = changed;
    for (const name of ['left', 'right']) {
      at(`open-${name}`).addEventListener('click', () => {
        const open = this.#open === name;
        this.close();
        if (open) return;
        this.show(name);
        at(name).querySelector('[aria-checked=true], [aria-selected=true]')?.focus();
      });
    }
    at('scrim').addEventListener('click', () => this.close());
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) this.close();
    });
    for (const size of [this.#wide, this.#narrow]) size.addEventListener('change', () => this.close());
    this.#draw();
  }

  get narrow() {
    return this.#narrow.matches;
  }

  show(name) {
    const floats = name === 'left' ? this.#narrow.matches : !this.#wide.matches;
    this.#open = floats ? name : null;
    this.#draw();
    this.#changed(null);
  }

  close() {
    const name = this.#open;
    if (!name) return;
    const inside = at(name).contains(document.activeElement);
    this.#open = null;
    this.#draw();
    if (inside) at(`open-${name}`).focus();
    this.#changed(name);
  }

  #draw() {
    for (const name of ['left', 'right']) {
      const open = this.#open === name;
      const button = at(`open-${name}`);
      at(name).classList.toggle('open', open);
      button.setAttribute('aria-expanded', String(open));
      button.replaceChildren(icon(open ? 'close' : { left: 'menu', right: 'guide' }[name]));
    }
    at('scrim').hidden = this.#open === null;
    at('main').inert = this.#open !== null;
    at('left').inert = this.#open === 'right';
  }
}

export class Side {
  #chat;
  #tabs = [...document.querySelectorAll('#side [role=tab]')];
  #timer;
  #asked = 0;
  #drawn = { calls: '', audit: '', faults: '', guide: '', switches: '', happenings: '' };
  #rows = { calls: new Map(), audit: new Map() };
  #used = new Set(JSON.parse(sessionStorage.getItem(USED) ?? '[]'));

  constructor(chat) {
    this.#chat = chat;
    this.#tabs.forEach((tab, n) => {
      tab.addEventListener('click', () => this.#open(tab));
      tab.addEventListener('keydown', (event) => {
        const last = this.#tabs.length - 1;
        const to = { ArrowRight: n === last ? 0 : n + 1, ArrowLeft: n === 0 ? last : n - 1, Home: 0, End: last }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        this.#tabs[to].focus();
        this.#open(this.#tabs[to]);
      });
    });
    document.addEventListener('visibilitychange', () => this.poll());
  }

  #open(tab) {
    for (const one of this.#tabs) {
      const on = one === tab;
      one.setAttribute('aria-selected', String(on));
      one.tabIndex = on ? 0 : -1;
      at(one.getAttribute('aria-controls')).hidden = !on;
    }
    this.poll();
  }

  /** After every `hello`. */
  start({ guide, faults, happenings, kept }) {
    at('kept').textContent = kept;
    if (this.#changed('guide', [guide, this.#chat.people()])) at('guide').replaceChildren(...guide.map((section) => this.#section(section)));
    if (this.#changed('happenings', happenings)) at('happenings').replaceChildren(...happenings.map((one) => this.#happening(one)));
    if (this.#changed('switches', faults)) {
      at('faults').replaceChildren(...faults.map((fault) => this.#switch(fault)));
      this.#drawn.faults = '';
    }
    this.look();
  }

  #changed(what, data) {
    const text = JSON.stringify(data);
    const changed = this.#drawn[what] !== text;
    this.#drawn[what] = text;
    return changed;
  }

  // The guide

  #section({ title, text, chips }) {
    return h('section', {}, h('h3', {}, title), h('p', {}, text), h('ul', {}, chips.map((chip) => h('li', {}, this.#chip(chip)))));
  }

  #chip(chip) {
    const key = JSON.stringify([chip.words, chip.as, chip.channel]);
    const who = chip.as && `as ${this.#chat.name(chip.as)}`;
    const where = chip.channel && `in #${this.#chat.channel(chip.channel)?.name ?? chip.channel}`;
    const done = h('span', { class: 'done', hidden: !this.#used.has(key) }, icon('check'), h('span', { class: 'unseen' }, 'Tried: '));
    return h('button', {
      type: 'button', class: 'chip', 'data-said': chip.words, 'data-as': chip.as,
      onclick: () => {
        this.#used.add(key);
        sessionStorage.setItem(USED, JSON.stringify([...this.#used]));
        done.hidden = false;
        this.#chat.follow(chip);
      },
    }, done, h('code', {}, chip.words), h('span', { class: 'what' }, chip.text),
    (who || where) && h('span', { class: 'who' }, [who, where].filter(Boolean).join(' ')));
  }

  // Sekoia and the audit

  #watched() {
    const seen = this.#tabs.find((tab) => tab.getAttribute('aria-selected') === 'true')?.id !== 'tab-guide';
    return seen && !document.hidden && at('side').checkVisibility();
  }

  /** Looks every second while somebody sees it. */
  poll() {
    clearTimeout(this.#timer);
    if (!this.#watched()) return;
    this.look();
    this.#timer = setTimeout(() => this.poll(), EVERY);
  }

  async look() {
    const asked = this.#asked += 1;
    const channel = this.#chat.at;
    try {
      const response = await fetch(`/demo/side?channel=${encodeURIComponent(channel)}`);
      if (!response.ok) return;
      const { calls, audit, faults } = await response.json();
      if (asked !== this.#asked) return;
      this.#faults(faults);
      if (this.#changed('calls', calls)) this.#list('calls', calls, ({ number }) => number, call);
      if (this.#changed('audit', [channel, audit])) this.#list('audit', audit, ({ id }) => `${channel} ${id}`, (record) => this.#record(record));
    } catch {
      // The banner says that the server is away.
    }
  }

  #list(what, items, key, make) {
    const list = at(what === 'calls' ? 'calls' : 'records');
    const before = this.#rows[what];
    const rows = new Map();
    for (const item of items) {
      const text = JSON.stringify(item);
      const old = before.get(key(item));
      rows.set(key(item), old?.text === text ? old : { text, node: make(item) });
    }
    this.#rows[what] = rows;
    patch(list, [...rows.values()].map((row) => row.node));
    at(`no-${list.id}`).hidden = items.length > 0;
  }

  #record({ seq, at: when, actor, what }) {
    const name = this.#chat.name(actor === 'bot' ? this.#chat.bot.id : actor.replace(/^web:/, ''));
    return h('li', { value: seq }, h('p', {}, what), h('p', { class: 'note' }, seq ? `${seq} · ${name}` : name, when && ` · ${when}`));
  }

  #switch({ id, label, text }) {
    const button = h('button', {
      type: 'button', role: 'switch', class: 'switch', 'aria-checked': 'false', 'data-fault': id, 'aria-describedby': `fault-${id}`,
      onclick: async () => {
        if (button.getAttribute('aria-busy') === 'true') return;
        button.setAttribute('aria-busy', 'true');
        at('fault-error').textContent = '';
        const { ok, data, error } = await post('/demo/faults', { id, on: button.getAttribute('aria-checked') !== 'true' });
        button.removeAttribute('aria-busy');
        // An answer that was asked for before the switch is out of date.
        this.#asked += 1;
        if (ok) this.#faults(data.faults);
        at('fault-error').textContent = error;
      },
    }, h('span', { class: 'track', 'aria-hidden': 'true' }), h('span', {}, label));
    return h('li', {}, button, h('p', { class: 'note', id: `fault-${id}` }, text));
  }

  #happening({ id, label, text }) {
    const button = h('button', {
      type: 'button', class: 'chip', 'data-happens': id,
      onclick: async () => {
        if (button.getAttribute('aria-busy') === 'true') return;
        button.setAttribute('aria-busy', 'true');
        at('happened').textContent = '';
        const { data, error } = await post('/demo/happen', { id });
        button.removeAttribute('aria-busy');
        at('happened').textContent = error || `${data.what}.`;
      },
    }, h('span', {}, label), h('span', { class: 'what' }, text));
    return h('li', {}, button);
  }

  #faults(on) {
    if (!this.#changed('faults', on)) return;
    for (const button of at('faults').querySelectorAll('[data-fault]')) {
      button.setAttribute('aria-checked', String(on.includes(button.dataset.fault)));
    }
    at('tab-sekoia').replaceChildren('Sekoia', ...on.length ? [h('span', { class: 'count' }, `${on.length} on`)] : []);
  }
}

function call({ number, method, path, query, status }) {
  const kind = status === 0 ? 'open' : status < 400 ? 'good' : 'bad';
  return h('li', { value: number }, h('code', {}, `${method} ${path}${query ? `?${query}` : ''}`),
    h('span', { class: `status ${kind}` }, MEANING[status] ?? String(status)));
}
