// Forms. Nothing that was typed is lost to an error, and nothing of a form outlives its dialog.

import { field } from './fields.js';
import { post, windowId } from './live.js';
import { blocks, h, rememberFocus, spans } from './render.js';

// What is focused when a dialog opens, whatever it shows.
const FIRST = '.field textarea, .field input, .field select, .copy-secret, .actions button';

export class Forms {
  #chat;
  #dialog = document.getElementById('form');
  #id = null;
  #fields = [];
  // What the open dialog shows; a secret is not kept beside it.
  #shown = '';
  // What waits until a secret was read: it could not be shown again.
  #next = null;
  #back;
  // Whoever closed a form before its content came does not want it any more.
  #closed = new Set();

  constructor(chat) {
    this.#chat = chat;
    this.#dialog.addEventListener('close', () => {
      // The next one may have opened it before this is told.
      if (!this.#dialog.open) this.#end();
    });
  }

  #end() {
    this.#closed.add(this.#id);
    this.#id = null;
    this.#fields = [];
    this.#shown = '';
    this.#dialog.replaceChildren();
    this.#back();
    const next = this.#next;
    this.#next = null;
    if (next) this.show(next);
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  /** Opens a form, or gives the open one its content. */
  show(form) {
    if (this.#closed.has(form.id)) return;
    if (this.#id !== form.id && this.#dialog.querySelector('.secret')) {
      this.#next = form;
      return;
    }
    // A window that was away is told again what it shows.
    const shown = form.secret ? '' : JSON.stringify(form);
    if (shown && shown === this.#shown) return;
    const same = this.#id === form.id;
    const held = new Map(same ? this.#fields.map((one) => [one.name, one.held()]) : []);
    if (!same) this.#closed.add(this.#id);
    this.#id = form.id;
    this.#shown = shown;
    this.#fields = (form.fields ?? []).map((spec) => field(spec, held.get(spec.name)));
    this.#dialog.replaceChildren(h('h2', { id: 'form-title' }, form.title), ...this.#content(form));
    if (!this.#dialog.open) {
      this.#back = rememberFocus();
      this.#dialog.showModal();
    }
    this.#dialog.scrollTop = 0;
    this.#dialog.querySelector(FIRST).focus();
  }

  #content(form) {
    if (form.fields) return [this.#form(form)];
    if (form.secret) return [this.#secret(form)];
    const content = form.body
      ? h('div', { class: 'body' }, blocks(form.body, this.#chat))
      : h('p', { class: 'wait', role: 'status' }, 'One moment…');
    return [content, h('div', { class: 'actions' }, this.#closer(form.body ? 'Close' : 'Cancel'))];
  }

  #closer(word) {
    return h('button', { type: 'button', class: 'button', onclick: () => this.close() }, word);
  }

  #line(parts, kind) {
    return parts?.length ? h('p', { class: kind }, spans(parts, this.#chat)) : null;
  }

  #form(form) {
    const fields = this.#fields;
    return this.#sent(form, form, this.#closer('Cancel'), [this.#line(form.intro, 'intro'), fields.map((one) => one.node)], async () => {
      for (const one of fields) one.fail('');
      const read = await Promise.all(fields.map((one) => one.read()));
      read.forEach(({ error }, n) => { if (error) fields[n].fail(error); });
      const wrong = read.findIndex(({ error }) => error);
      if (wrong < 0) return Object.fromEntries(read.map(({ answer }, n) => [fields[n].name, answer]));
      fields[wrong].focus();
      return null;
    });
  }

  #secret(form) {
    const { text, intro, note } = form.secret;
    const box = h('pre', { class: 'secret', tabindex: '0', role: 'group', translate: 'no', 'aria-label': 'The secret, to copy' }, text);
    const content = [
      this.#line(intro, 'intro'), h('div', { class: 'code' }, box, this.#chat.copyButton(box, 'copy-secret')), this.#line(note, 'note'),
    ];
    return this.#sent(form, form.secret, this.#closer('Close without confirming'), content, () => ({}));
  }

  /** A form with its buttons. `answers()` resolves to what is sent, or null when something is missing. */
  #sent(form, { words, submit }, closer, content, answers) {
    const failed = h('p', { class: 'error', role: 'alert', id: 'form-error' });
    const button = h('button', { type: 'submit', class: 'button primary', id: 'form-submit' }, submit);
    const send = async (event) => {
      event.preventDefault();
      // Not `disabled` while it is under way: that would take the focus away.
      if (button.getAttribute('aria-busy') === 'true') return;
      button.setAttribute('aria-busy', 'true');
      button.setAttribute('aria-disabled', 'true');
      failed.textContent = '';
      const given = await answers();
      // It may have been closed or replaced meanwhile.
      if (given && this.#id === form.id) failed.textContent = await this.#post(form, words, given);
      button.removeAttribute('aria-busy');
      button.removeAttribute('aria-disabled');
    };
    return h('form', { novalidate: true, onsubmit: send }, content.flat(), failed, h('div', { class: 'actions' }, closer, button));
  }

  /** What went wrong, unless it is said at its field. */
  async #post({ id, channel }, words, answers) {
    const fields = this.#fields;
    const settle = this.#chat.expect(null);
    const result = await post('/demo/submit', { as: this.#chat.you, window: windowId, form: id, channel, words, answers });
    if (result.ok) {
      if (this.#id === id) this.close();
      return '';
    }
    settle();
    const at = fields.find((one) => one.name === result.data.field);
    if (!at) return result.error;
    at.fail(result.error);
    at.focus();
    return '';
  }
}
