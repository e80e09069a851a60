//! The peer connection's news: descriptions, candidates, and whether media flows.

use super::*;

impl VideoCall {
    /// The offer or answer that was asked for, or why there is none.
    pub fn handle_description(
        &mut self,
        connection: ConnectionId,
        result: Result<String, peer::Error>,
        now: Time,
    ) {
        let Some(call) = self.call.as_mut().filter(|call| call.connection == Some(connection))
        else {
            return;
        };
        match (&call.stage, result) {
            (Stage::Up, result) => self.handle_new_description(result, now),
            (Stage::Offering, Ok(sdp)) => {
                // It waits for the gateway no longer than the devices might have taken.
                call.stage = Stage::Offered { sdp };
                self.dial_if_due(now);
            }
            (Stage::Answering, Ok(sdp)) => {
                call.stage = Stage::Answered { sdp };
                self.dial_if_due(now);
            }
            (Stage::Offering | Stage::Answering, Err(error)) => {
                let words = match error.is_of_connection() {
                    true => reason::MEDIA_FAILED,
                    false => reason::NO_DEVICE,
                };
                self.end(words, error.into(), Farewell::HangUp(words), now);
            }
            _ => {}
        }
    }

    /// A local candidate.
    pub fn handle_candidate(&mut self, connection: ConnectionId, candidate: Candidate, now: Time) {
        if self.call.as_ref().is_none_or(|call| call.connection != Some(connection)) {
            return;
        }
        let last = candidate == Candidate::End;
        self.candidates.candidates.push(candidate);
        if last {
            self.flush_candidates();
        } else if self.call.as_ref().is_some_and(Call::is_negotiating) {
            self.candidates.due.get_or_insert(now + BATCH);
        }
    }

    /// The peer connection came up, was lost or failed.
    pub fn handle_connection_state(
        &mut self,
        connection: ConnectionId,
        state: ConnectionState,
        now: Time,
    ) {
        let Some(call) = self.call.as_mut().filter(|call| call.connection == Some(connection))
        else {
            return;
        };
        call.connected = state == ConnectionState::Connected;
        match state {
            ConnectionState::Connected => {
                call.path.was_up = true;
                call.path.is_lost = false;
                if call.stage == Stage::Up && call.doom.is_none() {
                    call.deadline = None;
                }
            }
            _ if call.path.was_up && call.stage == Stage::Up => self.lose_path(state, now),
            ConnectionState::Disconnected => {}
            ConnectionState::Failed => self.end(
                reason::MEDIA_FAILED,
                peer::Error::NotConnected.into(),
                Farewell::HangUp(reason::MEDIA_FAILED),
                now,
            ),
        }
        self.tell_trouble();
    }

    /// Audio or video of the other side flows.
    pub fn handle_remote_media(&mut self, connection: ConnectionId) {
        let Some(call) = self.call.as_mut().filter(|call| call.connection == Some(connection))
        else {
            return;
        };
        call.flows = true;
        // Media may be faster than the gateway's word that the call is accepted.
        if call.stage == Stage::Up {
            let peer = call.peer.clone();
            self.event(Event::RemoteMedia(peer));
        }
    }
}
