// The LIFF app's page: LINE's program first, then the path decides (PLATFORM 24.2). The address is left as LINE made it
// until the program has started.
(() => {
  "use strict";

  const page = document.getElementById("liff");
  const { liffId, root, report } = page.dataset;
  const csrf = document.querySelector("meta[name=csrf]").content;

  // Shows one of the page's parts.
  const show = (name) => {
    for (const part of page.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== name;
    page.removeAttribute("aria-busy");
  };

  // The path below the app's root: that of this page, or, before LINE's program led there, the one that it will lead to.
  const below = () => {
    const state = new URLSearchParams(location.search).get("liff.state");
    const path = state === null ? location.pathname.slice(root.length) : state.split(/[?#]/)[0];
    return path.split("/").filter(Boolean);
  };

  const send = async (body) => {
    const answer = await fetch(report, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": csrf },
      body: JSON.stringify(body),
    });
    if (!answer.ok) return false;
    return (await answer.json()).known;
  };

  // The operator's test: who opened it is told by LINE's signature, which the hub checks; this page is not believed.
  const test = async (run) => {
    if (!liff.isLoggedIn()) {
      liff.login({ redirectUri: location.href });
      return;
    }
    const known = await send({
      run,
      id_token: liff.getIDToken(),
      access_token: liff.getAccessToken(),
      share: liff.isApiAvailable("shareTargetPicker"),
    });
    show(known ? "tested" : "over");
  };

  const start = async () => {
    const [first, second] = below();
    const isTest = first === "test" && second;
    if (!window.liff) {
      show("trouble");
      return isTest && (await send({ run: second, error: "SDK_NOT_LOADED" }));
    }
    try {
      await liff.init({ liffId });
    } catch (error) {
      show("trouble");
      return isTest && (await send({ run: second, error: String(error.code ?? "UNKNOWN") }));
    }
    // LINE's program may have led here from the app's root; now the address is the final one.
    const [place, run] = below();
    if (place === "test" && run) return test(run);
    show("nothing");
  };

  start().catch(() => show("trouble"));
})();
