//! The browser's monotonic clock and its cryptographic random generator.

use wasm_bindgen::prelude::*;

use crate::time::Time;

#[wasm_bindgen]
extern "C" {
    /// High Resolution Time, section 7.1.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    /// Web Cryptography API, section 10.1.1.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);
}

/// Milliseconds since the page began to load.
pub(crate) fn now() -> Time {
    Time::from_millis(performance_now() as u64)
}

/// 64 unpredictable bits.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}
