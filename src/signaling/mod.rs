//! The gateway: its messages, its session and the way to it. No use case here.
//!
//! Follows the Janus API as Janus 1.1.2 speaks it. [`Session`] is the state machine: responses and
//! the time go in, requests and their results come out. It drives three parts: `requests`
//! (transactions and their deadlines), `transport` (how they travel, and how events arrive) and
//! `credentials` (what authorizes them). Neither of the first two knows the other's state, and only
//! the files of `transport` know HTTP.

mod backoff;
mod budget;
mod credentials;
mod error;
mod message;
mod redact;
mod requests;
mod session;
mod transport;

pub(crate) use backoff::Backoff;
pub use credentials::TokenRequest;
pub(crate) use error::given_up;
pub use error::{CoreCode, Error, InvalidAnswer};
pub use message::{Candidate, HandleId, Jsep, JsepKind, LONGEST_BODY, Notice, SessionId};
pub use requests::{Answer, TransactionId};
pub use session::{Output, Session};
pub use transport::{Doubt, HttpId, HttpRequest, HttpResponse, Io};

#[doc(hidden)]
pub use message::{Message, parse_batch};
