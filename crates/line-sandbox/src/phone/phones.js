// Several phones side by side: one event stream for all of them, phones added and removed without disturbing the others.
'use strict';

const row = byId('phones');
const shown = () => [...row.querySelectorAll('[data-user]')].map((phone) => phone.dataset.user);
const address = () => `/phones?users=${shown().join(',')}`;

let events;
const watch = () => {
  events?.close();
  events = shown().length && listen(`/phones/live?users=${shown().join(',')}`, ({ users }) => {
    for (const phone of row.querySelectorAll('[data-user]')) {
      if (users && !users.includes(phone.dataset.user)) continue;
      phone.querySelector('iframe').contentWindow.postMessage('change', location.origin);
    }
  });
};

byId('add-phone').addEventListener('submit', async (event) => {
  event.preventDefault();
  const who = event.target.elements.who.value.trim();
  const answer = await fetch(`/phones?users=${encodeURIComponent(who)}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('.one-phone');
  tell(fresh ? '' : byId('notice').dataset.nobody);
  if (!fresh || shown().includes(fresh.dataset.user)) return;
  row.append(document.adoptNode(fresh));
  document.querySelector('.empty')?.remove();
  event.target.reset();
  history.replaceState(null, '', address());
  watch();
});

taps.remove = (user) => {
  row.querySelector(`[data-user="${user}"]`).remove();
  history.replaceState(null, '', address());
  watch();
};

watch();
