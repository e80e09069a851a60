//! Reports of the browser: descriptions, candidates, the media path and the data channels.

use super::*;
use crate::usecase::video_call::transfers::Transfers;

impl VideoCall {
    /// Drains the call's connection.
    pub(super) fn drain_connection(&mut self, now: Time) {
        while let Some((id, output)) = self.poll_connection() {
            match output {
                peer::Output::Command(command) => self.peer_command(id, command),
                peer::Output::Description(jsep) => self.handle_described(jsep, now),
                peer::Output::Candidates(candidates) => {
                    self.outputs.push_back(Output::Trickle(candidates));
                }
                peer::Output::Path(path) => self.handle_path(path, now),
                peer::Output::RemoteMedia => self.handle_remote_media(),
                // A video call does not request them.
                peer::Output::Stats(_) => {}
                peer::Output::Failed(error) => {
                    let reason = match error.is_of_connection() {
                        true => reason::MEDIA_FAILED,
                        false => reason::NO_DEVICE,
                    };
                    self.end(reason, error, now);
                }
                peer::Output::Log(level, line) => self.log(level, line),
            }
        }
    }

    fn poll_connection(&mut self) -> Option<(ConnectionId, peer::Output)> {
        let connection = self.call.as_mut()?.connection.as_mut()?;
        connection.poll_output().map(|output| (connection.id(), output))
    }

    /// The first offer or answer waits for the gateway. Later ones are sent at once.
    fn handle_described(&mut self, jsep: Jsep, now: Time) {
        let Some(call) = &mut self.call else { return };
        match (&call.stage, jsep) {
            (Stage::Offering, Jsep { sdp, .. }) => call.stage = Stage::Offered { sdp },
            (Stage::Answering, Jsep { sdp, .. }) => call.stage = Stage::Answered { sdp },
            (Stage::Up, Jsep { kind, sdp }) => {
                let jsep = Jsep { kind, sdp: call.transfers.announce(&sdp) };
                self.request(Purpose::Renegotiate, Request::renegotiate(), Some(jsep));
            }
            _ => {}
        }
        self.dial_if_due(now);
    }

    /// The gateway passed a new description on, or failed to.
    pub(super) fn handle_renegotiated(&mut self, result: Result<PluginEvent, Error>, now: Time) {
        let result = result.and_then(|event| match event {
            PluginEvent::Set => Ok(()),
            other => Err(Error::unexpected(&other)),
        });
        match result {
            Ok(()) => self.with_connection(Connection::handle_carried, now),
            Err(error) => {
                self.warn("a new description was not passed on", &error);
                self.with_connection(|connection| connection.handle_not_carried(now), now);
            }
        }
    }

    fn handle_path(&mut self, path: MediaPath, now: Time) {
        let Some(call) = &mut self.call else { return };
        call.is_interrupted = path == MediaPath::Lost;
        if call.stage == Stage::Up && call.remote_end.is_none() {
            match path {
                MediaPath::Up => self.timers.stop(Timer::Call),
                _ => self.timers.set(Timer::Call, now + self.config.connect_timeout),
            }
        }
        self.report_trouble();
    }

    /// Media may arrive before the event that the call is accepted. Then `establish` reports it.
    fn handle_remote_media(&mut self) {
        if let Some(call) = self.call.as_ref().filter(|call| call.stage == Stage::Up) {
            let peer = call.peer.clone();
            self.event(Event::RemoteMedia(peer));
        }
    }

    /// An event of the data channels.
    pub(super) fn read_channel(&mut self, id: ConnectionId, event: ChannelEvent, now: Time) {
        if self.call.as_mut().and_then(|call| call.connection(id)).is_none() {
            return;
        }
        if event == ChannelEvent::Closed {
            // Mostly the call has ended, and the gateway reports it a moment later.
            self.timers.set_once(Timer::DataEnd, now + teardown::LIMIT);
        }
        self.with_transfers(|transfers| transfers.handle_channel(event, now));
        if let Some(reason) =
            self.call.as_mut().map(|call| &mut call.transfers).and_then(Transfers::take_bye)
        {
            self.handle_hang_up(reason, HangUpNotice::FromPeer, now);
        }
    }
}
