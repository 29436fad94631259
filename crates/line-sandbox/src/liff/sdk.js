// The sandbox's stand-in for LINE's LIFF client: the same calls, answers and error codes (PLATFORM 24.3), against the sandbox that
// served this script. LINE's own client cannot be pointed elsewhere; put this script in its place while you develop:
//   <script src="http://127.0.0.1:8090/liff/sdk.js"></script>
(() => {
  'use strict';
  const SANDBOX = new URL(document.currentScript.src).origin;
  const VERSION = '2.27.2';
  // The sandbox opens an app in a frame with a name of its own for each visit; what is stored belongs to that visit.
  const FRAME = /^liff-[0-9a-f]{32}$/.test(window.name) && window.parent !== window ? window.name : '';

  class LiffError extends Error {
    constructor(code, message) {
      super(message);
      this.name = 'LiffError';
      this.code = code;
    }
  }
  const refuse = (code, message) => {
    throw new LiffError(code, message);
  };

  let app = null; // What the sandbox says of the app and the visit.
  let inClient = false;
  let readyNow;
  const ready = new Promise((resolve) => {
    readyNow = resolve;
  });

  // -- what is kept between pages -------------------------------------------------------------------------------------------
  const store = () => (inClient ? sessionStorage : localStorage);
  const key = (name) => `LIFF_STORE:${FRAME ? `${FRAME}:` : ''}${liff.id}:${name}`;
  const keep = (name, value) => (value ? store().setItem(key(name), value) : store().removeItem(key(name)));
  const kept = (name) => store().getItem(key(name));

  // -- calls -----------------------------------------------------------------------------------------------------------------
  const CODES = { 400: '400', 401: '401', 403: '403', 429: '429', 500: '500' };
  async function call(path, { method = 'GET', body, form, token = kept('accessToken') } = {}) {
    const headers = {};
    if (token) headers.authorization = `Bearer ${token}`;
    if (body) headers['content-type'] = 'application/json';
    let answer;
    try {
      answer = await fetch(SANDBOX + path, { method, headers, body: body ? JSON.stringify(body) : form && new URLSearchParams(form) });
    } catch (error) {
      refuse('UNKNOWN', String(error));
    }
    const text = await answer.text();
    const value = text ? JSON.parse(text) : {};
    if (!answer.ok) refuse(CODES[answer.status] ?? 'UNKNOWN', value.message ?? value.error_description ?? answer.statusText);
    return value;
  }

  const base64url = (bytes) =>
    btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
  const decode = (part) => {
    const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  };
  const isBelow = (address, endpoint) => {
    const [url, root] = [new URL(address, location.href), new URL(endpoint)];
    const path = root.pathname.replace(/\/$/, '');
    return url.origin === root.origin && (url.pathname === path || url.pathname.startsWith(`${path}/`));
  };

  // -- opening ---------------------------------------------------------------------------------------------------------------
  async function init(config, onSuccess, onError) {
    try {
      await open(config);
      readyNow();
      onSuccess?.();
    } catch (error) {
      onError?.(error);
      throw error;
    }
  }

  async function open(config) {
    if (!config || typeof config.liffId !== 'string' || !config.liffId) refuse('INVALID_CONFIG', 'liffId is necessary for liff.init()');
    liff.id = config.liffId;
    inClient = FRAME !== '';
    const here = new URL(location.href);
    const hash = new URLSearchParams(here.hash.slice(1));
    if (inClient && hash.has('access_token')) {
      // The primary redirect: LINE hands over the tokens in the address.
      keep('accessToken', hash.get('access_token'));
      keep('IDToken', hash.get('id_token'));
      for (const name of ['access_token', 'id_token', 'client_id']) hash.delete(name);
    }
    here.hash = hash.toString() ? `#${hash}` : '';
    let facts;
    try {
      facts = await call(`/liff/v2/apps/${encodeURIComponent(liff.id)}`, { token: null });
    } catch (error) {
      refuse('INIT_FAILED', `Failed to init LIFF: ${error.message}`);
    }
    if (!isBelow(location.href, facts.endpointUrl)) {
      console.warn(`liff.init() was called with a current URL that is not related to the endpoint URL: ${location.href} is not under ${facts.endpointUrl}`);
    }
    if (!inClient && here.searchParams.has('code') && here.searchParams.has('liffClientId')) await exchange(here);
    if (kept('accessToken')) {
      try {
        facts = await call(`/liff/v2/apps/${encodeURIComponent(liff.id)}`);
      } catch (error) {
        // The token is over: outside LINE one logs in again, inside one opens the app again.
        forget();
        if (inClient) refuse('INIT_FAILED', `Failed to init LIFF: ${error.message}`);
      }
    }
    app = facts;
    const state = here.searchParams.get('liff.state');
    if (state !== null) {
      here.searchParams.delete('liff.state');
      const [, path, query, fragment] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(state);
      const target = new URL(app.endpointUrl);
      target.pathname = target.pathname.replace(/\/$/, '') + (path && !path.startsWith('/') ? `/${path}` : path);
      if (!path) target.pathname = new URL(app.endpointUrl).pathname;
      for (const [name, value] of new URLSearchParams(query ?? '')) target.searchParams.append(name, value);
      target.hash = fragment ?? '';
      if (target.pathname !== here.pathname || target.origin !== here.origin) {
        // The secondary redirect; this page goes away, so `init` never resolves on it.
        location.replace(target);
        await new Promise(() => {});
      }
      history.replaceState(history.state, '', target);
    } else if (here.href !== location.href) {
      history.replaceState(history.state, '', here);
    }
    if (!inClient && config.withLoginOnExternalBrowser && !isLoggedIn()) {
      login();
      await new Promise(() => {});
    }
  }

  /** The code of `liff.login()` for tokens, by PKCE and without a secret. */
  async function exchange(here) {
    const [verifier, state] = [kept('codeVerifier'), kept('loginState')];
    const given = here.searchParams;
    const redirect = given.get('liffRedirectUri') ?? '';
    if (verifier && state === given.get('state')) {
      const tokens = await call('/oauth2/v2.1/token', {
        method: 'POST',
        token: null,
        form: {
          grant_type: 'authorization_code',
          client_id: given.get('liffClientId'),
          appId: liff.id,
          code: given.get('code'),
          code_verifier: verifier,
          redirect_uri: redirect,
          id_token_key_type: 'JWK',
        },
      });
      keep('accessToken', tokens.access_token);
      keep('IDToken', tokens.id_token);
    }
    keep('codeVerifier');
    keep('loginState');
    for (const name of ['code', 'state', 'liffClientId', 'liffRedirectUri', 'friendship_status_changed', 'error', 'error_description']) given.delete(name);
  }

  const needsInit = () => app ?? refuse('INVALID_CONFIG', 'liff.init() was not called with a current liffId');
  const needsLogin = () => {
    needsInit();
    if (!isLoggedIn()) refuse('UNAUTHORIZED', 'Need access_token for api call, Please login first');
  };
  const needsScope = (scope) => {
    needsLogin();
    if (!(app.granted ?? []).includes(scope)) refuse('FORBIDDEN', `user doesn't grant required permissions yet`);
  };

  // -- who -------------------------------------------------------------------------------------------------------------------
  function isLoggedIn() {
    return Boolean(liff.id && kept('accessToken'));
  }

  async function login(options = {}) {
    needsInit();
    if (inClient) return;
    const redirectUri = options.redirectUri ?? location.href;
    const [verifier, state] = [random(), random()];
    const challenge = base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))));
    keep('codeVerifier', verifier);
    keep('loginState', state);
    const query = new URLSearchParams({
      app_id: liff.id,
      redirect_uri: new URL(redirectUri, location.href).href.split('#')[0],
      response_type: 'code',
      state,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    location.assign(`${SANDBOX}/liff/v1/authorize?${query}`);
  }

  function forget() {
    keep('accessToken');
    keep('IDToken');
  }

  function logout() {
    if (!liff.id) return;
    const token = kept('accessToken');
    if (token && app && !inClient) {
      call('/oauth2/v2.1/revoke', { method: 'POST', form: { client_id: app.channelId, access_token: token } }).catch(() => {});
    }
    forget();
  }

  const getAccessToken = () => (liff.id ? kept('accessToken') : null);
  const getIDToken = () => (liff.id ? kept('IDToken') : null);
  function getDecodedIDToken() {
    const token = getIDToken();
    return token ? decode(token.split('.')[1]) : null;
  }

  async function getProfile() {
    needsScope('profile');
    return call('/v2/profile');
  }

  async function getFriendship() {
    needsScope('profile');
    return call('/friendship/v1/status');
  }

  function getContext() {
    if (!app) return null;
    const on = (permission) => ({ permission, minVer: '10.3.0' });
    const context = {
      type: app.type ?? 'external',
      liffId: app.liffId,
      viewType: app.viewType,
      endpointUrl: app.endpointUrl,
      permanentLinkPattern: app.permanentLinkPattern,
      scope: app.scope,
      availability: {
        shareTargetPicker: on(app.shareTargetPicker),
        multipleLiffTransition: on(true),
        subwindowOpen: on(false),
        scanCode: on(app.scanCode),
        scanCodeV2: on(app.scanCode),
        addToHomeScreen: on(false),
      },
      miniDomainAllowed: false,
    };
    if (app.userId) context.userId = app.userId;
    if (app.accessTokenHash) context.accessTokenHash = app.accessTokenHash;
    return context;
  }

  // -- messages --------------------------------------------------------------------------------------------------------------
  function checkMessages(messages) {
    if (!Array.isArray(messages)) refuse('INVALID_ARGUMENT', "Parameter 'messages' must be an array");
    if (messages.length < 1 || messages.length > 5) refuse('INVALID_ARGUMENT', 'Number of messages should be in range 1 to 5.');
  }

  async function sendMessages(messages) {
    needsLogin();
    checkMessages(messages);
    await call('/message/v3/share', { method: 'POST', body: { messages } });
  }

  async function shareTargetPicker(messages, options = {}) {
    needsLogin();
    checkMessages(messages);
    const status = await dialog({ messages, isMultiple: options.isMultiple ?? true });
    if (status === 'success') return { status };
    return undefined;
  }

  async function requestFriendship() {
    needsLogin();
    // LINE does not tell how it went either.
    await dialog({ friendship: true });
  }

  /** Opens one of the sandbox's pages over this one and waits for what it says. */
  async function dialog(request) {
    const { path, expiresInMs } = await call('/liff/v2/dialogs', { method: 'POST', body: request }).catch((error) =>
      refuse(error.code === '403' ? 'FORBIDDEN' : error.code === '400' ? 'INVALID_ARGUMENT' : error.code, error.message),
    );
    const frame = document.createElement('iframe');
    frame.src = SANDBOX + path;
    frame.title = 'LINE';
    Object.assign(frame.style, {
      position: 'fixed', inset: '0', width: '100%', height: '100%', border: '0', zIndex: '2147483647', colorScheme: 'normal', background: '#fff',
    });
    const before = document.activeElement;
    document.body.append(frame);
    frame.focus();
    let hear;
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new LiffError('EXCEPTION_IN_SUBWINDOW', 'the dialog was open for too long')), expiresInMs);
        hear = (event) => {
          if (event.origin !== SANDBOX || event.source !== frame.contentWindow || event.data?.liff !== 'dialog') return;
          if (event.data.status === 'gone') reject(new LiffError('EXCEPTION_IN_SUBWINDOW', 'the dialog is over'));
          else resolve(event.data.status);
        };
        window.addEventListener('message', hear);
      });
    } finally {
      clearTimeout(timer);
      window.removeEventListener('message', hear);
      frame.remove();
      before?.focus?.();
    }
  }

  // -- the window ------------------------------------------------------------------------------------------------------------
  /** LINE's addresses of LIFF apps are the sandbox's here. */
  const ours = (address) => new URL(address, location.href).href.replace(/^https:\/\/(liff|miniapp)\.line\.me\//, `${SANDBOX}/liff/`);

  function openWindow(params) {
    needsInit();
    if (!params || typeof params.url !== 'string' || !params.url) refuse('INVALID_ARGUMENT', 'params.url is invalid');
    window.open(ours(params.url), '_blank');
  }

  function closeWindow() {
    if (!inClient) {
      window.close();
      return;
    }
    const done = () => window.parent.postMessage({ liff: 'close' }, SANDBOX);
    call('/liff/v2/close', { method: 'POST', body: {} }).then(done, done);
  }

  const getOS = () => {
    if (/iPhone|iPad|iPod/.test(navigator.userAgent)) return 'ios';
    if (/Android/.test(navigator.userAgent)) return 'android';
    return FRAME ? 'ios' : 'web';
  };

  function isApiAvailable(name) {
    switch (name) {
      case 'shareTargetPicker':
        return Boolean(app?.shareTargetPicker && isLoggedIn());
      case 'scanCode':
      case 'scanCodeV2':
        return Boolean(app?.scanCode);
      case 'multipleLiffTransition':
        return inClient;
      case 'requestFriendship':
        return Boolean(app && app.viewType === 'full' && isLoggedIn());
      case 'permission':
        return Boolean(app);
      default:
        return typeof liff[name] === 'function' && name !== 'subwindowOpen';
    }
  }

  /** There is no camera here: the code's text is asked for. */
  async function scanCodeV2() {
    needsInit();
    if (!app.scanCode) refuse('FORBIDDEN', 'scanCodeV2 is not allowed in this LIFF app');
    return { value: window.prompt('scanCodeV2') };
  }

  const permission = {
    async query(name) {
      needsInit();
      if (!['profile', 'openid', 'email', 'chat_message.write'].includes(name)) refuse('INVALID_ARGUMENT', 'unexpected permission name');
      if (!app.scope.includes(name)) return { state: 'unavailable' };
      return { state: (app.granted ?? []).includes(name) ? 'granted' : 'prompt' };
    },
    async requestAll() {
      needsLogin();
      if (!inClient) refuse('FORBIDDEN', 'liff.permission.requestAll() works in LINE only');
      // Everything was asked for before the app opened.
      if (!app.scope.every((scope) => (app.granted ?? []).includes(scope))) refuse('FORBIDDEN', 'not all permissions are granted');
    },
    getGrantedAll: async () => [...(app?.granted ?? [])],
  };

  const permanentLink = {
    createUrl() {
      needsInit();
      return permanentLink.of(location.href);
    },
    async createUrlBy(address) {
      needsInit();
      return permanentLink.of(address);
    },
    of(address) {
      if (!isBelow(address, app.endpointUrl)) refuse('INVALID_ARGUMENT', 'the address must start with the endpoint URL of the LIFF app');
      const [url, root] = [new URL(address), new URL(app.endpointUrl)];
      url.searchParams.delete('liff.state');
      const rest = url.pathname.slice(root.pathname.replace(/\/$/, '').length);
      return `${SANDBOX}/liff/${liff.id}${rest === '/' ? '' : rest}${url.search}${url.hash}`;
    },
  };

  const liff = {
    id: null,
    ready,
    init,
    login,
    logout,
    isLoggedIn,
    isInClient: () => FRAME !== '',
    isSubWindow: () => false,
    isApiAvailable,
    getOS,
    getLanguage: () => navigator.language,
    getAppLanguage: () => app?.language ?? navigator.language,
    getVersion: () => VERSION,
    getLineVersion: () => (FRAME ? '15.12.0' : null),
    getContext,
    getAccessToken,
    getIDToken,
    getDecodedIDToken,
    getProfile,
    getFriendship,
    requestFriendship,
    sendMessages,
    shareTargetPicker,
    openWindow,
    closeWindow,
    scanCodeV2,
    permission,
    permanentLink: { createUrl: permanentLink.createUrl, createUrlBy: permanentLink.createUrlBy },
    /** Plugins get the client; LINE's own options are passed on. */
    use(plugin, option) {
      const given = plugin.install({ liff, hooks: {} }, option);
      if (given !== undefined) liff[`$${plugin.name}`] = given;
      return liff;
    },
  };
  window.liff = liff;
})();
