//! The gateway: its messages, its session and its long poll. No use case here.
//!
//! Follows the Janus REST API as Janus 1.1.2 speaks it. [`Session`] is the state machine: HTTP
//! answers and the time go in, HTTP requests and what became of them come out.

mod backoff;
mod budget;
mod credentials;
mod error;
mod message;
mod poll;
mod session;

pub(crate) use backoff::Backoff;
pub use credentials::TokenRequest;
pub use error::{CoreCode, Error, InvalidAnswer};
pub use message::{Candidate, HandleId, Jsep, JsepKind, LONGEST_BODY, Notice, SessionId};
pub use poll::Doubt;
pub(crate) use session::given_up;
pub use session::{Answer, HttpId, HttpRequest, HttpResponse, Output, Session, TransactionId};

#[doc(hidden)]
pub use message::{Message, parse_batch};
