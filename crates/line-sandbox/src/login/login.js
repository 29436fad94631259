// The pages of Login: one posts itself back to the app, one tells the page around it how a dialog ended.
'use strict';
document.querySelector('form[data-submit-at-once]')?.submit();
{
  const done = document.querySelector('[data-dialog-status]');
  if (done) window.parent.postMessage({ liff: 'dialog', status: done.dataset.dialogStatus }, '*');
}
