// What Slack and Mattermost would receive for a message, to look at and to copy.

import { h, icon } from './render.js';

const BUILDER = 'https://app.slack.com/block-kit-builder';
const SAID_FOR = 2_500;
const VENDORS = [
  {
    id: 'slack',
    name: 'Slack',
    hint: () => ['Paste it into ', h('a', { href: BUILDER, target: '_blank', rel: 'noopener noreferrer' }, 'Slack\'s Block Kit Builder'), '.'],
  },
  { id: 'mattermost', name: 'Mattermost', hint: () => ['What a button stands for is sealed into its context.'] },
];

/** A button that copies the text of `node`; where the clipboard is out of reach it marks it instead. */
export function copyButton(node, className = 'copy') {
  const status = h('span', { class: 'note', role: 'status' });
  let forget;
  const say = (text) => {
    status.textContent = text;
    clearTimeout(forget);
    forget = setTimeout(() => { status.textContent = ''; }, SAID_FOR);
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(node.textContent);
      say('Copied');
    } catch {
      getSelection().selectAllChildren(node);
      node.focus();
      say('Selected; press Ctrl+C to copy');
    }
  };
  return h('span', { class: 'copying' }, h('button', { type: 'button', class: `button small ${className}`, onclick: copy }, 'Copy'), status);
}

/** The toggle and the panel of one message: `{button, panel, refresh}`. */
export function vendorView(message, you) {
  const panel = h('div', { class: 'vendor', hidden: true });
  let shown;
  let vendor = VENDORS[0];

  const fill = () => {
    const pre = h('pre', { class: 'vendor-json', tabindex: '0', role: 'group' });
    const failed = h('p', { class: 'error', role: 'alert' });
    const hint = h('p', { class: 'note' });
    const choices = VENDORS.map((each) => h('button', {
      type: 'button', class: 'button small', 'data-vendor': each.id, onclick: () => { vendor = each; load(); },
    }, each.name));
    const chooser = h('span', { role: 'group', 'aria-label': 'As received by' }, ...choices);
    panel.append(h('div', { class: 'vendor-head' }, chooser, hint, copyButton(pre)), failed, pre);
    return { pre, failed, hint, choices };
  };

  const load = async () => {
    shown ??= fill();
    shown.choices.forEach((choice) => choice.setAttribute('aria-pressed', String(choice.dataset.vendor === vendor.id)));
    shown.hint.replaceChildren(...vendor.hint());
    shown.pre.setAttribute('aria-label', `${vendor.name} JSON`);
    try {
      const response = await fetch(`/demo/messages/${message.id}/${vendor.id}?as=${encodeURIComponent(you())}`);
      const data = await response.json();
      shown.failed.textContent = response.ok ? '' : data.error;
      shown.pre.textContent = response.ok ? JSON.stringify(data, null, 2) : '';
    } catch {
      shown.failed.textContent = 'The demo\'s server did not answer. Close the JSON and open it again.';
    }
    if (!panel.hidden) panel.scrollIntoView({ block: 'nearest' });
  };

  const button = h('button', {
    type: 'button',
    class: 'tool json',
    title: 'As Slack and Mattermost get it',
    'aria-expanded': 'false',
    onclick: () => {
      panel.hidden = !panel.hidden;
      button.setAttribute('aria-expanded', String(!panel.hidden));
      if (!panel.hidden) load();
    },
  }, icon('code'), h('span', {}, 'JSON'));
  return { button, panel, refresh: () => { if (!panel.hidden) load(); } };
}
