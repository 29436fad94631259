// The frame of a LIFF app: sends it to its first address, and closes it when the app or the person says so.
'use strict';
{
  const frame = document.querySelector('iframe[data-src]');
  const close = () => location.assign(document.body.dataset.back);
  const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
  document.querySelector('#clock').textContent = time.format();
  // What stands after `#` in a LIFF address never reaches a server, so it joins here (PLATFORM 24.2).
  const url = new URL(frame.dataset.src);
  if (location.hash) url.searchParams.set('liff.state', (url.searchParams.get('liff.state') ?? '') + location.hash);
  url.hash = frame.dataset.secret;
  frame.src = url.href;
  window.addEventListener('message', (event) => {
    if (event.source === frame.contentWindow && event.data?.liff === 'close') close();
  });
  document.querySelector('#liff-close').addEventListener('click', close);
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
  });
}
