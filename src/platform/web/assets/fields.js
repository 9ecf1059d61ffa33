// What a form asks for: each field with its label, its hint and what is wrong with its answer.

import { picker } from './picker.js';
import { h } from './render.js';

// Shorter ones need no counter.
const LONG = 100;
// Bytes of a file; the server takes no more.
const MOST_READ = 200_000;

/**
 * `node`; `read()` resolves to `{answer, error}`; `fail(text)` says what is wrong, `focus()` goes
 * there; `held()` is what stands in it, for the same field drawn anew.
 */
export function field(spec, held) {
  const { name, label, hint, optional } = spec;
  const id = `field-${name}`;
  const { input, body = input, count, missing, ...made } = make(spec, id, held);
  const named = [label, optional && h('span', { class: 'note' }, ' (optional)')];
  // The label of several inputs names their group.
  const group = body !== input;
  const error = h('p', { class: 'error', id: `${id}-error`, role: 'alert' });
  input.setAttribute('aria-describedby', [hint && `${id}-hint`, count?.id, error.id].filter(Boolean).join(' '));
  return {
    name,
    held: made.held,
    focus: () => input.focus(),
    async read() {
      try {
        const answer = await made.answer();
        return { answer, error: answer.file || answer.trim?.() || optional ? '' : missing };
      } catch (wrong) {
        return { answer: '', error: wrong.message };
      }
    },
    fail(text) {
      error.textContent = text;
      if (text) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    },
    node: h('div', { class: 'field', role: group && 'group', 'aria-labelledby': group && `${id}-label` },
      group ? h('p', { class: 'label', id: `${id}-label` }, named) : h('label', { for: id }, named), body,
      h('div', { class: 'beneath' }, hint && h('p', { class: 'note', id: `${id}-hint` }, hint), count), error),
  };
}

function make(spec, id, held) {
  switch (spec.kind) {
    case 'choice':
      return spec.several ? several(spec, id, held) : single(spec, id, held);
    case 'file':
      return file(spec, id, held);
    default:
      return text(spec, id, held);
  }
}

function text({ multiline, max_length: most, initial, optional }, id, held = initial) {
  const count = most >= LONG ? h('p', { class: 'note count', id: `${id}-count` }) : null;
  const look = () => { if (count) count.textContent = `${input.value.length} of ${most}`; };
  const shared = { id, maxlength: most, autocomplete: 'off', 'aria-required': !optional && 'true', oninput: () => look() };
  const input = multiline ? h('textarea', { ...shared, rows: '4' }) : h('input', { ...shared, type: 'text' });
  input.value = held;
  look();
  return { input, count, missing: 'Fill this in.', answer: () => input.value, held: () => input.value };
}

function single({ groups, initial, optional }, id, held = initial[0]) {
  const known = groups.some(({ options }) => options.some(({ value }) => value === held));
  const option = ({ label, value }) => h('option', { value }, label);
  const input = h('select', { id, 'aria-required': !optional && 'true' },
    (optional || !known) && h('option', { value: '' }, optional ? 'None' : 'Choose one…'),
    groups.flatMap(({ label, options }) => (label ? h('optgroup', { label }, options.map(option)) : options.map(option))));
  input.value = known ? held : '';
  return { input, missing: 'Choose one.', answer: () => input.value, held: () => input.value };
}

function several(spec, id, held = spec.initial) {
  const { chosen, ...parts } = picker(spec, id, held);
  return { ...parts, missing: 'Choose at least one.', answer: () => chosen().join(','), held: chosen };
}

function file({ extensions, optional }, id, held) {
  const input = h('input', { id, type: 'file', accept: extensions.map((one) => `.${one}`).join(','), required: !optional });
  if (held) input.files = held;
  // As it is: which encoding it has, the server finds out.
  const answer = async () => {
    const chosen = input.files[0];
    if (!chosen) return '';
    if (chosen.size > MOST_READ) throw new Error('That file has more than 200,000 bytes. Split it, or choose another.');
    if (!chosen.size) throw new Error('That file is empty. Choose another.');
    return { file: await dataUrl(chosen) };
  };
  return { input, missing: 'Choose a file.', answer, held: () => input.files };
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error('That file cannot be read. Choose it again.'));
    reader.readAsDataURL(file);
  });
}
