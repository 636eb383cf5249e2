//! Requests and responses, as JavaScript has them.

use std::cell::RefCell;

use http::{HeaderMap, HeaderName, HeaderValue};
use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::{Error, Result, http::Body, platform::Blob};

thread_local! {
    /// The headers of the last response, and what they are in JavaScript. Most responses have the
    /// same, and it takes longer to make these than all that a small request does.
    static LAST_HEADERS: RefCell<Option<(HeaderMap, Array)>> = const { RefCell::new(None) };
}

#[wasm_bindgen]
extern "C" {
    type FetchResponse;

    #[wasm_bindgen(method, setter)]
    fn set_status(this: &FetchResponse, status: u16);
    #[wasm_bindgen(method, setter)]
    fn set_headers(this: &FetchResponse, headers: Array);
    #[wasm_bindgen(method, setter)]
    fn set_body(this: &FetchResponse, body: JsValue);
}

/// A request of JavaScript's parts; `headers` are names and values in turn.
pub(super) fn read(
    method: &str,
    path: &str,
    headers: &[String],
    body: &JsValue,
) -> Result<http::Request<Body>> {
    let mut request = http::Request::builder()
        .method(method)
        .uri(path)
        .body(read_body(body))
        .map_err(|cause| Error::invalid_param(format!("The request is malformed: {cause}")))?;
    for header in headers.chunks_exact(2) {
        // What is no header for HTTP has no meaning in Matrix either.
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(&header[0]), HeaderValue::try_from(&header[1]))
        {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

fn read_body(body: &JsValue) -> Body {
    if let Some(text) = body.as_string() {
        Body::from(text.into_bytes())
    } else if let Some(bytes) = body.dyn_ref::<Uint8Array>() {
        Body::from(bytes.to_vec())
    } else if let Some(blob) = body.dyn_ref::<web_sys::Blob>() {
        Body::Blob(Blob::from(blob.clone()))
    } else {
        Body::empty()
    }
}

/// The `FetchResponse` that says the same.
pub(super) fn write(response: http::Response<Body>) -> JsValue {
    let (head, body) = response.into_parts();
    let response: FetchResponse = Object::new().unchecked_into();
    response.set_status(head.status.as_u16());
    response.set_headers(write_headers(head.headers));
    response.set_body(match body {
        Body::Bytes(bytes) if bytes.is_empty() => JsValue::UNDEFINED,
        Body::Bytes(bytes) => Uint8Array::from(&*bytes).into(),
        Body::Blob(blob) => blob.as_web().into(),
    });
    response.into()
}

/// Names and values in turn; nobody changes the array.
fn write_headers(headers: HeaderMap) -> Array {
    LAST_HEADERS.with_borrow_mut(|last| {
        if let Some((_, written)) = last.as_ref().filter(|(last, _)| *last == headers) {
            return written.clone();
        }
        let written = Array::new();
        for (name, value) in &headers {
            // Header values of Matrix are visible ASCII, except the file names of media, which are
            // percent-encoded.
            written.push(&name.as_str().into());
            written.push(&String::from_utf8_lossy(value.as_bytes()).as_ref().into());
        }
        *last = Some((headers, written.clone()));
        written
    })
}
