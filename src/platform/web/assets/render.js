// Messages as elements. Everything from outside becomes text nodes, never markup.

import { drawn } from './signs.js';

const LOCALE = 'en-GB';
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(LOCALE, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const MOMENT = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short' });

const SVG = 'http://www.w3.org/2000/svg';
const ICONS = {
  check: 'm4 10.5 4 4 8-9',
  close: 'm5 5 10 10M15 5 5 15',
  code: 'm7 5-5 5 5 5m6-10 5 5-5 5',
  eye: 'M1.5 10S4.5 4.5 10 4.5 18.5 10 18.5 10 15.5 15.5 10 15.5 1.5 10 1.5 10zm6 0a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0',
  guide: 'M11 3h6v14h-6zM3 3h5v14H3z',
  menu: 'M3 5h14M3 10h14M3 15h14',
  reply: 'M3 4h14v9h-8l-4 3.5V13H3z',
  send: 'm3 3 14 7-14 7 2.5-7zm2.5 7H11',
};

/** An element. `on…` properties are listeners, the others attributes; null and false leave one out. */
export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

export function time(at, format = MOMENT) {
  const date = new Date(at);
  return h('time', { datetime: at, title: MOMENT.format(date) }, format.format(date));
}

/** Children of `parent` become `nodes`; those that stay are not moved, so keep focus and place. */
export function patch(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

function equivalent(root, control, tag, label) {
  if (!control) return undefined;
  const same = [...root.querySelectorAll(`[data-words="${CSS.escape(control)}"]`)];
  const found = same.find((node) => node.textContent === label) ?? same[0];
  return found?.matches(tag) ? found : found?.querySelector(tag);
}

/** Gives the focus back where it is now, or to the control that took its place meanwhile. */
export function rememberFocus() {
  const was = document.activeElement;
  const control = was?.closest('[data-words]');
  const [words, tag, label] = [control?.dataset.words, was?.localName, control?.textContent];
  const message = was?.closest('article.message');
  const log = was?.closest('[role=log]');
  return () => {
    if (!was || was === document.body) return;
    // A dialog that closes gives the focus back, but Chromium may leave the caret behind in it.
    if (document.activeElement === was) was.blur();
    const now = message?.isConnected ? message : log?.querySelector(`article[data-id="${message?.dataset.id}"]`);
    const target = was.isConnected ? was : (now && equivalent(now, words, tag, label)) ?? now;
    target?.focus({ preventScroll: true });
  };
}

function span(part, chat) {
  if (part.person !== undefined) {
    const mine = part.person === chat.you ? ' mine' : '';
    return h('span', { class: `mention${mine}` }, `@${chat.name(part.person)}`);
  }
  if (part.channel !== undefined) {
    const channel = chat.channel(part.channel);
    return channel
      ? h('a', { href: `#${channel.id}`, class: 'mention' }, `#${channel.name}`)
      : h('span', { class: 'mention' }, `#${part.channel}`);
  }
  // Of a conversation that an older version kept.
  if (part.moment !== undefined) return time(part.moment);
  if (part.url !== undefined && /^https?:\/\//i.test(part.url)) {
    return link(part, chat);
  }
  if (part.url !== undefined && /^#[a-z0-9-]+\/\d+$/.test(part.url)) return h('a', { href: part.url }, part.text);
  if (part.strong) return h('strong', {}, drawn(part.text));
  if (part.code) return h('code', {}, part.text);
  return drawn(part.text ?? '');
}

// The embedded Sekoia has no console, and the real one knows nothing of what happens here.
const CONSOLE = /^https:\/\/app\.([a-z0-9]+\.)?sekoia\.io(\/|$)/i;

function link({ url, text }, chat) {
  const console = CONSOLE.test(url) && chat.console;
  const open = console && ((event) => {
    event.preventDefault();
    console(url);
  });
  return open
    ? h('a', { href: `#${chat.at}`, 'data-console': url, onclick: open }, text)
    : h('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, text);
}

export const spans = (parts, chat) => parts.flatMap((part) => span(part, chat));

function block(content, chat, press) {
  switch (content.type) {
    case 'heading':
      return h('h3', {}, content.text);
    case 'line':
      return h('p', { class: 'line', 'data-line': content.id }, spans(content.spans, chat));
    case 'bullets':
      return h('ul', {}, content.lines.map((line) => h('li', {}, spans(line, chat))));
    case 'code': {
      const pre = h('pre', { tabindex: '0', role: 'group', 'aria-label': 'Text to copy' }, h('code', {}, content.text));
      return h('div', { class: 'code' }, pre, chat.copyButton(pre, 'copy-code'));
    }
    case 'note':
      return h('small', { class: 'note' }, spans(content.spans, chat));
    case 'image':
      return h('figure', { class: 'picture' },
        h('img', { src: content.src.startsWith('data:image/png;base64,') ? content.src : null, alt: content.alt }),
        h('figcaption', {}, content.title));
    case 'controls':
      return press ? chat.controls(content.controls, press) : null;
    default:
      return h('p', { class: 'typed' }, content.text ?? '');
  }
}

/** The blocks of a Body. `press(words, answers)` is what its controls do; without it there are none. */
export function blocks(body, chat, press) {
  return body.blocks.map((content) => block(content, chat, press)).filter(Boolean);
}

class MessageView {
  #chat;
  #inThread;
  #meta = h('div', { class: 'meta' });
  #body = h('div', { class: 'body' });
  #replies;
  #counted = 0;
  #vendors;

  constructor(message, chat, inThread) {
    this.#chat = chat;
    this.#inThread = inThread;
    this.#replies = h('button', { type: 'button', class: 'replies', hidden: true, onclick: () => chat.openThread(message.id) });
    const bot = message.from === chat.bot.id;
    const avatar = bot
      ? h('span', { class: 'avatar bot', 'aria-hidden': 'true' })
      : h('span', { class: 'avatar', 'data-tint': chat.tint(message.from), 'aria-hidden': 'true' }, chat.name(message.from)[0]);
    const tools = h('div', { class: 'tools' });
    if (!inThread && !message.only) {
      tools.append(h('button', { type: 'button', class: 'tool reply', title: 'Reply in thread', onclick: () => chat.openThread(message.id) },
        icon('reply'), h('span', {}, 'Reply in thread')));
    }
    if (message.slack) {
      this.#vendors = chat.vendorView(message);
      tools.append(this.#vendors.button);
    }
    this.node = h('article', {
      class: 'message', tabindex: '-1', 'data-id': message.id, 'data-from': message.from, 'data-only': message.only,
    }, avatar, h('div', { class: 'top-line' }, this.#meta, tools), this.#body, this.#vendors?.panel, this.#replies);
    this.#fill(message);
  }

  #fill(message) {
    const chat = this.#chat;
    this.message = message;
    const bot = message.from === chat.bot.id;
    const name = chat.name(message.from);
    this.#meta.replaceChildren(...[
      h('span', { class: 'author' }, name),
      bot && h('span', { class: 'badge' }, 'APP'),
      time(message.at, CLOCK),
      message.edited && h('span', { class: 'edited', title: MOMENT.format(new Date(message.edited)) }, '(edited)'),
      message.only && h('span', { class: 'only' }, icon('eye'), 'Only visible to you'),
    ].filter(Boolean));
    const only = message.only ? ', only visible to you' : '';
    this.node.setAttribute('aria-label', `${name} at ${CLOCK.format(new Date(message.at))}${only}: ${message.body.summary}`);
    this.#body.replaceChildren(...blocks(message.body, chat, (words, answers) => chat.press(message, words, answers)));
  }

  update(message) {
    const held = this.#body.contains(document.activeElement) && rememberFocus();
    const chosen = new Map();
    const choices = () => this.#body.querySelectorAll('[data-words] select, [data-words] input');
    for (const field of choices()) chosen.set(field.closest('[data-words]').dataset.words, field.value);
    this.#fill(message);
    for (const field of choices()) {
      field.value = chosen.get(field.closest('[data-words]').dataset.words) ?? '';
      if (field.localName === 'select' && field.selectedIndex < 0) field.value = '';
      field.dispatchEvent(new Event('change'));
    }
    if (held) held();
    this.#vendors?.refresh();
    this.node.classList.remove('changed');
    requestAnimationFrame(() => this.node.classList.add('changed'));
  }

  count(replies) {
    if (replies === this.#counted || this.#inThread) return;
    this.#counted = replies;
    this.#replies.hidden = replies === 0;
    this.#replies.textContent = replies === 1 ? '1 reply' : `${replies} replies`;
  }
}

// More are one press away; a long history would make every page slow.
const SHOWN = 200;
const NEAR = 48;

/** Messages in a scrolling frame that keeps the reader's place. */
export class Log {
  #root;
  #chat;
  #inThread;
  #jump;
  #views = new Map();
  #days = new Map();
  #messages = [];
  #from = 0;
  #stuck = true;
  #empty;
  #earlier = h('button', { type: 'button', class: 'button earlier', onclick: () => this.#showEarlier() }, 'Show earlier messages');

  constructor(root, chat, inThread = false) {
    this.#root = root;
    this.#chat = chat;
    this.#inThread = inThread;
    this.#empty = h('div', { class: 'empty' }, chat.start());
    this.#jump = root.parentElement.querySelector('.jump');
    this.#jump.addEventListener('click', () => {
      this.bottom();
      root.focus({ preventScroll: true });
    });
    root.addEventListener('scroll', () => {
      this.#stuck = root.scrollHeight - root.scrollTop - root.clientHeight < NEAR;
      if (this.#stuck) this.#jump.hidden = true;
    }, { passive: true });
    // The composer grows, the window turns, a picture gets its size: who was at the bottom stays there.
    new ResizeObserver(() => this.#stuck && this.bottom()).observe(root);
    root.addEventListener('load', () => this.#stuck && this.bottom(), true);
  }

  bottom() {
    this.#root.scrollTop = this.#root.scrollHeight;
    this.#stuck = true;
    this.#jump.hidden = true;
  }

  view(id) {
    return this.#views.get(id)?.node;
  }

  /** Brings a message into view and gives it the focus, if it is here. */
  reveal(id) {
    if (!this.#messages.some((message) => message.id === id)) return;
    if (id < this.#from) {
      this.#from = id;
      this.#draw();
    }
    this.#stuck = false;
    const node = this.view(id);
    node.scrollIntoView({ block: 'center' });
    node.focus({ preventScroll: true });
  }

  /** `fresh`: another conversation than before. */
  show(messages, fresh = false) {
    const last = fresh ? Infinity : this.#messages.at(-1)?.id ?? 0;
    this.#messages = messages;
    if (fresh) {
      this.#views.clear();
      this.#from = 0;
      // Nobody wants a whole history read out.
      this.#root.setAttribute('aria-busy', 'true');
      setTimeout(() => this.#root.removeAttribute('aria-busy'), 200);
    }
    this.#from ||= (messages.at(-SHOWN) ?? messages[0])?.id ?? 0;
    const stuck = this.#stuck;
    this.#draw();
    const added = messages.filter((message) => message.id > last);
    if (fresh || stuck || added.some((message) => message.from === this.#chat.you)) this.bottom();
    else if (added.length) this.#jump.hidden = false;
  }

  #draw() {
    const nodes = [];
    if (this.#messages[0]?.id < this.#from) nodes.push(this.#earlier);
    let day = '';
    for (const message of this.#messages) {
      if (message.id < this.#from) continue;
      const its = DAY.format(new Date(message.at));
      if (its !== day) nodes.push(this.#day(its));
      day = its;
      nodes.push(this.#view(message));
    }
    patch(this.#root, nodes.length ? nodes : [this.#empty]);
  }

  #day(name) {
    if (!this.#days.has(name)) this.#days.set(name, h('p', { class: 'day' }, h('span', {}, name)));
    return this.#days.get(name);
  }

  #view(message) {
    let view = this.#views.get(message.id);
    if (!view) {
      view = new MessageView(message, this.#chat, this.#inThread);
      this.#views.set(message.id, view);
    } else if (view.message !== message && JSON.stringify(view.message) !== JSON.stringify(message)) {
      view.update(message);
    }
    view.count(this.#chat.replies(message.id));
    return view.node;
  }

  #showEarlier() {
    const at = this.#messages.findIndex((message) => message.id >= this.#from);
    const first = this.#messages[at];
    this.#from = this.#messages[Math.max(0, at - SHOWN)].id;
    const { scrollHeight, scrollTop } = this.#root;
    this.#draw();
    this.#root.scrollTop = scrollTop + this.#root.scrollHeight - scrollHeight;
    this.view(first.id).focus({ preventScroll: true });
  }
}
