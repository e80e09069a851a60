// Whether the page is seen, stays, and has a network: what the browser says of it, while somebody must know.

// Returns a function that says whether somebody must; `input(name)` tells the module.
function createPresence(input) {
  let listening;

  function listen() {
    const { signal } = (listening = new AbortController());
    const on = (target, event, act) => target?.addEventListener(event, act, { signal });
    on(globalThis, "online", () => input("online"));
    on(navigator.connection, "change", () => input("online"));
    on(document, "visibilitychange", () => {
      if (!document.hidden) input("visible");
    });
    on(globalThis, "pagehide", () => input("hide"));
    on(globalThis, "pageshow", ({ persisted }) => {
      if (persisted) input("show");
    });
  }

  return (isWanted) => {
    if (isWanted && !listening) listen();
    if (!isWanted && listening) listening = listening.abort();
  };
}
