// An open chat: keeps the place in it, loads older messages, sends what a phone can send, does what buttons of messages say.
'use strict';

const write = (message) => act('messages', { message });

const say = (text) => {
  const toast = byId('toast');
  toast.textContent = text;
  toast.hidden = !text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.hidden = true; }, 1_800);
};

// ---- the transcript

const messagesPath = `/phone/${user}/${chat}/messages`;
const idOf = (line) => BigInt(line.id.slice(1));
const lines = (list) => [...list.querySelectorAll('.line[data-ms]')];

const showDays = (list) => {
  for (const day of list.querySelectorAll('.day')) day.remove();
  let before = '';
  for (const line of lines(list)) {
    const at = Number(line.dataset.ms);
    if (dayOf(at) === before) continue;
    before = dayOf(at);
    const day = document.createElement('li');
    day.className = 'day';
    day.textContent = before === dayOf(Date.now()) ? list.dataset.today : dayName.format(at);
    line.before(day);
  }
};

/** Makes `list` end with the lines of `fresh`, keeping the nodes that did not change (a playing video, a selection) and older lines. */
const reconcile = (list, fresh) => {
  for (const day of list.querySelectorAll('.day')) day.remove();
  const first = fresh.querySelector('.line[data-ms]');
  const known = first && byId(first.id);
  let place = known && known.parentElement === list ? known : list.firstElementChild;
  // Without a line in common there is a gap: everything is replaced.
  if (place === list.firstElementChild) list.dataset.older = fresh.dataset.older;
  for (const line of [...fresh.children]) {
    const old = byId(line.id);
    const same = old && old.dataset.state === line.dataset.state && old.className === line.className;
    if (same && old === place) {
      place = place.nextElementSibling;
      continue;
    }
    list.insertBefore(same ? old : document.adoptNode(line), place);
    if (old && !same) {
      if (old === place) place = place.nextElementSibling;
      old.remove();
    }
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
};

const scroll = byId('scroll');
const nearEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
const toEnd = () => { scroll.scrollTop = scroll.scrollHeight; };

let loadingOlder = false;
const loadOlder = async () => {
  const list = byId('messages');
  if (loadingOlder || list.dataset.older !== 'true') return;
  loadingOlder = true;
  try {
    const answer = await fetch(`${messagesPath}?before=${idOf(lines(list)[0])}`);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('#messages');
    const fromEnd = scroll.scrollHeight - scroll.scrollTop;
    list.prepend(...lines(fresh).map((line) => document.adoptNode(line)));
    list.dataset.older = fresh.dataset.older;
    showTimes(list);
    showDays(list);
    scroll.scrollTop = scroll.scrollHeight - fromEnd;
  } finally {
    loadingOlder = false;
  }
};

const lastLine = () => lines(byId('messages')).at(-1)?.id;

/** The message whose quick reply buttons have been used: as in LINE, they go with the tap. */
let usedQuick = null;
const hideUsedQuick = () => {
  const quick = byId('after')?.querySelector('.quick');
  if (quick) quick.hidden = usedQuick !== null && usedQuick === lastLine();
};

const markRead = () => {
  if (group || to || document.visibilityState !== 'visible') return;
  if (byId('messages').querySelector('.theirs[data-state^="0"]')) {
    fetch(`/sandbox/v1/users/${user}/read`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ channelId: channel }),
    }).catch(() => {});
  }
};

// ---- players: a video shows its poster until it is tapped, a voice message is one button, as in LINE

const dressPlayers = () => {
  for (const player of byId('live').querySelectorAll('.lv-player[controls]:not([data-dressed])')) {
    player.dataset.dressed = 'yes';
    const button = document.createElement('button');
    button.type = 'button';
    button.className = player.matches('video') ? 'play' : 'play play-voice';
    button.setAttribute('aria-label', player.getAttribute('aria-label'));
    button.addEventListener('click', () => (player.paused ? player.play().catch(() => {}) : player.pause()));
    player.controls = false;
    player.addEventListener('play', () => {
      button.classList.add('playing');
      if (player.matches('video')) {
        player.controls = true;
        button.remove();
      }
    });
    for (const stop of ['pause', 'ended']) player.addEventListener(stop, () => button.classList.remove('playing'));
    player.addEventListener('timeupdate', () => {
      button.style.setProperty('--played', `${(100 * player.currentTime) / (player.duration || 1)}%`);
    });
    player.after(button);
  }
};

/** Whether the end of the chat stays in sight when something grows: as long as the reader has not scrolled up. */
let stay = true;
let loadingEnds;
live.path = () => {
  const first = lines(byId('messages'))[0];
  return first ? `${messagesPath}?from=${idOf(first)}` : messagesPath;
};
live.show = (fresh) => {
  reconcile(byId('messages'), fresh.querySelector('#messages'));
  for (const id of ['after', 'bond', 'stranger', 'menu-source']) {
    const now = fresh.querySelector(`#${id}`);
    const before = byId(id);
    if (before && now && before.innerHTML !== now.innerHTML) before.replaceWith(document.adoptNode(now));
    else if (before && !now) before.remove();
    else if (!before && now) byId('live').prepend(document.adoptNode(now));
  }
};
live.settle = () => {
  showTimes(byId('live'));
  showDays(byId('messages'));
  hideUsedQuick();
  const bond = byId('bond');
  if (bond) byId('menu-items').replaceChildren(bond.content.cloneNode(true));
  placeMenu();
  dressPlayers();
  clearTimeout(loadingEnds);
  const loading = byId('loading');
  if (loading) loadingEnds = setTimeout(refresh, Number(loading.dataset.loadingMs) + 50);
  markRead();
  if (stay) toEnd();
};

// ---- actions of messages (PLATFORM 20)

const ask = (dialog) => new Promise((resolve) => {
  dialog.returnValue = '';
  dialog.showModal();
  dialog.addEventListener('close', () => resolve(dialog.returnValue === 'done'), { once: true });
});

const askDate = async (action) => {
  const input = byId('date');
  input.type = action.mode === 'datetime' ? 'datetime-local' : action.mode;
  const form = (text) => (text ?? '').replace('t', 'T');
  input.min = form(action.min);
  input.max = form(action.max);
  // Without an initial value a phone offers this moment, within what is allowed.
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString();
  const moment = { date: now.slice(0, 10), time: now.slice(11, 16), datetime: now.slice(0, 16) }[action.mode];
  if (action.initial) input.value = form(action.initial);
  else if (input.min && moment < input.min) input.value = input.min;
  else input.value = input.max && moment > input.max ? input.max : moment;
  return await ask(byId('date-dialog')) && input.value ? input.value : null;
};

/** What the input area does after a postback (PLATFORM 20, `inputOption`). */
const changeInput = (action) => {
  switch (action.inputOption) {
    case 'openKeyboard':
      showTray(null);
      showKeyboard(true);
      byId('text').value = action.fillInText ?? '';
      byId('text').focus();
      break;
    case 'openVoice':
      showKeyboard(true);
      showTray('voice');
      break;
    case 'openRichMenu':
      showMenu(true);
      break;
    case 'closeRichMenu':
      showMenu(false);
      break;
    default:
  }
};

/** Opens an address: LINE's own in the sandbox, every other in a new tab. */
const openAddress = (address) => {
  const own = /^line:\/\//i.test(address) || /^https?:\/\/([^/]*\.)?line\.me\//i.test(address);
  if (/^(https:\/\/line\.me\/R|line:\/)\/nv\/(camera|cameraRoll|location)\b/i.test(address)) {
    const [, helper] = /nv\/(cameraRoll|camera|location)/i.exec(address);
    return perform({ type: helper });
  }
  if (own) {
    const where = `/phone/${user}/open?${new URLSearchParams({ uri: address, chat })}`;
    // A LIFF app opens beside the chat it works with; LINE's own screens replace it.
    if (/^(https:\/\/(liff|miniapp)\.line\.me|line:\/\/app)\//i.test(address)) open(where, '_blank');
    else location.assign(where);
    return null;
  }
  open(address, '_blank', 'noopener');
  return null;
};

const perform = async (action) => {
  switch (action.type) {
    case 'message':
      await write({ type: 'text', text: action.text ?? action.label });
      break;
    case 'postback':
      await act('postbacks', { data: action.data, displayText: action.displayText });
      if (action.text) await write({ type: 'text', text: action.text });
      changeInput(action);
      break;
    case 'datetimepicker': {
      const value = await askDate(action);
      if (value) await act('postbacks', { data: action.data, params: { [action.mode]: value } });
      break;
    }
    case 'uri':
      openAddress(action.uri ?? action.linkUri);
      break;
    case 'camera':
      await askPictures(false);
      break;
    case 'cameraRoll':
      await askPictures(true);
      break;
    case 'location':
      await sendPlace();
      break;
    case 'clipboard':
      await navigator.clipboard?.writeText(action.clipboardText);
      say(byId('toast').dataset.copied);
      break;
    case 'coupon':
      await showCoupon(action.couponId);
      break;
    default:
  }
};

/** Counts what happened with a message of the account for its statistics; nobody waits for it. */
const count = (what, message, fields) => {
  if (!message || group || to) return;
  fetch(`/sandbox/v1/users/${user}/${what}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ channelId: channel, messageId: message.id.slice(1), ...fields }),
  }).catch(() => {});
};

// ---- coupons

const showCoupon = async (couponId) => {
  const dialog = byId('coupon-dialog');
  const state = byId('coupon-state');
  const card = document.querySelector(`.line-body [data-lv-action*="${CSS.escape(couponId)}"]`)?.closest('.lv');
  const copy = card?.cloneNode(true);
  copy?.querySelectorAll('.lv-tap, .lv-coupon-open').forEach((part) => part.remove());
  byId('coupon-card').replaceChildren(...(copy ? [copy] : []));
  const [get, use] = [byId('coupon-get'), byId('coupon-use')];
  const show = (result) => {
    state.textContent = { acquired: state.dataset.got, used: state.dataset.used, lost: state.dataset.lost }[result] ?? '';
    get.hidden = Boolean(result);
    use.hidden = result !== 'acquired';
  };
  const { items } = await (await fetch(`/sandbox/v1/users/${user}/coupons`)).json();
  const held = items.find((one) => one.couponId === couponId);
  show(held && (held.uses > 0 ? 'used' : 'acquired'));
  // Once used, a coupon that may be used often can be used again.
  use.hidden = !held || (held.uses > 0 && held.coupon.maxUseCountPerTicket === 1);
  const press = async (what) => {
    const done = await act(what, { couponId });
    if (done) show(done.result);
    else dialog.close();
  };
  get.onclick = () => press('coupons');
  use.onclick = () => press('coupons/use');
  await ask(dialog);
};

// ---- pictures, files, voice, places

const base64 = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

/** Sends pictures and other files; several pictures at once are one set (PLATFORM 16, `imageSet`). */
const sendFiles = async (files) => {
  const pictures = files.filter((file) => file.type.startsWith('image/'));
  const set = pictures.length > 1 ? { id: crypto.randomUUID().replaceAll('-', '').toUpperCase(), total: pictures.length } : null;
  let index = 0;
  for (const file of files) {
    const contentBase64 = await base64(file);
    const kind = ['image', 'video', 'audio'].find((name) => file.type.startsWith(`${name}/`));
    const message = kind ? { type: kind, contentBase64 } : { type: 'file', fileName: file.name, contentBase64 };
    if (kind === 'image' && set) message.imageSet = { ...set, index: (index += 1) };
    if (!await write(message)) return;
  }
};

const pickFile = (accept) => {
  const file = byId('file');
  file.accept = accept;
  file.value = '';
  file.click();
};

/** The camera (one picture) or the photo roll (any number), as choices among sample pictures or the reader's own file. */
const askPictures = async (several) => {
  const dialog = byId('picture-dialog');
  const heading = byId('picture-heading');
  const grid = byId('picture-grid');
  heading.textContent = several ? heading.dataset.pictures : heading.dataset.camera;
  const choices = [0, 1, 2, 3].map((number) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('role', several ? 'checkbox' : 'radio');
    button.setAttribute('aria-checked', String(number === 0));
    button.setAttribute('aria-label', grid.dataset.name.replace('%', number + 1));
    button.append(samplePicture(number));
    button.addEventListener('click', () => {
      const on = button.getAttribute('aria-checked') === 'true';
      if (!several) for (const other of choices) other.setAttribute('aria-checked', 'false');
      button.setAttribute('aria-checked', String(!several || !on));
    });
    return button;
  });
  grid.replaceChildren(...choices);
  if (!await ask(dialog)) return;
  const chosen = choices.filter((choice) => choice.getAttribute('aria-checked') === 'true');
  await sendFiles(chosen.map((choice) => jpeg(choice.firstElementChild)));
};

const sendVoice = async () => {
  await write({ type: 'audio', duration: 2_000, contentBase64: await base64(sampleVoice()) });
  showTray(null);
};

const sendPlace = async () => {
  const dialog = byId('place-dialog');
  if (!await ask(dialog)) return;
  const fields = new FormData(dialog.querySelector('form'));
  const number = (name) => Number(fields.get(name));
  const place = { type: 'location', latitude: number('latitude'), longitude: number('longitude') };
  for (const name of ['title', 'address']) if (fields.get(name)) place[name] = fields.get(name);
  await write(place);
  showTray(null);
};

// ---- the input area

const text = byId('text');
const TRAYS = ['attach', 'sticker', 'voice'];

const showTray = (name) => {
  for (const other of TRAYS) {
    byId(`${other}-tray`).hidden = other !== name;
    byId(other).setAttribute('aria-expanded', String(other === name));
  }
  if (name) showKeyboard(true);
};
const toggleTray = (name) => {
  showTray(byId(`${name}-tray`).hidden ? name : null);
};

// ---- the rich menu (PLATFORM 10): a panel with a bar that opens and closes it, in place of the message field

const panel = byId('menu-panel');
const showMenu = (open) => {
  const there = panel.childElementCount > 0;
  panel.hidden = !there || !open;
  byId('menu-toggle').setAttribute('aria-expanded', String(!panel.hidden));
  if (there && open) {
    for (const name of TRAYS) byId(`${name}-tray`).hidden = true;
    showKeyboard(false);
    act('rich-menu-views', {});
  }
};

/** The message field, or the menu's bar; without a menu there is only the field. */
const showKeyboard = (keyboard) => {
  const there = panel.childElementCount > 0;
  byId('composer').hidden = there && !keyboard;
  byId('menu-bar').hidden = !there || keyboard;
  byId('to-menu').hidden = !there;
  if (keyboard) panel.hidden = true;
};

/** Shows the menu that the page's newest fragment has; a switched menu stays open, a new one opens as it says. */
const placeMenu = () => {
  const source = byId('menu-source')?.content.firstElementChild;
  const before = panel.firstElementChild;
  if (source?.outerHTML === placeMenu.shown) return;
  placeMenu.shown = source?.outerHTML;
  const wasOpen = !panel.hidden;
  panel.replaceChildren(...(source ? [source.cloneNode(true)] : []));
  if (source) byId('menu-words').textContent = source.dataset.bar;
  const typing = before && byId('menu-bar').hidden;
  showKeyboard(!source || Boolean(typing));
  if (source && !typing) showMenu(before ? wasOpen : source.dataset.selected === 'true');
};

const tapArea = async (button) => {
  const action = JSON.parse(button.dataset.does);
  const tap = { area: Number(button.dataset.area) };
  if (action.type === 'datetimepicker') {
    const value = await askDate(action);
    if (!value) return;
    tap.params = { [action.mode]: value };
  }
  const done = await act('rich-menu-taps', tap);
  // The sandbox did what the account hears of; what only the phone does is left.
  if (!done) return;
  if (action.type === 'postback') changeInput(action);
  else if (['uri', 'clipboard', 'camera', 'cameraRoll', 'location'].includes(action.type)) await perform(action);
};

let editing = null;
let replying = null;
const stopReplying = () => {
  replying = null;
  byId('replying').hidden = true;
};

/** Marks that were put into the text: mentions and LINE emoji, found again in order when it is sent (PLATFORM 16). */
let marks = [];
const insert = (words, mark) => {
  text.setRangeText(words, text.selectionStart, text.selectionEnd, 'end');
  if (mark) marks.push({ words: words.trim(), ...mark });
  text.focus();
};

const textMessage = (words) => {
  const message = { type: 'text', text: words };
  const places = new Map();
  const found = [];
  for (const mark of marks) {
    const index = words.indexOf(mark.words, places.get(mark.words) ?? 0);
    if (index < 0) continue;
    places.set(mark.words, index + mark.words.length);
    found.push({ ...mark, index, length: mark.words.length });
  }
  found.sort((one, other) => one.index - other.index);
  const mentionees = found.filter((mark) => mark.mention).map(({ index, length, mention, self }) =>
    (mention === 'all' ? { index, length, type: 'all' } : { index, length, type: 'user', userId: mention, isSelf: Boolean(self) }));
  const emojis = found.filter((mark) => mark.productId).map(({ index, length, productId, emojiId }) => ({ index, length, productId, emojiId }));
  if (mentionees.length) message.mention = { mentionees };
  if (emojis.length) message.emojis = emojis;
  if (replying) message.quotedMessageId = replying;
  return message;
};

taps.unsend = async (ids) => {
  for (const messageId of ids.split(',')) await act('unsend', { messageId });
};
taps.edit = (id, button) => {
  editing = id;
  text.value = button.dataset.text;
  text.focus();
};
taps.reply = (id, button) => {
  replying = id;
  byId('replying-name').textContent = button.dataset.name;
  byId('replying-text').textContent = button.dataset.text;
  byId('replying').hidden = false;
  text.focus();
};
taps.mention = (id, button) => {
  byId('mentions').hidden = true;
  // An @ that was typed to call the list is part of the mention.
  const typed = text.value.slice(0, text.selectionStart).endsWith('@');
  if (typed) text.setRangeText('', text.selectionStart - 1, text.selectionStart, 'end');
  insert(`@${button.dataset.name} `, { mention: id, self: button.dataset.self });
};

byId('composer').addEventListener('submit', async (event) => {
  event.preventDefault();
  const words = text.value.trim();
  if (!words) return;
  const edited = editing;
  const message = textMessage(words);
  editing = null;
  text.value = '';
  const done = edited ? await act('edits', { messageId: edited, text: words }) : await write(message);
  // What could not be sent is given back.
  if (!done && !text.value) text.value = words;
  if (done) {
    marks = [];
    stopReplying();
  }
  stay = true;
  toEnd();
});
text.addEventListener('keydown', (event) => {
  // While an input method composes, Enter belongs to it.
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId('composer').requestSubmit();
  }
});
text.addEventListener('input', (event) => {
  const mentions = byId('mentions');
  if (mentions) mentions.hidden = event.data !== '@';
});
text.addEventListener('focus', () => showTray(null));
panel.addEventListener('click', (event) => {
  const area = event.target.closest('.rich-area');
  if (area) tapArea(area);
});
byId('menu-toggle').addEventListener('click', () => showMenu(panel.hidden));
byId('to-keyboard').addEventListener('click', () => {
  showKeyboard(true);
  text.focus();
});
byId('to-menu').addEventListener('click', () => {
  showTray(null);
  showMenu(true);
});
for (const name of TRAYS) byId(name).addEventListener('click', () => toggleTray(name));
byId('camera').addEventListener('click', () => askPictures(false));
byId('roll').addEventListener('click', () => askPictures(true));
byId('record').addEventListener('click', sendVoice);
byId('stop-replying').addEventListener('click', stopReplying);
byId('pick-file').addEventListener('click', () => pickFile(''));
byId('pick-place').addEventListener('click', sendPlace);
byId('pick-pictures').addEventListener('click', () => askPictures(true));
byId('pick-mention')?.addEventListener('click', () => {
  showTray(null);
  byId('mentions').hidden = false;
});
byId('own-picture').addEventListener('click', () => {
  byId('picture-dialog').close();
  pickFile('image/*');
});
byId('file').addEventListener('change', async (event) => {
  await sendFiles([...event.target.files]);
  showTray(null);
});

byId('sticker-tray').addEventListener('click', async (event) => {
  const sticker = event.target.closest('.sticker-choice');
  const emoji = event.target.closest('.emoji-choice');
  if (sticker) {
    const { package: packageId, sticker: stickerId } = sticker.dataset;
    const quoted = replying ? { quotedMessageId: replying } : {};
    showTray(null);
    if (await write({ type: 'sticker', packageId, stickerId, ...quoted })) stopReplying();
  }
  if (emoji) {
    const { words, product, emoji: emojiId } = emoji.dataset;
    insert(words, product && { productId: product, emojiId });
  }
});

byId('live').addEventListener('click', (event) => {
  const tapped = event.target.closest('[data-lv-action], a[data-lv-type="uri"], a.lv-link');
  if (tapped) {
    const message = tapped.closest('.line[data-ms]');
    if (tapped.href) {
      count('clicks', message, { uri: tapped.getAttribute('href') });
      if (/^(line:|https?:\/\/([^/]*\.)?line\.me\/)/i.test(tapped.getAttribute('href'))) {
        event.preventDefault();
        openAddress(tapped.getAttribute('href'));
      }
    } else {
      event.preventDefault();
      perform(JSON.parse(tapped.dataset.lvAction));
    }
    if (tapped.closest('.quick')) {
      usedQuick = lastLine();
      hideUsedQuick();
    }
    return;
  }
  const quote = event.target.closest('[data-lv-quoted]');
  const line = quote && byId(`m${quote.dataset.lvQuoted}`);
  if (line) {
    stay = false;
    scroll.scrollTop += line.getBoundingClientRect().top - scroll.getBoundingClientRect().top - 80;
  }
});
byId('live').addEventListener('ended', (event) => {
  if (event.target.matches('video')) count('video-plays', event.target.closest('.line[data-ms]'), { percent: 100 });
}, true);
// Only a reader leaves the end; pictures that load and trays that open scroll too, but nobody meant it.
let touched = 0;
for (const touch of ['wheel', 'touchmove', 'keydown', 'pointerdown']) {
  scroll.addEventListener(touch, () => { touched = Date.now(); }, { passive: true });
}
scroll.addEventListener('scroll', () => {
  if (nearEnd() || Date.now() - touched < 1_000) stay = nearEnd();
  if (scroll.scrollTop < 160) loadOlder();
}, { passive: true });
// Pictures that arrive late and the menu that opens push the end away.
const growing = new ResizeObserver(() => { if (stay) toEnd(); });
growing.observe(byId('live'));
growing.observe(scroll);
document.addEventListener('visibilitychange', markRead);

live.settle();
toEnd();
if (text.value) showKeyboard(true);
if (text.value) text.focus();
follow();
