//! Converts the result of `getStats()` (W3C "Identifiers for WebRTC's Statistics API") to the
//! core's counters.

use std::time::Duration;

use js_sys::{Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::RtcPeerConnection;

use super::throwing::{Connection, StatsReport, throwing};
use crate::peer::{CandidatePair, MediaStats, Stats, StreamStats};

/// The maximum of objects that are read. A browser gives some dozens.
const MAX_ENTRIES: usize = 4096;

/// Reads the counters of a connection. Those that the browser lacks are absent.
pub(crate) async fn read(connection: &RtcPeerConnection) -> Stats {
    // Without a report, everything is absent.
    let entries = entries(connection).await.unwrap_or_default();
    let mut stats = Stats { pair: pair(&entries), ..Stats::default() };
    for entry in &entries {
        let media = match entry.text("kind").as_deref() {
            Some("audio") => &mut stats.audio,
            Some("video") => &mut stats.video,
            _ => continue,
        };
        entry.add_to(media);
    }
    stats
}

async fn entries(connection: &RtcPeerConnection) -> Result<Vec<Entry>, JsValue> {
    let asked = throwing::<Connection>(connection).get_stats()?;
    let report = JsFuture::from(Promise::resolve(&asked)).await?;
    let mut entries = Vec::new();
    throwing::<StatsReport>(&report).for_each(&mut |entry| {
        if entries.len() < MAX_ENTRIES {
            entries.push(Entry(entry));
        }
    })?;
    Ok(entries)
}

/// One statistics object.
struct Entry(JsValue);

impl Entry {
    fn value(&self, key: &str) -> JsValue {
        Reflect::get(&self.0, &key.into()).unwrap_or_default()
    }

    fn text(&self, key: &str) -> Option<String> {
        self.value(key).as_string()
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.value(key).as_f64()
    }

    fn count(&self, key: &str) -> u64 {
        self.number(key).unwrap_or_default() as u64
    }

    fn seconds(&self, key: &str) -> Option<Duration> {
        self.number(key).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    fn is(&self, kind: &str) -> bool {
        self.text("type").as_deref() == Some(kind)
    }

    fn add_to(&self, media: &mut MediaStats) {
        if self.is("outbound-rtp") {
            let sent = media.sent.get_or_insert_default();
            sent.bytes = sent.bytes.saturating_add(self.count("bytesSent"));
            sent.packets = sent.packets.saturating_add(self.count("packetsSent"));
        } else if self.is("inbound-rtp") {
            let received = media.received.get_or_insert_default();
            received.bytes = received.bytes.saturating_add(self.count("bytesReceived"));
            received.packets = received.packets.saturating_add(self.count("packetsReceived"));
            self.add_losses_to(received);
        } else if self.is("remote-inbound-rtp") {
            self.add_losses_to(media.sent.get_or_insert_default());
        }
    }

    fn add_losses_to(&self, stream: &mut StreamStats) {
        if let Some(lost) = self.number("packetsLost") {
            stream.lost = Some(stream.lost.unwrap_or_default().saturating_add(lost as i64));
        }
        stream.jitter = stream.jitter.max(self.seconds("jitter"));
    }
}

/// The pair that ICE selected. In the standard, the transport refers to it. Firefox marks the pair
/// itself.
fn pair(entries: &[Entry]) -> Option<CandidatePair> {
    let by_id = |id: Option<String>| {
        let id = id?;
        entries.iter().find(|entry| entry.text("id").as_ref() == Some(&id))
    };
    let named = entries.iter().find_map(|entry| by_id(entry.text("selectedCandidatePairId")));
    let marked = || {
        let mut pairs = entries.iter().filter(|entry| entry.is("candidate-pair"));
        pairs.find(|pair| pair.value("selected").is_truthy())
    };
    let pair = named.or_else(marked)?;
    let [local, remote] =
        ["localCandidateId", "remoteCandidateId"].map(|key| by_id(pair.text(key)));
    let text = |candidate: Option<&Entry>, key: &str| {
        candidate.and_then(|candidate| candidate.text(key)).unwrap_or_default()
    };
    Some(CandidatePair {
        local_type: text(local, "candidateType"),
        remote_type: text(remote, "candidateType"),
        protocol: text(local, "protocol"),
        round_trip: pair.seconds("currentRoundTripTime"),
    })
}
