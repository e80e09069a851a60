//! The Rust API. The classes of [`crate::js`] are thin wrappers around it.

mod transfer;
mod video_call;
mod video_rtc;

pub use transfer::{Content, Outgoing, Transfer};
pub use video_call::{CallOptions, Events, Pending, Track, VideoCall};
pub use video_rtc::{Builder, UseCases, VideoRtc};

pub use crate::browser::event::{CallEvent, Direction, TransferState, TransferStatus};
pub use crate::browser::options::{DeviceKind, Elements, Source, StreamOptions};
pub use crate::error::{Code, Error};
pub use crate::event::Settings;
pub use crate::usecase::video_call::TransferId;
