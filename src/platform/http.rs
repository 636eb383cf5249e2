//! Asking other servers. In a browser that is the browser's own `fetch`, by its rules: other
//! origins are read as far as they allow it (CORS), no cookies go along, and plain HTTP is out of
//! reach of a secure page. A native build has no client for it and reaches nobody.

use super::Blob;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where it came from in the end.
    pub url: String,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its content, or the beginning of it.
    pub content: Blob,
    /// Whether the content went on beyond the limit.
    pub cut: bool,
}

/// Asks for `url`, and reads at most a bit more than `limit` bytes. Dropping the future aborts.
///
/// # Errors
/// Why there is no answer, or that it is no success, in words.
#[cfg(not(target_arch = "wasm32"))]
pub async fn get(_: &str, _: u64) -> Result<Fetched, String> {
    Err("a native build asks nobody".to_owned())
}

/// Asks for `url`, and reads at most a bit more than `limit` bytes. Dropping the future aborts.
///
/// # Errors
/// Why there is no answer, or that it is no success, in words.
#[cfg(target_arch = "wasm32")]
pub async fn get(url: &str, limit: u64) -> Result<Fetched, String> {
    browser::get(url, limit).await.map_err(|cause| match cause.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => cause.as_string().unwrap_or_else(|| format!("{cause:?}")),
    })
}

/// Bytes as text, in an encoding by its label; natively only UTF-8 is known.
#[cfg(not(target_arch = "wasm32"))]
pub fn text(bytes: &[u8], _: &str) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Bytes as text, in an encoding by its label; UTF-8 when the browser does not know the label.
#[cfg(target_arch = "wasm32")]
pub fn text(bytes: &[u8], encoding: &str) -> String {
    let decoded = web_sys::TextDecoder::new_with_label(encoding)
        .and_then(|decoder| decoder.decode_with_u8_array(bytes));
    decoded.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(target_arch = "wasm32")]
use wasm_bindgen::JsCast;

#[cfg(target_arch = "wasm32")]
mod browser {
    use js_sys::{Array, Reflect, Uint8Array};
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{
        AbortController, BlobPropertyBag, ReadableStreamDefaultReader, ReferrerPolicy,
        RequestCredentials, RequestInit, Response, WorkerGlobalScope,
    };

    use super::Fetched;

    /// Ends a request that nobody waits for any more.
    struct Aborting(AbortController);

    impl Drop for Aborting {
        fn drop(&mut self) {
            self.0.abort();
        }
    }

    pub(super) async fn get(url: &str, limit: u64) -> Result<Fetched, JsValue> {
        let aborting = Aborting(AbortController::new()?);
        let init = RequestInit::new();
        init.set_credentials(RequestCredentials::Omit);
        init.set_referrer_policy(ReferrerPolicy::NoReferrer);
        init.set_signal(Some(&aborting.0.signal()));
        let scope: WorkerGlobalScope = js_sys::global().dyn_into()?;
        let response = JsFuture::from(scope.fetch_with_str_and_init(url, &init)).await?;
        let response: Response = response.dyn_into()?;
        if !response.ok() {
            return Err(format!("the answer is {}", response.status()).into());
        }
        let content_type = response.headers().get("content-type")?;
        let (parts, size) = read(&response, limit).await?;
        let options = BlobPropertyBag::new();
        options.set_type(content_type.as_deref().unwrap_or_default());
        let content = web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &options)?;
        Ok(Fetched {
            url: response.url(),
            content_type,
            content: content.into(),
            cut: size > limit,
        })
    }

    /// The parts of a body until they exceed `limit`, with their size together.
    async fn read(response: &Response, limit: u64) -> Result<(Array, u64), JsValue> {
        let parts = Array::new();
        let mut size = 0;
        let Some(body) = response.body() else { return Ok((parts, size)) };
        let reader: ReadableStreamDefaultReader = body.get_reader().dyn_into()?;
        while size <= limit {
            let part = JsFuture::from(reader.read()).await?;
            if Reflect::get(&part, &"done".into())?.is_truthy() {
                break;
            }
            let part: Uint8Array = Reflect::get(&part, &"value".into())?.dyn_into()?;
            size += u64::from(part.byte_length());
            parts.push(&part);
        }
        Ok((parts, size))
    }
}
