// The phone's behaviour: acts through /sandbox/v1, follows changes by server-sent events, fetches fragments, keeps the
// place in the chat. Everything works on the server's HTML; no text is made here.
'use strict';

const body = document.body;
const { page, user, channel, group, chat } = body.dataset;
const byId = (id) => document.getElementById(id);
const language = document.documentElement.lang;

// ---- times, in the reader's own zone and language

const clockTime = new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit' });
const dayName = new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric', weekday: 'short' });
const dayOf = (ms) => new Date(ms).toDateString();

const showTimes = (root) => {
  for (const time of root.querySelectorAll('time[data-ms]')) {
    const at = new Date(Number(time.dataset.ms));
    time.dateTime = at.toISOString();
    time.title = at.toLocaleString(language);
    const today = dayOf(at) === dayOf(Date.now());
    time.textContent = time.dataset.form === 'list' && !today ? dayName.format(at) : clockTime.format(at);
  }
};

const showDays = (list) => {
  for (const day of list.querySelectorAll('.day')) day.remove();
  let before = '';
  for (const line of [...list.querySelectorAll('.line[data-ms]')]) {
    const at = Number(line.dataset.ms);
    if (dayOf(at) === before) continue;
    before = dayOf(at);
    const day = document.createElement('li');
    day.className = 'day';
    day.textContent = before === dayOf(Date.now()) ? list.dataset.today : dayName.format(at);
    line.before(day);
  }
};

const tick = () => {
  const clock = byId('clock');
  if (clock) clock.textContent = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' }).format();
};

// ---- acts

const tell = (text) => {
  const notice = byId('notice');
  notice.textContent = text;
  notice.hidden = !text;
};

const control = async (method, path, fields) => {
  const notice = byId('notice');
  try {
    const answer = await fetch(`/sandbox/v1${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fields),
    });
    const result = await answer.json();
    if (!answer.ok) throw new Error([result.field, result.message].filter(Boolean).join(' '));
    tell('');
    return result;
  } catch (error) {
    tell(notice.dataset.notSent.replace('%', error.message));
    return null;
  }
};

const act = (what, fields) => {
  // The chat named in the act wins over the open one: the chat list follows accounts that are not open.
  const target = group ? { channelId: channel, group } : { channelId: channel };
  return control('POST', `/users/${user}/${what}`, { ...target, ...fields });
};
const write = (message) => act('messages', { message });

// ---- the live part: fetch the fragment, change only what differs

const fragmentPath = page === 'chat' ? `/phone/${user}/${chat}/messages` : `/phone/${user}/chats`;

/** Makes `list` show the lines of `fresh`, keeping the nodes that did not change (a playing video, a selection). */
const reconcile = (list, fresh) => {
  for (const day of list.querySelectorAll('.day')) day.remove();
  let place = list.firstElementChild;
  for (const line of [...fresh.children]) {
    const known = byId(line.id);
    const same = known && known.dataset.state === line.dataset.state && known.className === line.className;
    if (same && known === place) {
      place = place.nextElementSibling;
      continue;
    }
    list.insertBefore(same ? known : document.adoptNode(line), place);
    if (known && !same) {
      if (known === place) place = place.nextElementSibling;
      known.remove();
    }
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
};

const nearEnd = (scroll) => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
const toEnd = () => {
  const scroll = byId('scroll');
  if (scroll) scroll.scrollTop = scroll.scrollHeight;
};

const lastLine = () => byId('messages')?.querySelector('.line:last-child')?.id;

/** The message whose quick reply buttons have been used: as in LINE, they go with the tap. */
let usedQuick = null;
const hideUsedQuick = () => {
  const quick = byId('after')?.querySelector('.quick');
  if (quick) quick.hidden = usedQuick !== null && usedQuick === lastLine();
};

let loadingEnds;
const settle = () => {
  const live = byId('live');
  showTimes(live);
  const list = byId('messages');
  if (!list) return;
  showDays(list);
  hideUsedQuick();
  const bond = byId('bond');
  if (bond) byId('menu-items').replaceChildren(bond.content.cloneNode(true));
  for (const quote of live.querySelectorAll('[data-lv-quoted]')) {
    const words = byId(`m${quote.dataset.lvQuoted}`)?.querySelector('.line-body');
    if (words && !quote.dataset.filled) {
      quote.dataset.filled = 'yes';
      quote.textContent = words.innerText.slice(0, 80);
    }
  }
  clearTimeout(loadingEnds);
  const loading = byId('loading');
  if (loading) loadingEnds = setTimeout(refresh, Number(loading.dataset.loadingMs) + 50);
  markRead();
};

let running = false;
let again = false;
const refresh = async () => {
  // One at a time; a change during a fetch asks for one more.
  if (running) {
    again = true;
    return;
  }
  running = true;
  try {
    const answer = await fetch(fragmentPath);
    if (!answer.ok) {
      location.reload();
      return;
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').body;
    const live = byId('live');
    const list = byId('messages');
    if (page !== 'chat' || !list) {
      live.replaceChildren(...fresh.childNodes);
    } else {
      const stay = nearEnd(byId('scroll'));
      reconcile(list, fresh.querySelector('#messages'));
      for (const id of ['after', 'bond', 'stranger']) {
        const now = fresh.querySelector(`#${id}`);
        const before = byId(id);
        if (before && now && before.innerHTML !== now.innerHTML) before.replaceWith(document.adoptNode(now));
        else if (before && !now) before.remove();
        else if (!before && now) live.prepend(document.adoptNode(now));
      }
      settle();
      if (stay) toEnd();
      return;
    }
    settle();
  } catch {
    // The event stream notices a broken line and says so.
  } finally {
    running = false;
    if (again) {
      again = false;
      refresh();
    }
  }
};

const markRead = () => {
  if (group || document.visibilityState !== 'visible') return;
  if (byId('messages').querySelector('.theirs[data-state^="0"]')) {
    fetch(`/sandbox/v1/users/${user}/read`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ channelId: channel }),
    }).catch(() => {});
  }
};

const follow = () => {
  const events = new EventSource(`/phone/${user}/live`);
  const notice = byId('notice');
  let lost;
  events.addEventListener('change', refresh);
  events.addEventListener('open', () => {
    clearTimeout(lost);
    if (notice.textContent === notice.dataset.lost) tell('');
  });
  events.addEventListener('error', () => {
    // A short break heals by itself.
    clearTimeout(lost);
    lost = setTimeout(() => tell(notice.dataset.lost), 2_000);
  });
  addEventListener('pagehide', () => events.close());
};

// ---- actions of messages (PLATFORM 20)

const askDate = (action) => new Promise((resolve) => {
  const dialog = byId('date-dialog');
  const input = byId('date');
  input.type = action.mode === 'datetime' ? 'datetime-local' : action.mode;
  const form = (text) => (text ?? '').replace('t', 'T');
  input.min = form(action.min);
  input.max = form(action.max);
  input.value = form(action.initial);
  dialog.returnValue = '';
  dialog.showModal();
  dialog.addEventListener('close', () => resolve(dialog.returnValue === 'done' && input.value ? input.value : null), { once: true });
});

const perform = async (action) => {
  switch (action.type) {
    case 'message':
      await write({ type: 'text', text: action.text });
      break;
    case 'postback': {
      await act('postbacks', { data: action.data, displayText: action.displayText });
      if (action.text) await write({ type: 'text', text: action.text });
      if (action.inputOption === 'openKeyboard') {
        byId('text').value = action.fillInText ?? '';
        byId('text').focus();
      }
      break;
    }
    case 'datetimepicker': {
      const value = await askDate(action);
      if (value) await act('postbacks', { data: action.data, params: { [action.mode]: value } });
      break;
    }
    case 'uri':
      if (/^(https?|tel):/i.test(action.uri)) open(action.uri, '_blank', 'noopener');
      break;
    case 'camera':
    case 'cameraRoll':
      pickFile('image/*');
      break;
    case 'location':
      byId('place-dialog').showModal();
      break;
    case 'clipboard':
      await navigator.clipboard?.writeText(action.clipboardText);
      break;
    default:
  }
};

// ---- files

const pickFile = (accept) => {
  const file = byId('file');
  file.accept = accept;
  file.value = '';
  file.click();
};

const base64 = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

const sendFile = async (file) => {
  const contentBase64 = await base64(file);
  const kind = ['image', 'video', 'audio'].find((kind) => file.type.startsWith(`${kind}/`));
  await write(kind ? { type: kind, contentBase64 } : { type: 'file', fileName: file.name, contentBase64 });
};

// ---- wiring

const toggleTray = (name) => {
  for (const other of ['attach', 'sticker']) {
    const show = other === name && byId(`${other}-tray`).hidden;
    byId(`${other}-tray`).hidden = !show;
    byId(other).setAttribute('aria-expanded', String(show));
  }
  toEnd();
};

let editing = null;

const wireChat = () => {
  const text = byId('text');
  const composer = byId('composer');
  composer.addEventListener('submit', async (event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (!words) return;
    const edited = editing;
    editing = null;
    text.value = '';
    const done = edited
      ? await act('edits', { messageId: edited, text: words })
      : await write({ type: 'text', text: words });
    // What could not be sent is given back.
    if (!done && !text.value) text.value = words;
    toEnd();
  });
  text.addEventListener('keydown', (event) => {
    // While an input method composes, Enter belongs to it.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      composer.requestSubmit();
    }
  });
  text.addEventListener('focus', () => toggleTray(null));
  byId('attach').addEventListener('click', () => toggleTray('attach'));
  byId('sticker').addEventListener('click', () => toggleTray('sticker'));
  byId('pick-file').addEventListener('click', () => pickFile(''));
  byId('pick-place').addEventListener('click', () => byId('place-dialog').showModal());
  byId('file').addEventListener('change', async (event) => {
    const [file] = event.target.files;
    if (file) await sendFile(file);
    toggleTray(null);
  });
  byId('place-dialog').addEventListener('close', async (event) => {
    const dialog = event.target;
    if (dialog.returnValue !== 'done') return;
    dialog.returnValue = '';
    const fields = new FormData(dialog.querySelector('form'));
    const number = (name) => Number(fields.get(name));
    const place = { type: 'location', latitude: number('latitude'), longitude: number('longitude') };
    for (const name of ['title', 'address']) if (fields.get(name)) place[name] = fields.get(name);
    await write(place);
    toggleTray(null);
  });
  document.addEventListener('visibilitychange', markRead);
  toEnd();
  // Pictures that arrive late push the end away.
  byId('live').addEventListener('load', () => { if (nearEnd(byId('scroll'))) toEnd(); }, true);
};

const taps = {
  follow: (id) => act('follow', { channelId: id, group: undefined }),
  unfollow: (id) => act('unfollow', { channelId: id, group: undefined }),
  unsend: (id) => act('unsend', { messageId: id }),
  edit: (id, button) => {
    editing = id;
    byId('text').value = button.dataset.text;
    byId('text').focus();
  },
  copy: async (words, button) => {
    await navigator.clipboard?.writeText(words);
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 1500);
  },
};

document.addEventListener('click', (event) => {
  for (const open of document.querySelectorAll('details[open]')) if (!open.contains(event.target)) open.open = false;
  const tapped = event.target.closest('[data-lv-action]');
  if (tapped && page === 'chat') {
    if (!tapped.href) {
      event.preventDefault();
      perform(JSON.parse(tapped.dataset.lvAction));
    }
    if (tapped.closest('.quick')) {
      usedQuick = lastLine();
      hideUsedQuick();
    }
    return;
  }
  const choice = event.target.closest('.sticker-choice');
  if (choice) {
    write({ type: 'sticker', packageId: choice.dataset.package, stickerId: choice.dataset.sticker });
    toggleTray(null);
    return;
  }
  for (const [name, run] of Object.entries(taps)) {
    const button = event.target.closest(`button[data-${name}]`);
    if (!button) continue;
    for (const menu of document.querySelectorAll('details[open]')) menu.open = false;
    run(button.dataset[name], button);
  }
});

const wireIndex = () => {
  for (const form of document.querySelectorAll('form[data-create]')) {
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const name = form.elements.name.value.trim();
      if (!name) return;
      let made;
      if (form.dataset.create === 'person') {
        made = await control('POST', '/users', { displayName: name, language });
      } else {
        const provider = await control('POST', '/providers', { name });
        made = provider && await control('POST', '/channels', { providerId: provider.providerId, type: 'messaging', name });
      }
      if (made) location.reload();
    });
  }
  for (const box of document.querySelectorAll('[data-use-webhook]')) {
    box.addEventListener('change', async () => {
      const done = await control('PATCH', `/channels/${box.dataset.useWebhook}`, { useWebhook: box.checked });
      if (done) location.reload();
    });
  }
};

tick();
setInterval(tick, 10_000);
if (page === 'index') wireIndex();
if (page === 'chat' || page === 'chats') {
  settle();
  follow();
}
if (page === 'chat') wireChat();
