// The message box: commands and people are completed as they are typed.

import { token } from './live.js';
import { h, icon } from './render.js';

const MOST_SAID = 50;
const WORKING_AFTER = 1_000;
const WORKING_UNTIL = 60_000;

/** Lower case, single spaces: as commands are compared. */
const plain = (text) => text.toLowerCase().replace(/\s+/g, ' ');

/** Help, with `words` in it. */
const explained = (text) => text.split('`').map((part, n) => (n % 2 ? h('kbd', {}, part) : part));

export class Composer {
  #chat;
  #place;
  #send;
  #id;
  #box;
  #list;
  #usage;
  #error;
  #status;
  #options = [];
  #marked = 0;
  // Enter takes the marked completion only if the person chose it.
  #moved = false;
  #said = [];
  #recalled = -1;
  #failed;
  #last = Promise.resolve();
  #busy = false;
  #waits = [];

  /**
   * `place()` is where one speaks now; `send(place, text, id)` resolves to `{ok, error, lost}`, and
   * gets the same id when the same is sent again.
   */
  constructor(host, prefix, chat, place, send) {
    this.#chat = chat;
    this.#place = place;
    this.#send = send;
    this.#id = (name) => `${prefix}${name}`;
    const id = this.#id;
    this.#box = h('textarea', {
      id: id('composer'), rows: '1', role: 'combobox', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'send',
      'aria-autocomplete': 'list', 'aria-haspopup': 'listbox', 'aria-expanded': 'false', 'aria-controls': id('completions'),
      'aria-describedby': id('usage'),
      oninput: () => this.#typed(), onkeydown: (event) => this.#key(event), onblur: () => this.#offer([]),
    });
    this.#list = h('div', { id: id('completions'), class: 'completions', role: 'listbox', 'aria-label': 'Completions', hidden: true });
    this.#usage = h('p', { id: id('usage'), class: 'usage', role: 'status' });
    this.#error = h('p', { class: 'error', role: 'alert' });
    this.#status = h('p', { class: 'working', role: 'status' });
    const button = h('button', { type: 'submit', id: id('send'), class: 'button primary send' }, icon('send'), h('span', {}, 'Send'));
    const form = h('form', { class: 'composer', onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
      h('div', { class: 'above' }, this.#usage, this.#list),
      h('div', { class: 'box' }, this.#box, button),
      h('div', { class: 'under' }, this.#error, this.#status,
        h('p', { class: 'keys' }, h('kbd', {}, 'Enter'), ' sends, ', h('kbd', {}, 'Shift+Enter'), ' makes a new line')));
    host.append(form);
  }

  /** What it is for, in words. */
  set label(label) {
    this.#box.setAttribute('aria-label', label);
    this.#box.placeholder = 'Message, or / for commands';
  }

  get text() {
    return this.#box.value;
  }

  set text(text) {
    this.#box.value = text;
    this.#error.textContent = '';
    this.#offer([]);
    this.#usage.replaceChildren();
    this.#fit();
  }

  /** The bot was asked something: if it takes its time, that is shown until `settle`. */
  expect() {
    this.settle();
    const show = () => { this.#status.textContent = `${this.#chat.bot.name} is working on it…`; };
    this.#waits = [setTimeout(show, WORKING_AFTER), setTimeout(() => this.settle(), WORKING_UNTIL)];
  }

  settle() {
    this.#waits.forEach(clearTimeout);
    if (this.#status.textContent) this.#status.textContent = '';
  }

  focus() {
    this.#box.focus({ preventScroll: true });
  }

  /** Says `text`, one thing after the other; whether it was accepted. */
  say(text) {
    const place = this.#place();
    const said = this.#last.then(() => this.#sayNow(text, place));
    this.#last = said;
    return said;
  }

  async #sayNow(text, place) {
    this.#error.textContent = '';
    // Whether the first attempt arrived is not known: with the same id it counts once.
    const id = this.#failed?.text === text ? this.#failed.id : token();
    const { ok, error, lost } = await this.#send(place, text, id);
    this.#failed = lost ? { text, id } : undefined;
    if (ok) {
      if (this.#said.at(-1) !== text) this.#said.push(text);
      if (this.#said.length > MOST_SAID) this.#said.shift();
      this.#recalled = -1;
    } else {
      if (!this.#box.value && this.#isAt(place)) this.text = text;
      this.#error.textContent = error;
    }
    return ok;
  }

  #isAt(place) {
    return JSON.stringify(place) === JSON.stringify(this.#place());
  }

  async #submit() {
    const [text, place] = [this.#box.value, this.#place()];
    if (!text.trim() || this.#busy) return;
    this.#offer([]);
    this.#busy = true;
    this.#box.setAttribute('aria-busy', 'true');
    const ok = await this.say(text);
    this.#busy = false;
    this.#box.removeAttribute('aria-busy');
    if (!ok || !this.#isAt(place)) return;
    // What was typed meanwhile stays.
    const now = this.#box.value;
    this.text = now.startsWith(text) ? now.slice(text.length) : now;
  }

  #fit() {
    const { style } = this.#box;
    style.height = 'auto';
    style.height = `${this.#box.scrollHeight + this.#box.offsetHeight - this.#box.clientHeight}px`;
  }

  #typed() {
    this.#error.textContent = '';
    this.#recalled = -1;
    this.#fit();
    const { value, selectionStart: caret, selectionEnd } = this.#box;
    const before = value.slice(0, caret);
    const name = caret === selectionEnd && /(?:^|\s)@(\w*)$/.exec(before);
    const command = caret === selectionEnd && /^\/(\S*)(?:\s+(.*))?$/s.exec(before);
    const options = name ? this.#people(name[1]) : command ? this.#commands(command[1].toLowerCase(), command[2], before) : [];
    this.#offer(options);
    this.#explain(options.length ? undefined : this.#complete());
  }

  #people(start) {
    const begins = ({ id, name }) => [id, name].some((one) => one.toLowerCase().startsWith(start.toLowerCase()));
    const everybody = [...this.#chat.people(), { ...this.#chat.bot, role: 'The bot' }];
    return everybody.filter(begins).map(({ id, name, role }) => ({
      code: `@${name}`, text: role, from: start.length + 1, insert: `@${id} `,
    }));
  }

  #commands(slash, rest, before) {
    if (rest === undefined ? !'sekoia'.startsWith(slash) : slash !== 'sekoia') return [];
    const wanted = plain(rest ?? '');
    const found = this.#chat.commands().filter((spec) => [spec.name, ...spec.aliases].some((name) => name.startsWith(wanted)));
    // Nothing is left to complete.
    if (found.length === 1 && found[0].name === wanted) return [];
    return found.map((spec) => ({
      code: spec.usage,
      text: spec.help,
      note: spec.right,
      from: before.length,
      insert: `/sekoia ${spec.name}${spec.args ? ' ' : ''}`,
      spec,
    }));
  }

  /** The command whose name stands whole in the box. */
  #complete() {
    const words = /^\/sekoia\s+(.*)$/is.exec(this.#box.value);
    if (!words) return undefined;
    const rest = `${plain(words[1]).trim()} `;
    const length = (spec) => Math.max(0, ...[spec.name, ...spec.aliases].map((name) => (rest.startsWith(`${name} `) ? name.length : 0)));
    return this.#chat.commands().reduce((best, spec) => (length(spec) > (best ? length(best) : 0) ? spec : best), undefined);
  }

  #explain(spec) {
    if (this.#usage.dataset.name === (spec?.name ?? '')) return;
    this.#usage.dataset.name = spec?.name ?? '';
    this.#usage.replaceChildren(...spec
      ? [h('code', {}, spec.usage), ' ', ...explained(spec.help)]
      : []);
  }

  #offer(options) {
    this.#options = options;
    this.#marked = 0;
    this.#moved = false;
    this.#list.hidden = options.length === 0;
    this.#list.replaceChildren(...options.map((option, n) => h('div', {
      role: 'option',
      id: this.#id(`option-${n}`),
      // Before a click the box would lose its focus.
      onmousedown: (event) => event.preventDefault(),
      onclick: () => this.#take(option),
    }, h('code', {}, option.code),
    option.note && h('span', { class: 'right' }, option.note), h('span', { class: 'help' }, explained(option.text)))));
    this.#list.scrollTop = 0;
    this.#box.setAttribute('aria-expanded', String(options.length > 0));
    this.#mark(0);
  }

  #mark(n) {
    this.#marked = n;
    [...this.#list.children].forEach((node, at) => node.setAttribute('aria-selected', String(at === n)));
    const node = this.#list.children[n];
    if (node) this.#box.setAttribute('aria-activedescendant', node.id);
    else this.#box.removeAttribute('aria-activedescendant');
    node?.scrollIntoView({ block: 'nearest' });
  }

  #take({ from, insert, spec }) {
    const caret = this.#box.selectionStart;
    this.#box.setRangeText(insert, caret - from, caret, 'end');
    this.#offer([]);
    this.#explain(spec ?? this.#complete());
    this.#fit();
    this.focus();
  }

  #key(event) {
    const { key, shiftKey } = event;
    const open = this.#options.length;
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (open && (key === 'ArrowDown' || key === 'ArrowUp')) {
      this.#moved = true;
      this.#mark((this.#marked + (key === 'ArrowDown' ? 1 : open - 1)) % open);
    } else if (open && key === 'Escape') {
      this.#offer([]);
      this.#explain(this.#complete());
      event.stopPropagation();
    } else if (open && !shiftKey && (key === 'Tab' || (key === 'Enter' && this.#moved))) {
      this.#take(this.#options[this.#marked]);
    } else if (key === 'Enter' && !shiftKey) {
      this.#submit();
    } else if (!(key === 'ArrowUp' && this.#recall(1)) && !(key === 'ArrowDown' && this.#recall(-1))) {
      return;
    }
    event.preventDefault();
  }

  /** What was said before (1) or after (-1) that. */
  #recall(step) {
    const at = this.#recalled + step;
    if (this.#recalled < 0 && (this.#box.value || step < 0)) return false;
    if (at >= this.#said.length) return this.#recalled >= 0;
    this.text = at < 0 ? '' : this.#said[this.#said.length - 1 - at];
    this.#recalled = at;
    this.#explain(this.#complete());
    return true;
  }
}
