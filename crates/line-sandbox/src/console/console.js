// The console's behaviour on top of pages that work without it: forms are sent in place, errors stand at their field, times are
// shown in the reader's zone, the log follows what happens. No text is made here.
'use strict';

const root = document.documentElement;
root.classList.remove('no-js');
const byId = (id) => document.getElementById(id);
const language = root.lang;

// ---- times, by the sandbox's clock

let ahead = 0;
/** The page says what the sandbox's clock showed when it was drawn. */
const setClock = () => { ahead = Number(document.querySelector('.page').dataset.now) - Date.now(); };
const sandboxNow = () => Date.now() + ahead;
const clockForm = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
const fullForm = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium', hour12: false });
const dayForm = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short', hour12: false });
const agoForm = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });

const say = (time) => {
  const at = Number(time.dataset.ms);
  const away = (at - sandboxNow()) / 1000;
  switch (time.dataset.form) {
    case 'full': return fullForm.format(at);
    case 'ticking': return fullForm.format(sandboxNow());
    case 'clock': return Math.abs(away) < 86_400 ? clockForm.format(at) : dayForm.format(at);
    default:
      if (Math.abs(away) >= 86_400) return dayForm.format(at);
      if (Math.abs(away) >= 3600) return agoForm.format(Math.round(away / 3600), 'hour');
      if (Math.abs(away) >= 60) return agoForm.format(Math.round(away / 60), 'minute');
      return agoForm.format(Math.round(away), 'second');
  }
};

const showTimes = (within = document) => {
  for (const time of within.querySelectorAll('time[data-ms]')) {
    const at = new Date(Number(time.dataset.ms));
    time.dateTime = at.toISOString();
    time.title = at.toLocaleString(language, { timeZoneName: 'short' });
    const text = say(time);
    if (time.textContent !== text) time.textContent = text;
  }
};

// ---- telling

let toastEnds;
const toast = (text, bad) => {
  const box = byId('toast');
  box.textContent = text;
  box.classList.toggle('bad', Boolean(bad));
  box.hidden = false;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => { box.hidden = true; }, bad ? 8000 : 2500);
};

const copy = async (text, button) => {
  await navigator.clipboard?.writeText(text);
  const before = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = before; }, 1500);
};

/** The entry of the rail whose channel is open. */
const markRail = () => {
  for (const link of document.querySelectorAll('[data-under]')) {
    const here = location.pathname.startsWith(link.dataset.under);
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
};

// ---- pages, changed in place

const fetchPage = async (address) => {
  const answer = await fetch(address, { headers: { accept: 'text/html' } });
  return new DOMParser().parseFromString(await answer.text(), 'text/html');
};

/** Shows `address` without losing the place: main part, banner and rail are exchanged. */
const visit = async (address, keep) => {
  const fresh = await fetchPage(address);
  const focused = document.activeElement;
  const again = focused?.id ? `#${CSS.escape(focused.id)}` : focused?.name && focused.form ? `[name="${CSS.escape(focused.name)}"]` : null;
  const index = again ? [...document.querySelectorAll(again)].indexOf(focused) : -1;
  const { scrollX, scrollY } = window;
  const open = document.querySelector('.more-form')?.open;
  document.querySelector('.page').replaceWith(document.adoptNode(fresh.querySelector('.page')));
  document.querySelector('.rail').replaceWith(document.adoptNode(fresh.querySelector('.rail')));
  setClock();
  document.title = fresh.title;
  if (!keep) history.pushState(null, '', address);
  settle();
  if (keep) {
    if (index >= 0) document.querySelectorAll(again)[index]?.focus({ preventScroll: true });
    scrollTo(scrollX, scrollY);
    const form = document.querySelector('.more-form');
    if (form && open) form.open = true;
  } else {
    byId('main').focus({ preventScroll: true });
    scrollTo(0, 0);
  }
};

// ---- forms

const fieldOf = (form, name) => {
  const known = [...form.elements].filter((element) => element.name && element.type !== 'hidden');
  const plain = (element) => element.name.split(':')[0].replaceAll(/\.(\d+)/g, '[$1]');
  return known.find((element) => plain(element) === name) ?? known.find((element) => name?.startsWith(`${plain(element)}.`) || plain(element).startsWith(`${name}.`));
};

const clearErrors = (form) => {
  for (const error of form.querySelectorAll('.field-error')) error.remove();
  for (const element of form.querySelectorAll('[aria-invalid]')) {
    element.removeAttribute('aria-invalid');
    element.removeAttribute('aria-describedby');
  }
};

const showProblem = (form, problem) => {
  const element = fieldOf(form, problem.field);
  const holder = element?.closest('.field');
  if (!holder) {
    toast(byId('toast').dataset.failed.replace('%', [problem.field, problem.message].filter(Boolean).join(' ')), true);
    return;
  }
  const error = document.createElement('span');
  error.className = 'field-error';
  error.id = 'field-error';
  error.setAttribute('role', 'alert');
  error.textContent = problem.message;
  holder.append(error);
  element.setAttribute('aria-invalid', 'true');
  element.setAttribute('aria-describedby', error.id);
  element.focus();
};

const showOnce = (value) => {
  byId('once-value').textContent = value;
  byId('once').showModal();
};

const send = async (form, button) => {
  clearErrors(form);
  button?.setAttribute('aria-busy', 'true');
  try {
    const answer = await fetch(form.action, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams(new FormData(form)),
    });
    const result = await answer.json();
    if (!answer.ok) {
      showProblem(form, result ?? {});
      if (form.hasAttribute('data-auto')) form.reset();
      return;
    }
    const shown = form.elements._show && result.answer?.[form.elements._show.value];
    const here = location.pathname + location.search;
    const samePage = result.to.split('?')[0] === location.pathname;
    if (result.to !== here && samePage) history.replaceState(null, '', result.to);
    await visit(result.to, samePage);
    if (shown) showOnce(shown);
    else if (!form.classList.contains('verify')) {
      toast(byId('toast').dataset[form.elements._method?.value === 'PATCH' ? 'saved' : 'done']);
    }
  } catch {
    toast(byId('toast').dataset.gone, true);
  } finally {
    button?.removeAttribute('aria-busy');
  }
};

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.method !== 'post' || !form.action.endsWith('/console/do')) {
    if (form.hasAttribute('data-filter')) {
      event.preventDefault();
      applyFilter(form);
    }
    return;
  }
  event.preventDefault();
  send(form, event.submitter);
});

document.addEventListener('change', (event) => {
  const form = event.target.form;
  if (form?.hasAttribute('data-auto')) form.requestSubmit();
  if (form?.hasAttribute('data-filter')) applyFilter(form);
});

// ---- the log

const applyFilter = (form) => {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  history.replaceState(null, '', query.size ? `/log?${query}` : '/log');
  refreshLog(true);
};

let filling = false;
let again = false;
const refreshLog = async (whole) => {
  if (filling) {
    again = true;
    return;
  }
  filling = true;
  try {
    const fresh = await fetchPage(location.pathname + location.search);
    const focused = document.activeElement?.closest?.('.log-row')?.id;
    byId('rows').replaceWith(document.adoptNode(fresh.querySelector('#rows')));
    if (whole) byId('detail').replaceWith(document.adoptNode(fresh.querySelector('#detail')));
    byId('split').className = fresh.querySelector('#split')?.className ?? byId('split').className;
    showTimes();
    if (focused) byId(focused)?.focus({ preventScroll: true });
    byId('log-live')?.classList.remove('lost');
  } catch {
    byId('log-live')?.classList.add('lost');
  } finally {
    filling = false;
    if (again) {
      again = false;
      refreshLog(false);
    }
  }
};

let following = null;
const followLog = () => {
  if (!byId('rows') || following) return;
  following = new EventSource('/log/live');
  // An older page stays as it is: it does not change.
  following.addEventListener('change', () => {
    if (byId('rows') && !new URLSearchParams(location.search).has('before')) refreshLog(false);
  });
  following.addEventListener('error', () => byId('log-live')?.classList.add('lost'));
};

document.addEventListener('click', (event) => {
  const entry = event.target.closest('.log-row, .detail-back a');
  if (entry && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    history.pushState(null, '', entry.getAttribute('href'));
    refreshLog(true);
    return;
  }
  const button = event.target.closest('[data-copy]');
  if (button) copy(button.dataset.copy, button);
  if (event.target.id === 'once-copy') copy(byId('once-value').textContent, event.target);
});

document.addEventListener('keydown', (event) => {
  const row = event.target.closest?.('.log-row');
  if (!row || !['ArrowDown', 'ArrowUp'].includes(event.key)) return;
  event.preventDefault();
  const rows = [...document.querySelectorAll('.log-row')];
  rows[rows.indexOf(row) + (event.key === 'ArrowDown' ? 1 : -1)]?.focus();
});

addEventListener('popstate', () => visit(location.pathname + location.search, true));
addEventListener('pagehide', () => following?.close());

const settle = () => {
  document.querySelector('.tabs [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' });
  showTimes();
  markRail();
  followLog();
};
setClock();
settle();
setInterval(showTimes, 1000);
