// Where a link into Sekoia's console leads: the demo has none, so it says what would be there.

import { h, rememberFocus } from './render.js';

const dialog = document.getElementById('console');
const [at, kept, none] = ['at', 'kept', 'none'].map((name) => document.getElementById(`console-${name}`));
document.getElementById('console-close').addEventListener('click', () => dialog.close());

/** Shows what the embedded Sekoia has behind an address of the console. */
export async function openConsole(url) {
  const back = rememberFocus();
  at.replaceChildren(h('code', {}, url));
  kept.hidden = true;
  none.hidden = true;
  dialog.addEventListener('close', back, { once: true });
  dialog.showModal();
  const { pathname } = new URL(url);
  let found = null;
  try {
    const response = await fetch(`/demo/console?path=${encodeURIComponent(pathname)}`);
    if (response.ok) found = (await response.json()).found;
  } catch {
    // The banner says that the server is away.
  }
  kept.textContent = found ? JSON.stringify(found, null, 2) : '';
  kept.hidden = !found;
  none.hidden = Boolean(found);
}
