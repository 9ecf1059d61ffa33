// Forms. Nothing that was typed is lost to an error.

import { post, windowId } from './live.js';
import { blocks, h, rememberFocus, spans } from './render.js';

// Shorter ones need no counter.
const LONG = 100;

export class Forms {
  #chat;
  #dialog = document.getElementById('form');
  #id = null;
  #back;
  // Whoever closed a form before its content came does not want it any more.
  #closed = new Set();

  constructor(chat) {
    this.#chat = chat;
    this.#dialog.addEventListener('close', () => {
      this.#closed.add(this.#id);
      this.#id = null;
      this.#back();
    });
  }

  /** Opens a form, or gives the open one its content. */
  show(form) {
    if (this.#closed.has(form.id)) return;
    const typed = this.#id === form.id ? this.#answers() : new Map();
    this.#id = form.id;
    const end = (word) => h('button', { type: 'button', class: 'button', onclick: () => this.#dialog.close() }, word);
    const title = h('h2', { id: 'form-title' }, form.title);
    if (form.fields) {
      this.#dialog.replaceChildren(title, this.#form(form, end('Cancel'), typed));
    } else {
      const content = form.body
        ? h('div', { class: 'body' }, blocks(form.body, this.#chat))
        : h('p', { class: 'wait', role: 'status' }, 'One moment…');
      this.#dialog.replaceChildren(title, content, h('div', { class: 'actions' }, end(form.body ? 'Close' : 'Cancel')));
    }
    if (!this.#dialog.open) {
      this.#back = rememberFocus();
      this.#dialog.showModal();
    }
    this.#dialog.querySelector('textarea, input, .actions button').focus();
  }

  #answers() {
    return new Map([...this.#dialog.querySelectorAll('textarea, input')].map((field) => [field.id, field.value]));
  }

  #form(form, cancel, typed) {
    const fields = form.fields.map((spec) => field(spec, typed.get(`field-${spec.name}`)));
    const failed = h('p', { class: 'error', role: 'alert', id: 'form-error' });
    const submit = h('button', { type: 'submit', class: 'button primary', id: 'form-submit' }, form.submit);
    const send = async (event) => {
      event.preventDefault();
      if (submit.getAttribute('aria-busy') === 'true') return;
      for (const one of fields) one.fail('');
      failed.textContent = '';
      submit.setAttribute('aria-busy', 'true');
      submit.setAttribute('aria-disabled', 'true');
      const settle = this.#chat.expect(null);
      const answers = fields.map((one) => one.input.value);
      const { id, channel, words } = form;
      const result = await post('/demo/submit', { as: this.#chat.you, window: windowId, form: id, channel, words, answers });
      submit.removeAttribute('aria-busy');
      submit.removeAttribute('aria-disabled');
      if (!result.ok) settle();
      if (result.ok) {
        // It may have been closed or replaced meanwhile.
        if (this.#id === id) this.#dialog.close();
      } else if (fields[result.data.field]) {
        fields[result.data.field].fail(result.error);
        fields[result.data.field].input.focus();
      } else {
        failed.textContent = result.error;
      }
    };
    return h('form', { novalidate: true, onsubmit: send },
      form.intro?.length ? h('p', { class: 'intro' }, spans(form.intro, this.#chat)) : null,
      fields.map((one) => one.node), failed, h('div', { class: 'actions' }, cancel, submit));
  }
}

function field({ name, label, hint, multiline, max_length: most }, typed = '') {
  const id = `field-${name}`;
  const count = h('p', { class: 'note count', id: `${id}-count` });
  const error = h('p', { class: 'error', id: `${id}-error`, role: 'alert' });
  const described = [hint && `${id}-hint`, most >= LONG && count.id, error.id].filter(Boolean).join(' ');
  const shared = { id, maxlength: most, autocomplete: 'off', 'aria-describedby': described, oninput: () => look() };
  const input = multiline ? h('textarea', { ...shared, rows: '4' }) : h('input', { ...shared, type: 'text' });
  input.value = typed;
  const look = () => { if (most >= LONG) count.textContent = `${input.value.length} of ${most}`; };
  look();
  return {
    input,
    fail(text) {
      error.textContent = text;
      if (text) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    },
    node: h('div', { class: 'field' }, h('label', { for: id }, label), input,
      h('div', { class: 'beneath' }, hint && h('p', { class: 'note', id: `${id}-hint` }, hint), most >= LONG && count), error),
  };
}
