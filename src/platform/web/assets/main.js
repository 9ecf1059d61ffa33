// The page: who one is and where, what was said there, and how the parts hang together.

import { Composer } from './composer.js';
import { openConsole } from './console.js';
import { controlsRow } from './controls.js';
import { Forms } from './forms.js';
import { copyButton, vendorView } from './json.js';
import { Live, post, token, windowId } from './live.js';
import { Log, h, icon } from './render.js';
import { Panels, Side } from './side.js';

const FIRST_PERSON = 'alice';

const at = (id) => document.getElementById(id);

const messages = new Map();
const replies = new Map();
const unread = new Map();
const drafts = new Map();
let hello = null;
let thread = null;
let greet = () => {};
let greeted = new Promise((done) => { greet = done; });

/** What the parts know of each other. */
const chat = {
  you: '',
  at: '',
  bot: { id: 'sekoia', name: 'Sekoia' },
  people: () => hello?.people ?? [],
  commands: () => hello?.commands ?? [],
  name: (id) => (id === chat.bot.id ? chat.bot : chat.people().find((person) => person.id === id))?.name ?? id,
  tint: (id) => chat.people().findIndex((person) => person.id === id),
  channel: (id) => hello?.channels.find((channel) => channel.id === id),
  replies: (id) => replies.get(id) ?? 0,
  controls: (list, press) => controlsRow(list, press, chat.people),
  vendorView: (message) => vendorView(message, () => chat.you),
  copyButton,
  console: openConsole,
  start,
  openThread,
  press,
  expect,
  follow,
};

const place = (of) => ({ as: chat.you, channel: chat.at, thread: of });
const composer = new Composer(at('compose'), '', chat, () => place(null), say);
const threadComposer = new Composer(at('thread-compose'), 'thread-', chat, () => place(thread), say);
const log = new Log(at('messages'), chat);
const threadLog = new Log(at('thread-messages'), chat, true);
const forms = new Forms(chat);
const side = new Side(chat);
const panels = new Panels((name) => {
  if (name === 'right') closeThread();
  side.poll();
});

// What one does

async function say(where, text, id) {
  // Before it is sent: the answer may be here before it is known to have arrived.
  const settle = /^\s*\/sekoia\b|(^|\s)@sekoia\b/i.test(text) && expect(where.thread);
  const result = await post('/demo/say', { ...where, window: windowId, id, text });
  if (result.ok) {
    if (drafts.get(draftKey(where)) === text) drafts.delete(draftKey(where));
    side.look();
  } else if (settle) {
    settle();
  }
  return result;
}

const lostPresses = new Map();

async function press(message, words, answers) {
  const key = JSON.stringify([chat.you, message.id, words, answers]);
  const id = lostPresses.get(key) ?? token();
  const settle = expect(message.thread);
  const { ok, error, lost } = await post('/demo/press', { as: chat.you, window: windowId, id, message: message.id, words, answers });
  if (lost) lostPresses.set(key, id);
  else lostPresses.delete(key);
  if (!ok) settle();
  side.look();
  return error;
}

/** Does what a chip of the guide says: as whom, where, which words. */
async function follow({ words, as, channel }) {
  panels.close();
  if ((as && as !== chat.you) || (channel && channel !== chat.at)) go(as ?? chat.you, channel ?? chat.at);
  await greeted;
  composer.say(words);
}

/** What stands in a conversation without messages. */
function start() {
  const words = '/sekoia setup';
  const begin = h('button', {
    type: 'button', class: 'button primary', 'data-words': words, onclick: () => follow({ words, as: FIRST_PERSON, channel: chat.at }),
  }, 'Set up this channel');
  return [
    h('h3', {}, 'Start here'),
    h('p', {}, 'The bot takes a security team through the setup of its Sekoia workspace, in the channel.'),
    h('p', { class: 'of-channels' }, begin),
    h('p', { class: 'of-channels note' }, `It says ${words} as Alice, who may.`),
    h('p', { class: 'note' }, 'Or type ', h('code', {}, '/sekoia help'), ' to see what else you can do.'),
  ];
}

/** The bot was asked in the channel or in a thread; returns what to do when it was not. */
function expect(of) {
  const where = of === null ? composer : threadComposer;
  where.expect();
  return () => where.settle();
}

function settleAll() {
  composer.settle();
  threadComposer.settle();
}

// Who and where: the address says it, so that it can be reloaded and opened twice

function go(as, channel) {
  history.pushState(null, '', `/?as=${encodeURIComponent(as)}#${channel}`);
  route();
}

function route() {
  const as = new URLSearchParams(location.search).get('as') || FIRST_PERSON;
  if (as === chat.you) enter(location.hash.slice(1));
  else become(as);
}

function become(as) {
  keepDrafts();
  settleAll();
  closeThread();
  forms.close();
  chat.you = as;
  messages.clear();
  unread.clear();
  greeted = new Promise((done) => { greet = done; });
  document.body.dataset.ready = 'false';
  if (hello) drawPeople();
  live.connect(as);
}

/** A channel that this person sees: everybody has another conversation with the bot. */
function visible(id) {
  const { channels } = hello;
  return channels.find((channel) => channel.id === id) ?? channels.find(({ direct }) => direct && id.startsWith('dm-')) ?? channels[0];
}

function enter(hash, again = false) {
  if (!hello) return;
  // A link to a message: the channel, and which one.
  const [id, message] = hash.split('/');
  const channel = visible(id);
  if (channel.id !== hash) history.replaceState(null, '', `/?as=${encodeURIComponent(chat.you)}#${channel.id}`);
  const fresh = again || chat.at !== channel.id;
  if (fresh) {
    if (!again) {
      keepDrafts();
      settleAll();
      closeThread();
    }
    chat.at = channel.id;
    composer.text = drafts.get(draftKey(place(null))) ?? '';
  }
  unread.delete(channel.id);
  const name = channel.direct ? channel.name : `#${channel.name}`;
  at('channel-name').textContent = name;
  at('channel-topic').textContent = channel.topic;
  at('messages').setAttribute('aria-label', `Messages in ${name}`);
  composer.label = `Message ${name}`;
  document.title = `${name} as ${chat.name(chat.you)} · sekoia-chatops demo`;
  document.body.dataset.channel = channel.id;
  document.body.dataset.direct = String(Boolean(channel.direct));
  drawPeople();
  drawChannels();
  draw(fresh);
  side.look();
  if (message) log.reveal(Number(message));
}

const draftKey = (where) => JSON.stringify(where);

function keepDrafts() {
  if (!chat.at) return;
  drafts.set(draftKey(place(null)), composer.text);
  if (thread !== null) drafts.set(draftKey(place(thread)), threadComposer.text);
}

// What is shown

function draw(fresh = false) {
  replies.clear();
  const [here, inThread] = [[], []];
  for (const message of messages.values()) {
    if (message.thread !== null) replies.set(message.thread, chat.replies(message.thread) + 1);
    if (message.channel === chat.at && message.thread === null) here.push(message);
    if (thread !== null && (message.id === thread || message.thread === thread)) inThread.push(message);
  }
  log.show(here, fresh);
  if (thread !== null) threadLog.show(inThread);
}

function drawPeople() {
  const { people } = hello;
  const box = at('people');
  const known = [...box.children].map((node) => node.dataset.person).join() === people.map(({ id }) => id).join();
  if (!known) box.replaceChildren(...people.map(personButton));
  for (const node of box.children) {
    const mine = node.dataset.person === chat.you;
    node.setAttribute('aria-checked', String(mine));
    node.tabIndex = mine ? 0 : -1;
  }
  const next = people[(people.findIndex(({ id }) => id === chat.you) + 1) % people.length];
  at('second').textContent = `Open a second window as ${next.name}`;
  at('second').href = `/?as=${encodeURIComponent(next.id)}#${chat.at}`;
}

function personButton({ id, name, role, may }, n, people) {
  return h('button', {
    type: 'button', role: 'radio', class: 'person', 'data-person': id,
    onclick: () => { if (id !== chat.you) go(id, chat.at); },
    onkeydown: (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const other = at('people').children[(n + step + people.length) % people.length];
      other.focus();
      other.click();
    },
  }, h('span', { class: 'avatar', 'data-tint': n, 'aria-hidden': 'true' }, name[0]),
  h('span', { class: 'who' }, h('strong', {}, name), h('span', { class: 'note' }, role), h('span', { class: 'note' }, may)));
}

function drawChannels() {
  const focused = document.activeElement?.dataset.channel;
  const link = ({ id, name, direct }) => {
    const count = unread.get(id);
    return h('li', {}, h('a', { href: `#${id}`, 'data-channel': id, 'aria-current': id === chat.at ? 'page' : null, class: count ? 'unread' : null },
      direct ? name : `#${name}`, count && h('span', { class: 'count' }, String(count), h('span', { class: 'unseen' }, ' new'))));
  };
  at('shared').replaceChildren(...hello.channels.filter(({ direct }) => !direct).map(link));
  at('direct').replaceChildren(...hello.channels.filter(({ direct }) => direct).map(link));
  if (focused && document.activeElement === document.body) at('channels').querySelector(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
}

// The thread takes the right column

function openThread(id) {
  if (thread !== null) keepDrafts();
  thread = id;
  const name = at('channel-name').textContent;
  at('thread-topic').textContent = `in ${name}`;
  threadComposer.label = 'Reply in thread';
  threadComposer.text = drafts.get(draftKey(place(id))) ?? '';
  at('thread').hidden = false;
  at('side').hidden = true;
  panels.show('right');
  threadLog.show([], true);
  draw();
  threadLog.bottom();
  threadComposer.focus();
}

function closeThread() {
  if (thread === null) return;
  keepDrafts();
  const [id, inside] = [thread, at('thread').contains(document.activeElement)];
  thread = null;
  at('thread').hidden = true;
  at('side').hidden = false;
  panels.close();
  side.poll();
  if (!inside) return;
  const message = log.view(id);
  (message?.querySelector('.replies:not([hidden])') ?? message?.querySelector('.tool') ?? at('composer')).focus({ preventScroll: true });
}

at('close-thread').append(icon('close'));
at('close-thread').addEventListener('click', closeThread);
at('left').addEventListener('click', (event) => { if (event.target.closest('[data-channel], [data-person]')) panels.close(); });
at('skip').addEventListener('click', (event) => {
  // The part after # is the channel.
  event.preventDefault();
  composer.focus();
});
addEventListener('popstate', route);

// What the server tells

const live = new Live({
  hello(data) {
    const first = hello === null;
    const same = document.body.dataset.person === data.you;
    hello = data;
    chat.bot = data.bot;
    messages.clear();
    for (const message of data.messages) messages.set(message.id, message);
    settleAll();
    enter(location.hash.slice(1), !same);
    if (thread !== null && !messages.has(thread)) closeThread();
    side.start(data);
    document.body.dataset.person = data.you;
    document.body.dataset.ready = 'true';
    greet();
    if (first && !panels.narrow && document.activeElement === document.body) composer.focus();
  },
  message(message) {
    const known = messages.has(message.id);
    messages.set(message.id, message);
    const bot = message.from === chat.bot.id;
    if (bot && message.channel === chat.at) (message.thread === null ? composer : threadComposer).settle();
    if (!known && message.channel !== chat.at && message.from !== chat.you) {
      unread.set(message.channel, (unread.get(message.channel) ?? 0) + 1);
      drawChannels();
    }
    draw();
    side.look();
  },
  form(form) {
    settleAll();
    forms.show(form);
  },
  lost(lost) {
    at('connection').textContent = lost ? 'The demo\'s server is not answering; trying again…' : '';
  },
  nobody() {
    history.replaceState(null, '', `/?as=${FIRST_PERSON}${location.hash}`);
    route();
  },
});

const first = new URLSearchParams(location.search).get('as') || FIRST_PERSON;
history.replaceState(null, '', `/?as=${encodeURIComponent(first)}${location.hash}`);
route();
