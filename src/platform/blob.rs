//! Large values, which in a browser never pass through the wasm memory.

use bytes::Bytes;

/// Why the bytes of a blob can't be had.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a blob can't be read: {0}")]
pub struct UnreadableBlob(String);

/// A large immutable value: natively bytes, in a browser a `Blob`, which the browser may keep on
/// disk. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Blob {
    #[cfg(not(target_arch = "wasm32"))]
    inner: Bytes,
    #[cfg(target_arch = "wasm32")]
    inner: web_sys::Blob,
}

#[cfg(not(target_arch = "wasm32"))]
impl Blob {
    /// A blob of these bytes.
    pub fn new(bytes: Bytes) -> Self {
        Self { inner: bytes }
    }

    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        self.inner.len() as u64
    }

    /// Its bytes.
    ///
    /// # Errors
    /// Never natively.
    pub async fn bytes(&self) -> Result<Bytes, UnreadableBlob> {
        Ok(self.inner.clone())
    }

    /// The type that it was made with; natively none is kept.
    pub fn content_type(&self) -> String {
        String::new()
    }
}

#[cfg(target_arch = "wasm32")]
impl Blob {
    /// A blob of these bytes.
    #[expect(clippy::expect_used, reason = "the constructor throws only for what are no parts")]
    pub fn new(bytes: Bytes) -> Self {
        let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(&*bytes));
        Self {
            inner: web_sys::Blob::new_with_u8_array_sequence(&parts).expect("one part of bytes"),
        }
    }

    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        self.inner.size() as u64
    }

    /// Its bytes, copied into the wasm memory.
    ///
    /// # Errors
    /// When the browser has lost them.
    pub async fn bytes(&self) -> Result<Bytes, UnreadableBlob> {
        let buffer = wasm_bindgen_futures::JsFuture::from(self.inner.array_buffer())
            .await
            .map_err(|cause| UnreadableBlob(format!("{cause:?}")))?;
        Ok(js_sys::Uint8Array::new(&buffer).to_vec().into())
    }

    /// The type that it was made with; may be empty.
    pub fn content_type(&self) -> String {
        self.inner.type_()
    }

    /// The browser's own object.
    pub fn as_web(&self) -> &web_sys::Blob {
        &self.inner
    }
}

#[cfg(target_arch = "wasm32")]
impl From<web_sys::Blob> for Blob {
    fn from(inner: web_sys::Blob) -> Self {
        Self { inner }
    }
}

impl Blob {
    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
