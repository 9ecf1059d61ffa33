// What can be pressed in a message. Pickers have a button of their own: whoever looks through the
// choices with the keyboard chooses nothing by it.

import { h, rememberFocus } from './render.js';

const dialog = document.getElementById('confirm');
const [title, text, no, yes] = ['title', 'text', 'no', 'yes'].map((name) => document.getElementById(`confirm-${name}`));
no.addEventListener('click', () => dialog.close(''));
yes.addEventListener('click', () => dialog.close('yes'));

/** Whether the person means it. */
function confirmed(question, style) {
  const back = rememberFocus();
  title.textContent = question.title;
  text.textContent = question.text;
  yes.textContent = question.yes;
  yes.className = `button ${style === 'danger' ? 'danger' : 'primary'}`;
  dialog.returnValue = '';
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      back();
      resolve(dialog.returnValue === 'yes');
    }, { once: true });
  });
}

/** A row of controls. `press(words, answers)` resolves to what went wrong, or ''. */
export function controlsRow(controls, press, people) {
  const failed = h('p', { class: 'error', role: 'status' });
  // Not `disabled` while it is under way: that would take the focus away.
  const act = async (button, words, answers) => {
    if (button.getAttribute('aria-busy') === 'true') return false;
    button.setAttribute('aria-busy', 'true');
    button.setAttribute('aria-disabled', 'true');
    failed.textContent = '';
    const error = await press(words, answers);
    button.removeAttribute('aria-busy');
    button.removeAttribute('aria-disabled');
    failed.textContent = error;
    return !error;
  };
  return h('div', { class: 'controls' }, controls.map((control) => one(control, act, people)), failed);
}

function one(control, act, people) {
  switch (control.type) {
    case 'button':
      return pressable(control, act);
    case 'menu':
      return picker(control, act, menu(control.label, control.options), 'Choose');
    case 'person':
      return picker(control, act, menu(control.label, people().map(({ id, name }) => ({ label: name, value: id }))), 'Choose');
    case 'day':
      return picker(control, act, h('input', { type: 'date', 'aria-label': control.label }), 'Set', control.label);
    default:
      return null;
  }
}

function pressable({ label, words, style, confirm }, act) {
  const button = h('button', {
    type: 'button',
    class: `button ${style}`,
    'data-words': words,
    onclick: async () => {
      if (button.getAttribute('aria-busy') === 'true') return;
      if (!confirm || await confirmed(confirm, style)) act(button, words, []);
    },
  }, label);
  return button;
}

function menu(label, options) {
  return h('select', { 'aria-label': label }, h('option', { value: '' }, `${label}…`),
    options.map((option) => h('option', { value: option.value }, option.label)));
}

function picker({ label, words }, act, field, verb, shown) {
  const button = h('button', { type: 'button', class: 'button', disabled: true, 'aria-label': `${verb}: ${label}` }, verb);
  const look = () => { button.disabled = field.value === ''; };
  field.addEventListener('input', look);
  field.addEventListener('change', look);
  button.addEventListener('click', async () => {
    if (!await act(button, words, [field.value])) return;
    const focused = document.activeElement === button;
    field.value = '';
    look();
    if (focused) field.focus();
  });
  return h('span', { class: 'picker', 'data-words': words },
    shown && h('span', { class: 'picker-label', 'aria-hidden': 'true' }, shown), field, button);
}
