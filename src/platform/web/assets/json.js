// What Slack would receive for a message, to look at and to copy.

import { h, icon } from './render.js';

const BUILDER = 'https://app.slack.com/block-kit-builder';
const SAID_FOR = 2_500;

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
export function slackView(message, you) {
  const panel = h('div', { class: 'vendor', hidden: true });
  let shown;

  const fill = () => {
    const pre = h('pre', { class: 'slack-json', tabindex: '0', role: 'group', 'aria-label': 'Block Kit JSON' });
    const failed = h('p', { class: 'error', role: 'alert' });
    const hint = h('p', { class: 'note' }, 'Paste it into ',
      h('a', { href: BUILDER, target: '_blank', rel: 'noopener noreferrer' }, 'Slack\'s Block Kit Builder'), '.');
    panel.append(h('div', { class: 'vendor-head' }, hint, copyButton(pre)), failed, pre);
    return { pre, failed };
  };

  const load = async () => {
    shown ??= fill();
    try {
      const response = await fetch(`/demo/messages/${message.id}/slack?as=${encodeURIComponent(you())}`);
      const data = await response.json();
      shown.failed.textContent = response.ok ? '' : data.error;
      shown.pre.textContent = response.ok ? JSON.stringify(data, null, 2) : '';
    } catch {
      shown.failed.textContent = 'The demo\'s server did not answer. Close the Slack view and open it again.';
    }
    if (!panel.hidden) panel.scrollIntoView({ block: 'nearest' });
  };

  const button = h('button', {
    type: 'button',
    class: 'tool json',
    title: 'Slack view',
    'aria-expanded': 'false',
    onclick: () => {
      panel.hidden = !panel.hidden;
      button.setAttribute('aria-expanded', String(!panel.hidden));
      if (!panel.hidden) load();
    },
  }, icon('code'), h('span', {}, 'Slack view'));
  return { button, panel, refresh: () => { if (!panel.hidden) load(); } };
}
