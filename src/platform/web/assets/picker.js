// Several out of many: checkboxes in groups, filtered as one types.

import { h } from './render.js';

/** As labels are compared: without case and accents. */
const plain = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

/** `input` is the filter, `body` everything; `chosen()` the values, in the order of the list. */
export function picker({ label, groups }, id, start) {
  const filter = h('input', {
    id, type: 'search', autocomplete: 'off', spellcheck: 'false', placeholder: 'Type to find', 'aria-label': `Find in: ${label}`,
    'aria-controls': `${id}-list`, oninput: () => look(),
  });
  const count = h('p', { class: 'note count', id: `${id}-count`, role: 'status' });
  const none = h('p', { class: 'note none', hidden: true }, 'Nothing fits. Type less.');
  const parts = groups.map((group) => part(group, start));
  const rows = parts.flatMap((one) => one.rows);

  // One stop for the Tab key: the arrows go on from there.
  const stop = (box) => { for (const row of rows) row.box.tabIndex = row.box === box ? 0 : -1; };

  const look = () => {
    const words = plain(filter.value).split(/\s+/).filter(Boolean);
    for (const row of rows) row.node.hidden = !words.every((word) => row.text.includes(word));
    for (const { node, rows: own } of parts) node.hidden = own.every((row) => row.node.hidden);
    const shown = rows.filter((row) => !row.node.hidden);
    none.hidden = shown.length > 0;
    if (!shown.some((row) => row.box.tabIndex === 0)) stop(shown[0]?.box);
    const chosen = rows.filter((row) => row.box.checked).length;
    count.textContent = `${chosen} of ${rows.length} chosen${words.length ? ` · ${shown.length} shown` : ''}`;
  };

  const key = (event) => {
    const { key: pressed, target } = event;
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    const stops = [filter, ...rows.filter((row) => !row.node.hidden).map((row) => row.box)];
    const at = stops.indexOf(target);
    if (pressed === 'Escape' && filter.value) {
      filter.value = '';
      look();
      filter.focus();
    } else if (pressed === 'ArrowDown' || (pressed === 'Enter' && target === filter)) {
      stops[Math.min(at + 1, stops.length - 1)].focus();
    } else if (pressed === 'ArrowUp') {
      stops[Math.max(at - 1, 0)].focus();
    } else if (pressed === 'Enter') {
      // Whoever chooses has not finished: the form is not sent by it.
      target.click();
    } else {
      return;
    }
    event.preventDefault();
  };

  const list = h('div', { id: `${id}-list`, class: 'choices', onchange: () => look(), onfocusin: ({ target }) => stop(target) },
    parts.map(({ node }) => node), none);
  const keys = h('p', { class: 'note by-keys' }, 'With the keyboard: ', h('kbd', {}, '↑'), ' and ', h('kbd', {}, '↓'), ' move, ',
    h('kbd', {}, 'Space'), ' chooses');
  stop(rows[0]?.box);
  look();
  return {
    input: filter,
    count,
    body: h('div', { class: 'choose', onkeydown: key }, filter, list, keys),
    chosen: () => rows.filter((row) => row.box.checked).map((row) => row.box.value),
  };
}

function part({ label, options }, start) {
  const rows = options.map((option) => {
    const box = h('input', { type: 'checkbox', value: option.value, checked: start.includes(option.value) });
    return { box, text: plain(option.label), node: h('label', { class: 'choice' }, box, h('span', {}, option.label)) };
  });
  const nodes = rows.map((row) => row.node);
  return { rows, node: label ? h('fieldset', {}, h('legend', {}, label), nodes) : h('div', {}, nodes) };
}
