//! The Rust API. The classes of [`crate::js`] are thin wrappers around it.

mod echo_test;
mod events;
mod handle;
mod pending;
mod transfer;
mod video_call;
mod video_rtc;

pub use echo_test::{EchoOptions, EchoTest};
pub use events::Events;
pub use pending::Pending;
pub use transfer::{Content, Outgoing, Transfer};
pub use video_call::{CallOptions, Track, VideoCall};
pub use video_rtc::{Builder, UseCases, VideoRtc};

pub use crate::browser::event::{CallEvent, Direction, EchoEvent, TransferState, TransferStatus};
pub use crate::browser::options::{DeviceKind, Elements, Source, StreamOptions};
pub use crate::data::Policy;
pub use crate::error::{Code, Error};
pub use crate::peer::CandidatePair;
pub use crate::usecase::echo_test::{
    DataReport, Direction as MediaDirection, MediaReport, Report as EchoReport,
};
pub use crate::usecase::video_call::{Settings, TransferId};
