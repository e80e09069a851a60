//! A user's actions on a page from outside: reloading, leaving and returning, losing the network.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::Result;
use crate::browser::Browser;
use crate::browser::chromium::Devtools;
use crate::browser::firefox::run_inside;
use crate::page::Page;

/// How long going back may take.
const BACK_LIMIT: Duration = Duration::from_secs(10);

impl Page {
    /// Reloads the page, which begins anew: its events are gone.
    pub async fn reload(&self) -> Result {
        self.client().refresh().await?;
        self.begin_anew();
        Ok(())
    }

    /// Goes to another page of the same tab, by address.
    pub async fn leave_for(&self, url: &str) -> Result {
        Ok(self.client().goto(url).await?)
    }

    /// Goes back in the tab's history. Says whether the page came out of the browser's memory,
    /// alive; if not, it has begun anew.
    pub async fn come_back(&self) -> Result<bool> {
        let left = self.client().current_url().await?;
        self.client().back().await?;
        let end = Instant::now() + BACK_LIMIT;
        while self.client().current_url().await? == left {
            ensure!(Instant::now() < end, "{} did not come back from {left}", self.name());
        }
        let shown = self
            .run(
                "await harness.until('the page is not shown', () => harness.shownAgain != null);
                 return harness.shownAgain",
            )
            .await?;
        let is_alive = shown == json!(true);
        if !is_alive {
            self.begin_anew();
        }
        Ok(is_alive)
    }

    /// Closes the tab, as a person does: the page's last listeners run. The page can be asked no
    /// more, and [`Rig::forget`](crate::Rig::forget) takes it out of the final inspection.
    pub async fn close_tab(&self) -> Result {
        // With its last tab Firefox quits, and says nothing for a page any more.
        if self.browser() == Browser::Firefox {
            self.client().new_window(true).await?;
        }
        Ok(self.client().close_window().await?)
    }

    /// Takes the network from the browser, or gives it back: requests fail, and the page hears
    /// `offline` and `online`. Media goes on, since WebRTC has its own ways.
    pub async fn offline(&self, is_offline: bool) -> Result {
        match self.browser() {
            Browser::Chromium => {
                let conditions = json!({
                    "offline": is_offline,
                    "latency": 0,
                    "downloadThroughput": -1,
                    "uploadThroughput": -1,
                });
                self.client().issue_cmd(Devtools("Network.enable", json!({}))).await?;
                let emulate = Devtools("Network.emulateNetworkConditions", conditions);
                self.client().issue_cmd(emulate).await?;
            }
            Browser::Firefox => {
                let set = "Services.io.offline = arguments[0]";
                run_inside(self.client(), set, vec![json!(is_offline)]).await?;
            }
        }
        let state: Value = self.run("return navigator.onLine").await?;
        ensure!(state == json!(!is_offline), "the browser says onLine = {state}");
        Ok(())
    }
}
