//! The common test rig: a gateway, a web server for the pages, browser drivers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use tokio::task::block_in_place;
use videortc_gateway::server::Faults;
use videortc_janus::Janus;

use crate::Result;
use crate::browser::{Browser, Devices, Driver};
use crate::gateway::{Gateway, GatewayKind};
use crate::page::Page;
use crate::site::Site;

/// Janus' own default.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// A gateway, the pages' web server and browsers' drivers; all end when it is dropped.
#[derive(Debug)]
pub struct Rig {
    drivers: Mutex<Vec<Arc<Driver>>>,
    site: Site,
    gateway: Mutex<Gateway>,
    pages: Mutex<Vec<Arc<Page>>>,
}

/// How a page is opened; the default is a page with camera and microphone at the rig's gateway.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Visitor {
    /// The browser; without it, the one that the environment asks for.
    pub browser: Option<Browser>,
    /// The devices of the machine.
    pub devices: Devices,
    /// `{ servers, iceServers, level, options }` of `new VideoRTC()`, all optional.
    pub rtc: Value,
    /// `{ dom, options }` of `videoCall()`, all optional; `dom` is "container", "elements" or
    /// "none".
    pub call: Value,
}

impl Visitor {
    /// A visitor with this browser, whatever the environment asks for.
    #[must_use]
    pub fn browser(mut self, browser: Browser) -> Self {
        self.browser = Some(browser);
        self
    }

    /// A visitor with other devices.
    #[must_use]
    pub fn devices(mut self, devices: Devices) -> Self {
        self.devices = devices;
        self
    }

    /// A visitor whose page makes its `VideoRTC` so.
    #[must_use]
    pub fn rtc(mut self, rtc: Value) -> Self {
        self.rtc = rtc;
        self
    }

    /// A visitor whose page makes its `videoCall()` so.
    #[must_use]
    pub fn call(mut self, call: Value) -> Self {
        self.call = call;
        self
    }
}

impl Rig {
    /// Starts everything; the gateway is the one that the environment asks for.
    pub async fn start() -> Result<Self> {
        Self::start_with(SESSION_TIMEOUT).await
    }

    /// As [`start`](Self::start), with a gateway that ends a session this long after its last
    /// activity, in whole seconds.
    pub async fn start_with(session_timeout: Duration) -> Result<Self> {
        let gateway = Gateway::start(GatewayKind::asked_for()?, session_timeout)?;
        let site = Site::start(&gateway.url()).await?;
        let (drivers, pages) = (Mutex::default(), Mutex::default());
        Ok(Self { drivers, site, gateway: Mutex::new(gateway), pages })
    }

    /// The gateway's address.
    pub fn gateway_url(&self) -> String {
        lock(&self.gateway).url()
    }

    /// The process of the gateway, where it has one of its own.
    pub fn gateway_pid(&self) -> Option<u32> {
        lock(&self.gateway).pid()
    }

    /// Ends the gateway and starts it again at the same address: it has forgotten everything.
    pub fn restart_gateway(&self) -> Result {
        lock(&self.gateway).restart()
    }

    /// Ends the gateway at once, as a crash does. [`restart_gateway`](Self::restart_gateway) brings
    /// it back.
    pub fn kill_gateway(&self) -> Result {
        block_in_place(|| lock(&self.gateway).janus().map(Janus::kill))
    }

    /// Stops the gateway: its connections stay open and nothing is answered.
    pub fn pause_gateway(&self) -> Result {
        block_in_place(|| lock(&self.gateway).janus()?.pause())
    }

    /// Lets a stopped gateway go on.
    pub fn resume_gateway(&self) -> Result {
        lock(&self.gateway).janus()?.resume()
    }

    /// How many sessions and handles the real Janus has.
    pub fn held_by_the_gateway(&self) -> Result<(usize, usize)> {
        lock(&self.gateway).held()
    }

    /// By this a test makes the embedded gateway misbehave.
    pub fn faults(&self) -> Result<Faults> {
        lock(&self.gateway).faults()
    }

    /// The address of a page that this rig serves, such as `/videocall/index.html`.
    pub fn site_url(&self, path: &str) -> String {
        self.site.url(path)
    }

    /// Opens a page of the rig's web server in a browser of its own.
    pub async fn browse(&self, name: &str, path: &str, devices: Devices) -> Result<Arc<Page>> {
        self.browse_in(Browser::asked_for()?, name, path, devices).await
    }

    async fn browse_in(
        &self,
        browser: Browser,
        name: &str,
        path: &str,
        devices: Devices,
    ) -> Result<Arc<Page>> {
        let client = self.driver(browser)?.open(devices).await?;
        client.goto(&self.site.url(path)).await?;
        let page = Arc::new(Page::new(name, browser, client));
        lock(&self.pages).push(Arc::clone(&page));
        Ok(page)
    }

    /// A driver that can open one more browser: a chromedriver opens many, a geckodriver one.
    fn driver(&self, browser: Browser) -> Result<Arc<Driver>> {
        let mut drivers = lock(&self.drivers);
        let reused = drivers.iter().find(|driver| driver.opens_many(browser));
        if let Some(driver) = reused {
            return Ok(Arc::clone(driver));
        }
        let driver = Arc::new(Driver::start(browser)?);
        drivers.push(Arc::clone(&driver));
        Ok(driver)
    }

    /// Opens the test page, which has loaded the library and done nothing with it.
    pub async fn open(&self, name: &str, devices: Devices) -> Result<Arc<Page>> {
        self.browse(name, "/index.html", devices).await
    }

    /// Opens the test page and goes as far as `connect()` and `videoCall()`.
    pub async fn attach(&self, name: &str, visitor: Visitor) -> Result<Arc<Page>> {
        let browser = visitor.browser.map_or_else(Browser::asked_for, Ok)?;
        let page = self.browse_in(browser, name, "/index.html", visitor.devices).await?;
        page.run(&format!("await harness.connect({})", object(&visitor.rtc))).await?;
        page.run(&format!("await harness.videoCall({})", object(&visitor.call))).await?;
        Ok(page)
    }

    /// Opens the test page and registers under this name.
    pub async fn register(&self, name: &str) -> Result<Arc<Page>> {
        self.register_as(name, Visitor::default()).await
    }

    /// As [`register`](Self::register), for a visitor with other devices or options.
    pub async fn register_as(&self, name: &str, visitor: Visitor) -> Result<Arc<Page>> {
        let page = self.attach(name, visitor).await?;
        page.run(&format!("await action.register({})", json!(name))).await?;
        page.expect("onRegistered", json!([name, true])).await?;
        Ok(page)
    }

    /// Opens a page that registers by janus.js, without this library. A `disguised` one says in its
    /// descriptions that it speaks the library's data protocol.
    pub async fn janus_js(&self, name: &str, disguised: bool) -> Result<Arc<Page>> {
        crate::site::peers()?;
        let page = self.browse(name, "/janus-js.html", Devices::default()).await?;
        page.run(format!("await action.register({}, {disguised})", json!(name))).await?;
        page.expect("onRegistered", json!([name, true])).await?;
        Ok(page)
    }

    /// Closes a page's browser, as a person closes a tab: nothing more is heard of it.
    pub async fn close(&self, page: Arc<Page>) -> Result {
        lock(&self.pages).retain(|other| !Arc::ptr_eq(other, &page));
        match Arc::try_unwrap(page) {
            Ok(page) => page.close().await,
            Err(page) => anyhow::bail!("{} is still in use", page.name()),
        }
    }

    /// Takes a page whose tab is closed out of the final inspection.
    pub fn forget(&self, page: &Arc<Page>) {
        lock(&self.pages).retain(|other| !Arc::ptr_eq(other, page));
    }

    /// The end of every test: each page must be clean, see [`Rig`]'s crate documentation.
    pub async fn finish(self) -> Result {
        let pages = std::mem::take(&mut *lock(&self.pages));
        for page in &pages {
            page.inspect().await?;
        }
        Ok(())
    }
}

/// Calls from one page to the other until it rings there; both then know of each other.
pub async fn ring(caller: &Page, callee: &Page) -> Result {
    caller.run(&format!("await action.call({})", json!(callee.name()))).await?;
    caller.expect("onCalling", json!([callee.name()])).await?;
    callee.expect("onIncomingCall", json!([caller.name()])).await
}

/// As [`ring`], to somebody whose call has only just ended, and who is busy for a moment yet. The
/// ends of the attempts that came too early are marked as read.
pub async fn ring_when_free(caller: &Page, callee: &Page) -> Result {
    caller.run(format!("await harness.callWhenFree({})", json!(callee.name()))).await?;
    caller.skip("onHangUp").await?;
    caller.expect("onCalling", json!([callee.name()])).await?;
    callee.expect("onIncomingCall", json!([caller.name()])).await
}

/// Calls, accepts, and waits until both ends say that the call is up.
pub async fn call(caller: &Page, callee: &Page) -> Result {
    ring(caller, callee).await?;
    accept(caller, callee).await
}

/// Accepts the call that rings, and waits until both ends say that it is up.
pub async fn accept(caller: &Page, callee: &Page) -> Result {
    callee.run("await action.acceptCall()").await?;
    caller.expect("onAccepted", json!([callee.name()])).await?;
    callee.expect("onAccepted", json!([caller.name()])).await
}

/// A test that panicked in another thread leaves its lock usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn object(value: &Value) -> Value {
    if value.is_null() { json!({}) } else { value.clone() }
}
