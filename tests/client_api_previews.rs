//! URL previews, as far as they can be asked for here: what is made of a page is told beside
//! `media::previews`.

#[macro_use]
mod support;

use serde_json::json;
use support::client::{Client, server};

fn path(url: &str) -> String {
    let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
    format!("/_matrix/client/v1/media/preview_url?url={url}")
}

tests! {
    async fn previews_are_made_of_web_addresses_for_users() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let guest = Client::anonymous(&server).post("/v3/register?kind=guest", json!({})).await;
        let guest = Client::anonymous(&server).logged_in(&guest.ok());
        let get = async |client: &Client, path: String| client.send("GET", &path, None).await;
        for wrong in ["", "page", "ftp://example.org/", "javascript:1", "mxc://neurite.test/a"] {
            get(&alice, path(wrong)).await.fails(400, "M_INVALID_PARAM");
        }
        let nowhere = "https://nowhere.invalid/";
        get(&Client::anonymous(&server), path(nowhere)).await.fails(401, "M_MISSING_TOKEN");
        get(&guest, path(nowhere)).await.fails(403, "M_GUEST_ACCESS_FORBIDDEN");
        // No browser finds it, and a native build asks nobody.
        get(&alice, path(nowhere)).await.fails(502, "M_UNKNOWN");
        let older = path(nowhere).replace("client/v1/media", "media/v3");
        get(&alice, older).await.fails(502, "M_UNKNOWN");
    }
}
