//! Files and other content: made, read a slice at a time, and put together from parts. Nothing of it
//! stands whole in the module's memory: it is in the browser's blobs (W3C File API).

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::object::set;

/// How many bytes of parts are put into one blob. A browser may keep a blob on disk; what is not in one
/// is in the page's memory.
const BATCH: usize = 512 * 1024;

/// A blob that holds `content`: a string, an `ArrayBuffer`, a view of one, or a blob.
pub(crate) fn blob_of(content: &JsValue) -> Result<Blob, JsValue> {
    Blob::new_with_u8_array_sequence(&Array::of1(content))
}

/// The bytes of a blob from `offset` on.
pub(super) async fn read(blob: &Blob, offset: u64, length: u64) -> Result<Vec<u8>, JsValue> {
    let end = offset.saturating_add(length);
    let slice = blob.slice_with_f64_and_f64(offset as f64, end as f64)?;
    let bytes = JsFuture::from(slice.array_buffer()).await?;
    Ok(Uint8Array::new(&bytes).to_vec())
}

/// A blob's content as a string.
pub(super) async fn text(blob: &Blob) -> Result<JsValue, JsValue> {
    JsFuture::from(blob.text()).await
}

/// The parts of a content that is arriving.
#[derive(Default)]
pub(super) struct Parts {
    blobs: Array,
    recent: Array,
    recent_bytes: usize,
}

impl Parts {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.recent.push(&Uint8Array::from(bytes));
        self.recent_bytes = self.recent_bytes.saturating_add(bytes.len());
        if self.recent_bytes >= BATCH { self.collect() } else { Ok(()) }
    }

    fn collect(&mut self) -> Result<(), JsValue> {
        let recent = std::mem::take(&mut self.recent);
        self.recent_bytes = 0;
        self.blobs.push(&Blob::new_with_u8_array_sequence(&recent)?.into());
        Ok(())
    }

    /// The whole, as a blob of this type.
    pub(super) fn finish(mut self, kind: &str) -> Result<Blob, JsValue> {
        self.collect()?;
        let options = Object::new();
        set(&options, "type", &kind.into());
        Blob::new_with_blob_sequence_and_options(&self.blobs, options.unchecked_ref())
    }
}
