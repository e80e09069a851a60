//! Blobs (W3C File API): the source of outgoing content and the storage of incoming content. A
//! browser may keep blobs on disk.

use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag};

use super::throwing::{Content, throwing};

/// Received bytes to collect before they become a blob. Until then they are in the page's memory.
const BATCH: u32 = 512 * 1024;

/// Reads a part of a blob.
pub(crate) async fn read(blob: &Blob, offset: u64, length: u64) -> Result<Vec<u8>, JsValue> {
    let end = offset.saturating_add(length);
    let part = blob.slice_with_f64_and_f64(offset as f64, end as f64)?;
    let buffer = JsFuture::from(throwing::<Content>(&part).array_buffer()?)
        .await?
        .dyn_into::<ArrayBuffer>()?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// Creates a blob from parts.
pub(crate) fn joined(parts: &Array, kind: Option<&str>) -> Result<Blob, JsValue> {
    let options = BlobPropertyBag::new();
    if let Some(kind) = kind {
        options.set_type(kind);
    }
    Blob::new_with_blob_sequence_and_options(parts, &options)
}

/// The received content of a transfer.
pub(crate) struct Arriving {
    blobs: Array,
    recent: Array,
    recent_bytes: u32,
}

impl Arriving {
    pub(crate) fn new() -> Self {
        Self { blobs: Array::new(), recent: Array::new(), recent_bytes: 0 }
    }

    /// Appends bytes. They are copied out of the module's memory at once, since that never shrinks.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        let bytes = Uint8Array::from(bytes);
        self.recent_bytes = self.recent_bytes.saturating_add(bytes.length());
        self.recent.push(&bytes);
        if self.recent_bytes >= BATCH { self.collect() } else { Ok(()) }
    }

    fn collect(&mut self) -> Result<(), JsValue> {
        let blob = joined(&self.recent, None)?;
        self.blobs.push(&blob);
        self.recent = Array::new();
        self.recent_bytes = 0;
        Ok(())
    }

    /// Joins the content into one blob.
    pub(crate) fn finish(mut self, kind: &str) -> Result<Blob, JsValue> {
        self.collect()?;
        joined(&self.blobs, Some(kind))
    }
}

/// Reads a blob as text.
pub(crate) async fn read_text(blob: &Blob) -> Result<String, JsValue> {
    let read = JsFuture::from(throwing::<Content>(blob).text()?).await?;
    read.as_string().ok_or(read)
}
