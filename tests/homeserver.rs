//! The homeserver through its one door, `Homeserver::fetch`.

mod support;

use neurite::{Config, Homeserver, client_api::Body};
use ruma::server_name;

tests! {
    async fn versions_are_told_and_unknown_endpoints_are_unrecognized() {
        let config = Config::new(server_name!("neurite.test").to_owned());
        let server = Homeserver::start(config, support::store().await).await.unwrap();
        for (method, path, status) in [
            ("GET", "/_matrix/client/versions", 200),
            ("GET", "/_matrix/client/v3/nothing", 404),
            ("POST", "/_matrix/client/versions", 405),
            ("OPTIONS", "/_matrix/client/v3/nothing", 200),
        ] {
            let request =
                http::Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let response = server.fetch(request).await;
            assert_eq!(response.status(), status, "{method} {path}");
            assert_eq!(response.headers()["access-control-allow-origin"], "*");
        }
    }
}
