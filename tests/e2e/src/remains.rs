//! The resources that an idle page still holds: memory, objects, listeners, timers.

use anyhow::Context;
use serde_json::{Value, json};

use crate::Result;
use crate::browser::chromium::Devtools;
use crate::page::Page;

/// The resources of a page after garbage collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remains {
    /// The size of the WebAssembly module's memory, in bytes.
    pub linear_memory: u64,
    /// The used size of JavaScript's heap, in bytes.
    pub heap: u64,
    /// Peer connections and tracks of devices, open or not, that something still refers to.
    pub objects: u64,
    /// Listeners for events of all kinds.
    pub listeners: u64,
    /// Nodes of documents.
    pub nodes: u64,
    /// Pending `setTimeout` and `setInterval` timers.
    pub timers: u64,
}

impl Remains {
    /// Whether everything that is counted one by one, and not in bytes, is there as often as in
    /// `other`.
    pub fn counts_as(self, other: Self) -> bool {
        let counts = |of: Self| (of.objects, of.listeners, of.nodes, of.timers);
        counts(self) == counts(other)
    }
}

impl Page {
    /// Collects the garbage and counts what is left. Only Chromium tells.
    pub async fn remains(&self) -> Result<Remains> {
        self.ask("HeapProfiler.collectGarbage").await?;
        let own = "harness.objects = harness.objects.filter((one) => one.deref());
                   return {
                     linear: harness.memory.buffer.byteLength,
                     objects: harness.objects.length,
                     timers: harness.timers.size,
                   }";
        let own = self.run(own).await?;
        let heap = self.ask("Runtime.getHeapUsage").await?;
        let dom = self.ask("Memory.getDOMCounters").await?;
        let number = |of: &Value, key: &str| {
            of[key]
                .as_u64()
                .or_else(|| of[key].as_f64().map(|n| n as u64))
                .with_context(|| format!("{}: no {key} in {of}", self.name()))
        };
        Ok(Remains {
            linear_memory: number(&own, "linear")?,
            heap: number(&heap, "usedSize")?,
            objects: number(&own, "objects")?,
            listeners: number(&dom, "jsEventListeners")?,
            nodes: number(&dom, "nodes")?,
            timers: number(&own, "timers")?,
        })
    }

    async fn ask(&self, command: &'static str) -> Result<Value> {
        Ok(self.client().issue_cmd(Devtools(command, json!({}))).await?)
    }
}
