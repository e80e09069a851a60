// Whether the page is seen, stays, and has a network: what the browser says of it, while somebody must know.

// Returns a function that says whether somebody must; `input(method)` tells the module.
function createPresence(input) {
  let listening;

  function listen() {
    const { signal } = (listening = new AbortController());
    const on = (target, event, act) => target?.addEventListener(event, act, { signal });
    on(globalThis, "online", () => input("handleOnline"));
    on(navigator.connection, "change", () => input("handleOnline"));
    on(document, "visibilitychange", () => {
      if (!document.hidden) input("handleVisible");
    });
    on(globalThis, "pagehide", () => input("handleHide"));
    on(globalThis, "pageshow", ({ persisted }) => {
      if (persisted) input("handleShow");
    });
  }

  return (isWanted) => {
    if (isWanted && !listening) listen();
    if (!isWanted && listening) listening = listening.abort();
  };
}
