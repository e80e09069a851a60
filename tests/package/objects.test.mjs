// Pages detach our methods, wrap our objects in proxies, and extend the class.
// And where pages have libraries that change JavaScript's own objects, all works the same.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { here, open, openBrowser, project, serve, startGateway } from "./rig.mjs";

let browser, gateway, server, page;
before(async () => {
  [browser, gateway] = await Promise.all([openBrowser(), startGateway()]);
  server = await serve(await project("script-tag"));
  page = await open(browser, server.url);
  await page.addScriptTag({
    path: join(here, "node_modules/@vue/reactivity/dist/reactivity.global.js"),
  });
  await page.evaluate((url) => {
    window.GATEWAY = url;
  }, gateway.url);
});
after(async () => {
  assert.deepEqual(
    page?.said.filter((line) => line.startsWith("thrown")),
    [],
  );
  await browser?.close();
  await gateway?.close();
  await server?.close();
});

test("methods work when they are taken off their objects", async () => {
  const result = await page.evaluate(async () => {
    const { connect, disconnect, getDevices } = new VideoRTC(GATEWAY);
    const { videoCall } = await connect();
    const { register, getPeers, closeUsecase } = await videoCall();
    const name = await register();
    const isListed = (await getPeers(name)).includes(name);
    const kinds = (await getDevices({ kind: "videoinput" })).map(({ kind }) => kind);
    const button = document.createElement("button");
    button.onclick = closeUsecase;
    button.click();
    const { getDevices: list } = VideoRTC;
    return [isListed, new Set(kinds).size, (await list()).length > 0, await disconnect()];
  });
  assert.deepEqual(result, [true, 1, true, undefined]);
});

for (const [what, wrap] of [
  ["a plain proxy", "(object) => new Proxy(object, {})"],
  ["Vue's reactive()", "VueReactivity.reactive"],
  ["Vue's ref()", "(object) => VueReactivity.ref(object).value"],
  ["Vue's readonly()", "VueReactivity.readonly"],
  ["an object in Vue's reactive()", "(object) => VueReactivity.reactive({ object }).object"],
  ["Object.create()", "Object.create"],
]) {
  test(`methods work through ${what}`, async () => {
    const result = await page.evaluate(async (wrap) => {
      const wrapped = eval(wrap);
      const app = wrapped(new VideoRTC(GATEWAY));
      const usecases = wrapped(await app.connect());
      const action = wrapped(await usecases.videoCall());
      const name = await action.register();
      const isListed = (await action.getPeers()).includes(name);
      await app.disconnect();
      return isListed;
    }, wrap);
    assert.equal(result, true);
  });
}

test("a subclass that overrides methods works, plainly and through proxies", async () => {
  const result = await page.evaluate(async () => {
    const log = [];
    class Logged extends VideoRTC {
      connect() {
        log.push("connect");
        return super.connect();
      }

      async disconnect() {
        await super.disconnect();
        log.push("disconnected");
      }
    }
    class Timed extends Logged {
      connect = async () => {
        log.push("arrow");
        return super.connect();
      };
    }
    for (const app of [
      new Logged(GATEWAY),
      new Proxy(new Logged(GATEWAY), {}),
      VueReactivity.reactive(new Timed(GATEWAY)),
    ]) {
      const usecases = await app.connect();
      log.push(typeof usecases.videoCall, (await app.getDevices()).length > 0);
      await app.disconnect();
    }
    return log;
  });
  const each = ["connect", "function", true, "disconnected"];
  assert.deepEqual(result, [...each, ...each, "arrow", ...each]);
});

test("a wrong `this` is refused by a promise", async () => {
  const result = await page.evaluate(async () => {
    const { connect, disconnect } = VideoRTC.prototype;
    class Own extends VideoRTC {
      connect() {
        return super.connect();
      }
    }
    const { connect: unbound } = new Own(GATEWAY);
    const calls = [
      () => connect(),
      () => connect.call({}),
      () => disconnect.call(null),
      () => connect.call(7),
      () => unbound(),
    ];
    return Promise.all(
      calls.map((call) => call().catch(({ name, code, message }) => [name, code, message])),
    );
  });
  for (const [name, code, message] of result) {
    assert.deepEqual([name, code], ["VideoRTCError", "INVALID_ARGUMENT"]);
    assert.match(
      message,
      /^(dis)?connect\(\) was called on something that is no VideoRTC: call app\.(dis)?connect\(\)$/,
    );
  }
});

test("nothing of the module, and nothing that can be changed, is seen", async () => {
  const result = await page.evaluate(async () => {
    const app = new VideoRTC(GATEWAY);
    const own = [Object.keys(app), JSON.stringify(app), { ...app }];
    const usecases = await app.connect();
    const action = await usecases.videoCall();
    const members = [usecases, action].flatMap((object) => Reflect.ownKeys(object));
    const isSame = usecases === (await app.connect());
    await app.disconnect();
    const isStillSame = usecases === (await app.connect());
    await app.disconnect();
    return {
      own,
      members,
      isSame,
      isStillSame,
      isFrozen: [usecases, action].every(Object.isFrozen),
    };
  });
  assert.deepEqual(result.own, [[], "{}", {}]);
  assert(
    !result.members.some(
      (name) => typeof name !== "string" || /^(__|free$|constructor$)/.test(name),
    ),
  );
  assert.deepEqual([result.isSame, result.isStillSame, result.isFrozen], [true, true, true]);
});

test("a promise that the page ignores causes no unhandled rejection", async () => {
  const heard = await page.evaluate(async () => {
    const heard = [];
    addEventListener("unhandledrejection", ({ reason }) => heard.push(String(reason)));
    const app = new VideoRTC(GATEWAY, [], "none");
    const action = await (await app.connect()).videoCall();
    action.call("Tom");
    action.register(7);
    action.sendData("text/plain", "x");
    VideoRTC.getDevices(7);
    new VideoRTC(GATEWAY, 7).connect();
    VideoRTC.prototype.connect();
    const waiting = new VideoRTC(GATEWAY);
    waiting.connect();
    waiting.disconnect();
    await app.disconnect();
    // The browser tells of them when a task has ended.
    await new Promise((resolve) => setTimeout(resolve, 100));
    return heard;
  });
  assert.deepEqual(heard, []);
});

// As Prototype.js 1.7 and MooTools 1.6 have them, and worse.
function spoil() {
  Array.prototype.toJSON = function () {
    return `[${this.join()}]`;
  };
  String.prototype.toJSON = function () {
    return `"${this}"`;
  };
  Array.from = (item) =>
    item == null ? [] : typeof item === "object" && "length" in item ? item : [item];
  Function.prototype.bind = function (object) {
    const method = this;
    return () => method.apply(object);
  };
  Object.prototype.clone = function () {
    return this;
  };
  Element.prototype.remove = function () {
    this.parentNode.removeChild(this);
    return this;
  };
}

// Runs in the page beside such libraries. It tells by the console how far it is: Playwright's
// waiting needs what they have spoiled.
async function talkSpoiled(name, peer) {
  const clean = [Array.from, Function.prototype.bind, Element.prototype.remove];
  spoil();
  const videos = document.body.appendChild(document.createElement("div"));
  let moving, over;
  const isMoving = new Promise((resolve) => {
    moving = resolve;
  });
  const isOver = new Promise((resolve) => {
    over = resolve;
  });
  const heard = [];
  try {
    const app = new VideoRTC([GATEWAY], [{ urls: ["stun:127.0.0.1:9"] }]);
    const usecases = await app.connect();
    const action = await usecases.videoCall(
      {
        onIncomingCall: () => action.acceptCall(),
        onRemoteStreamReady: () => moving(),
        onDataReceived: (type, data) => heard.push(data),
        onHangUp: (userName, reason) => over(reason),
      },
      { videos },
      { dataChannel: { allowedTypes: ["text/plain"] } },
    );
    heard.push(await action.register(name));
    console.log("registered");
    if (peer) await action.call(peer);
    await isMoving;
    if (peer) {
      await action.sendData("text/plain", "hello");
      await action.hangUp("bye");
    }
    heard.push(await isOver);
    await app.disconnect();
    heard.push(videos.childElementCount);
  } catch (error) {
    heard.push(`${error}`);
  }
  [Array.from, Function.prototype.bind, Element.prototype.remove] = clean;
  for (const { prototype } of [Array, String]) delete prototype.toJSON;
  delete Object.prototype.clone;
  console.log(`heard: ${heard.join()}`);
}

test("beside libraries that change Array.from, toJSON and bind, two pages call each other", async () => {
  const pages = [];
  const ends = [];
  for (const call of [`"Ann"`, `"Tom", "Ann"`]) {
    const page = await open(browser, server.url);
    const says = (start) =>
      page.waitForEvent("console", (message) => message.text().startsWith(start));
    const isRegistered = says("registered");
    pages.push(page);
    ends.push(says("heard"));
    await page.addScriptTag({
      content: `window.GATEWAY = "${gateway.url}"; ${spoil} ${talkSpoiled} talkSpoiled(${call});`,
    });
    await isRegistered;
  }
  const heard = (await Promise.all(ends)).map((message) => message.text());
  assert.deepEqual(heard, ["heard: Ann,hello,bye,0", "heard: Tom,bye,0"]);
  for (const page of pages) {
    assert.deepEqual(
      page.said.filter((line) => line.startsWith("thrown")),
      [],
    );
    await page.context().close();
  }
});
