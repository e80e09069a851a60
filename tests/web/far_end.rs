//! The peer: a real peer connection in the same page, behind the scripted gateway.

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use web_sys::{
    MediaStream, RtcIceCandidateInit, RtcPeerConnection, RtcPeerConnectionIceEvent, RtcSdpType,
    RtcSessionDescriptionInit,
};

use super::gateway::Gateway;
use super::page::{camera, fulfilled, get, js, text, tracks, until};

/// `PEER`, with a camera and a microphone.
pub(crate) struct FarEnd {
    connection: RtcPeerConnection,
    camera: MediaStream,
    on_candidate: Option<Closure<dyn FnMut(RtcPeerConnectionIceEvent)>>,
}

impl FarEnd {
    pub(crate) async fn new() -> Self {
        let connection = RtcPeerConnection::new().unwrap();
        Self { connection, camera: camera().await, on_candidate: None }
    }

    /// Sends its candidates through the gateway, as Janus does.
    fn trickle(&mut self, push: impl Fn(Value) + 'static) {
        let on_candidate = Closure::new(move |event: RtcPeerConnectionIceEvent| {
            let found = event.candidate().filter(|found| !found.candidate().is_empty());
            push(found.map_or(json!({ "completed": true }), |found| {
                json!({
                    "candidate": found.candidate(),
                    "sdpMid": found.sdp_mid(),
                    "sdpMLineIndex": found.sdp_m_line_index(),
                })
            }));
        });
        self.connection.set_onicecandidate(Some(on_candidate.as_ref().unchecked_ref()));
        self.on_candidate = Some(on_candidate);
    }

    fn send(&self) {
        for track in tracks(&self.camera) {
            self.connection.add_track_0(&track, &self.camera);
        }
    }

    async fn set_remote(&self, kind: RtcSdpType, sdp: &str) {
        let description = RtcSessionDescriptionInit::new(kind);
        description.set_sdp(sdp);
        fulfilled(self.connection.set_remote_description(&description)).await;
    }

    async fn take_candidates(&self, gateway: &Gateway) {
        for candidate in gateway.candidates().await {
            let init = RtcIceCandidateInit::new(candidate["candidate"].as_str().unwrap());
            init.set_sdp_mid(candidate["sdpMid"].as_str());
            let add =
                self.connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
            fulfilled(add).await;
        }
    }

    /// Answers the page's call.
    pub(crate) async fn answer(&mut self, gateway: &Gateway) {
        let offer = gateway.request("call").await;
        self.trickle(gateway.candidate_pusher());
        self.set_remote(RtcSdpType::Offer, offer.sdp()).await;
        self.send();
        let answer = fulfilled(self.connection.create_answer()).await;
        fulfilled(self.connection.set_local_description(answer.unchecked_ref())).await;
        gateway.pick_up(&text(&answer, "sdp"));
        self.take_candidates(gateway).await;
    }

    /// Calls the page. Sends its candidates immediately, before the page has accepted.
    pub(crate) async fn call(&mut self, gateway: &Gateway) {
        self.send();
        let offer = fulfilled(self.connection.create_offer()).await;
        gateway.ring(&text(&offer, "sdp"));
        self.trickle(gateway.candidate_pusher());
        fulfilled(self.connection.set_local_description(offer.unchecked_ref())).await;
    }

    /// Whether it has sent all of its candidates.
    pub(crate) fn has_gathered(&self) -> bool {
        text(&self.connection, "iceGatheringState") == "complete"
    }

    /// Takes the page's answer to its call, and the page's candidates.
    pub(crate) async fn accepted(&self, gateway: &Gateway) {
        self.take_answer(gateway).await;
        self.take_candidates(gateway).await;
    }

    /// Takes the page's answer to its call, without candidates.
    pub(crate) async fn take_answer(&self, gateway: &Gateway) {
        let answer = gateway.request("accept").await;
        self.set_remote(RtcSdpType::Answer, answer.sdp()).await;
    }

    /// Waits until the page's video is decoded here, or its audio arrives.
    pub(crate) async fn receives(&self, kind: &'static str) {
        let read: js_sys::Function = js(READ_RECEIVED).unchecked_into();
        let received = js("{ audio: 0, video: 0 }");
        until(&format!("{kind} at the far end"), || {
            read.call2(&JsValue::UNDEFINED, &self.connection, &received).unwrap();
            get(&received, kind).as_f64().unwrap() > 0.0
        })
        .await;
    }
}

/// Reads the decoded frames and the received audio packets, a moment later.
const READ_RECEIVED: &str = "async (connection, received) => {
    for (const stats of (await connection.getStats()).values()) {
        if (stats.type === 'inbound-rtp') {
            received[stats.kind] = stats.kind === 'video' ? stats.framesDecoded : stats.packetsReceived;
        }
    }
}";

impl Drop for FarEnd {
    fn drop(&mut self) {
        self.connection.set_onicecandidate(None);
        self.connection.close();
        tracks(&self.camera).iter().for_each(web_sys::MediaStreamTrack::stop);
    }
}
