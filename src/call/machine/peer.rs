//! The peer connection's news: descriptions, candidates, and whether media flows.

use super::*;

impl Call {
    /// The offer or answer that was asked for, or why there is none.
    pub fn handle_description(
        &mut self,
        leg: LegId,
        result: Result<String, media::Error>,
        now: Time,
    ) {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.leg == Some(leg)) else { return };
        match (&talk.stage, result) {
            (Stage::Up, result) => self.handle_new_description(result, now),
            (Stage::Offering, Ok(sdp)) => {
                // It waits for the gateway no longer than the devices might have taken.
                talk.stage = Stage::Offered { sdp };
                self.dial_if_due(now);
            }
            (Stage::Answering, Ok(sdp)) => {
                talk.stage = Stage::Answered { sdp };
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
    pub fn handle_candidate(&mut self, leg: LegId, candidate: Candidate, now: Time) {
        if self.talk.as_ref().is_none_or(|talk| talk.leg != Some(leg)) {
            return;
        }
        let last = candidate == Candidate::End;
        self.candidates.candidates.push(candidate);
        if last {
            self.flush_candidates();
        } else if self.talk.as_ref().is_some_and(Talk::is_negotiating) {
            self.candidates.due.get_or_insert(now + BATCH);
        }
    }

    /// The peer connection came up, was lost or failed.
    pub fn handle_leg_state(&mut self, leg: LegId, state: LegState, now: Time) {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.leg == Some(leg)) else { return };
        talk.connected = state == LegState::Connected;
        match state {
            LegState::Connected => {
                talk.path.was_up = true;
                talk.path.is_lost = false;
                if talk.stage == Stage::Up && talk.doom.is_none() {
                    talk.deadline = None;
                }
            }
            _ if talk.path.was_up && talk.stage == Stage::Up => self.lose_path(state, now),
            LegState::Disconnected => {}
            LegState::Failed => self.end(
                reason::MEDIA_FAILED,
                media::Error::NotConnected.into(),
                Farewell::HangUp(reason::MEDIA_FAILED),
                now,
            ),
        }
        self.tell_trouble();
    }

    /// Audio or video of the other side flows.
    pub fn handle_remote_media(&mut self, leg: LegId) {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.leg == Some(leg)) else { return };
        talk.flows = true;
        // Media may be faster than the gateway's word that the call is accepted.
        if talk.stage == Stage::Up {
            let peer = talk.peer.clone();
            self.event(Event::RemoteMedia(peer));
        }
    }
}
