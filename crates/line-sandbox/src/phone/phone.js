// What every phone page does: acts through /sandbox/v1, follows changes by server-sent events, fetches fragments. Everything
// works on the server's HTML; no text is made here. An open chat has more in chat.js.
'use strict';

const body = document.body;
const { page, user, channel, group, chat, to } = body.dataset;
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
  const target = to ? { to } : group ? { channelId: channel, group } : { channelId: channel };
  return control('POST', `/users/${user}/${what}`, { ...target, ...fields });
};

// ---- the live part: fetch the fragment, show it

/** What a page does with a fresh fragment, and what it does after; an open chat has its own ways. */
const live = {
  path: () => `/phone/${user}/chats`,
  show: (fresh) => byId('live').replaceChildren(...fresh.childNodes),
  settle: () => showTimes(byId('live')),
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
    const answer = await fetch(live.path());
    if (!answer.ok) {
      location.reload();
      return;
    }
    live.show(new DOMParser().parseFromString(await answer.text(), 'text/html').body);
    live.settle();
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

/** Calls `changed` when something changes that the phones of `path` show. */
const listen = (path, changed) => {
  const events = new EventSource(path);
  const notice = byId('notice');
  let lost;
  events.addEventListener('change', (event) => changed(JSON.parse(event.data)));
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
  return events;
};

/** Beside other phones the page around them listens for all: a browser keeps only six connections to a host. */
const framed = window.frameElement?.dataset.live === 'shared';
document.documentElement.classList.toggle('framed', framed);

const follow = () => {
  if (framed) {
    addEventListener('message', (event) => {
      if (event.origin === location.origin && event.data === 'change') refresh();
    });
    return;
  }
  listen(`/phone/${user}/live`, refresh);
};

// ---- taps: what a button's data attribute names

const taps = {
  follow: (id) => act('follow', { channelId: id, group: undefined, to: undefined }),
  unfollow: (id) => act('unfollow', { channelId: id, group: undefined, to: undefined }),
  close: (id) => byId(id).close(),
  copy: async (words, button) => {
    await navigator.clipboard?.writeText(words);
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 1500);
  },
};

document.addEventListener('click', async (event) => {
  for (const open of document.querySelectorAll('details[open]')) if (!open.contains(event.target)) open.open = false;
  for (const [name, run] of Object.entries(taps)) {
    const button = event.target.closest(`button[data-${name}]`);
    if (!button) continue;
    for (const menu of document.querySelectorAll('details[open]')) menu.open = false;
    const done = await run(button.dataset[name], button);
    // A profile is drawn once; it shows what became of it by being drawn again.
    if (page === 'account' && done && name !== 'copy') location.reload();
  }
});

// ---- the people beside a phone

const wirePeople = () => {
  const search = document.querySelector('[data-people-of]');
  let waiting;
  search?.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const asked = new URLSearchParams({ q: search.value, me: search.dataset.peopleOf, stay: search.dataset.stay });
      const answer = await fetch(`/phones/people?${asked}`);
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      byId('side-people').replaceWith(fresh.querySelector('#side-people'));
    }, 150);
  });
};

const wireShare = () => {
  byId('share').addEventListener('submit', async (event) => {
    event.preventDefault();
    const fields = new FormData(event.target);
    const message = { type: 'text', text: fields.get('text') };
    for (const id of fields.getAll('chat')) {
      // A person, a group, else an account (PLATFORM 3).
      const target = id.startsWith('u') ? { to: id } : /^[CR]/.test(id) ? { group: id } : { channelId: id };
      if (target.group) target.channelId = await channelOf(id);
      if (!await control('POST', `/users/${user}/messages`, { ...target, message })) return;
    }
    location.assign(`/phone/${user}`);
  });
};

const channelOf = async (group) => {
  const { items } = await (await fetch('/sandbox/v1/groups')).json();
  return items.find((one) => one.groupId === group)?.channelId;
};

tick();
setInterval(tick, 10_000);
if (page === 'share') wireShare();
if (page === 'chats') {
  byId('add-friend').addEventListener('click', () => byId('add-dialog').showModal());
  live.settle();
  follow();
}
wirePeople();
