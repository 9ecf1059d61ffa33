// The signs that the bot puts before a line, drawn, so that they look alike whichever emoji font
// there is. The character stays beside its drawing: it is what is copied.

const SVG = 'http://www.w3.org/2000/svg';
const TICK = 'M6 10.4l2.8 2.8L14 7';
const CROSS = 'M7 7l6 6m0-6-6 6';
const ROUND = 'M10 2a8 8 0 1 0 0 16 8 8 0 1 0 0-16z';
const BOX = 'M3 3h14v14H3z';

// The character: what it means, its colour's class, its lines.
const SIGNS = new Map([
  ['✅', ['done', 'is-good', ROUND + TICK]],
  ['☑', ['attested', 'is-plain', BOX + TICK]],
  ['☐', ['open', 'is-plain', BOX]],
  ['👁', ['seen', 'is-cold', 'M2 10c3-5 13-5 16 0-3 5-13 5-16 0zM10 8a2 2 0 1 0 0 4 2 2 0 1 0 0-4z']],
  ['➕', ['missing', 'is-wait', `${ROUND}M6 10h8M10 6v8`]],
  ['✏', ['different', 'is-wait', 'M3 17l1-4 9-9 3 3-9 9z']],
  ['🟰', ['as planned', 'is-good', 'M4 8h12M4 12h12']],
  ['➖', ['not applicable', 'is-plain', `${ROUND}M6 10h8`]],
  ['⏭', ['skipped', 'is-plain', 'M3 4v12l7-6zm8 0v12l6-6zM17 4v12']],
  ['⏸', ['paused', 'is-plain', 'M7 4v12M13 4v12']],
  ['⏳', ['waiting', 'is-wait', 'M5 2h10M5 18h10M6 2v3l8 10v3M14 2v3L6 15v3']],
  ['⚠', ['warning', 'is-wait', 'M10 2.5 18.5 17h-17zM10 8v4m0 2.5v.1']],
  ['❌', ['refused', 'is-bad', ROUND + CROSS]],
  ['❓', ['unknown', 'is-wait', `${ROUND}M7.5 7.7a2.5 2.5 0 1 1 3.4 2.6c-.6.3-.9.7-.9 1.4m0 2.7v.1`]],
  ['✋', ['by hand', 'is-wait', 'M5 11V7m0 4c0 4 2 7 5.5 7S16 15 16 12V6M8 10V4m2.7 6V3m2.6 7V4.5']],
  ['🔑', ['key', 'is-plain', 'M7 9a4 4 0 1 0 0 8 4 4 0 1 0 0-8zm3 1.5L17 3m-3.5 3.5 2.5 2.5']],
  ['🧊', ['frozen', 'is-cold', 'M10 2v16M3 6l14 8M17 6 3 14']],
  ['🔇', ['muted', 'is-plain', 'M3 8h3l4-4v12l-4-4H3zm10 0 4 4m0-4-4 4']],
  ['🔴', ['urgent', 'is-bad solid', ROUND]],
  ['🟠', ['major', 'is-wait solid', ROUND]],
  ['🟡', ['moderate', 'is-note solid', ROUND]],
  ['🔵', ['low', 'is-cold solid', ROUND]],
  ['🟢', ['good', 'is-good solid', ROUND]],
]);
// A variation selector behind the character belongs to it.
const FIND = new RegExp(`((?:${[...SIGNS.keys()].join('|')})\uFE0F?)`, 'u');
const meant = (text) => SIGNS.get(text.replace('\uFE0F', ''));

function sign(character) {
  const [meaning, kind, lines] = meant(character);
  const node = document.createElement('span');
  node.className = `sign ${kind}`;
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('viewBox', '0 0 20 20');
  drawing.setAttribute('role', 'img');
  drawing.setAttribute('aria-label', meaning);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', lines);
  drawing.append(path);
  const text = document.createElement('span');
  text.className = 'glyph';
  text.setAttribute('aria-hidden', 'true');
  text.textContent = character;
  node.append(drawing, text);
  return node;
}

/** Text with its signs drawn: a list of nodes and strings. */
export function drawn(text) {
  return text.split(FIND).map((part) => (meant(part) ? sign(part) : part)).filter(Boolean);
}
