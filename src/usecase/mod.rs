//! What can be done in a session. Each folder is one plugin of the gateway; none knows another.

pub mod video_call;
