use std::cell::RefCell;

use ruma::{server_name, user_id};
use serde_json::json;

use super::*;
use crate::{
    platform::Blob,
    store::{
        Direction, KeyRange, Options, Store,
        memory::{Disk, Fault},
    },
};

const DAY: u64 = 24 * 60 * 60 * 1000;
const PAGE_URL: &str = "https://example.org/blog/post?x=1";

/// A web in which a page and some pictures are, and which remembers what was asked for.
struct Web {
    page: &'static str,
    content_type: &'static str,
    asked: RefCell<Vec<String>>,
}

impl Web {
    fn new(page: &'static str) -> Self {
        Self { page, content_type: "text/html; charset=UTF-8", asked: RefCell::default() }
    }

    async fn get(&self, url: &str, limit: u64) -> Result<Fetched, String> {
        self.asked.borrow_mut().push(url.to_owned());
        let (content_type, content) = match url {
            url if url.starts_with(PAGE_URL) => (self.content_type, self.page.as_bytes()),
            "https://example.org/blog/picture.png" => ("image/png", &b"a small picture"[..]),
            "https://example.org/large.png" => ("image/png", &[0; PICTURE as usize + 1][..]),
            "https://example.org/text.png" => ("text/plain", &b"no picture"[..]),
            _ => return Err("there is no such server".to_owned()),
        };
        Ok(Fetched {
            url: url.to_owned(),
            content_type: Some(content_type.to_owned()),
            content: Blob::new(content.to_vec().into()),
            cut: content.len() as u64 > limit,
        })
    }
}

async fn media() -> Media {
    let name = server_name!("neurite.test").to_owned();
    let store = Store::open_memory(&Disk::new(), Options::default()).await.unwrap();
    Media::open(store, name).await.unwrap()
}

async fn preview(media: &Media, web: &Web, url: &str) -> Result<Map<String, Value>> {
    let get = async |url: &str, limit| web.get(url, limit).await;
    media.preview_by(user_id!("@alice:neurite.test"), url, &Caller::default(), get).await
}

/// What is said of a page.
async fn said(page: &'static str) -> Value {
    preview(&media().await, &Web::new(page), PAGE_URL).await.unwrap().into()
}

fn status(outcome: Result<Map<String, Value>>) -> u16 {
    outcome.unwrap_err().into_response().status().as_u16()
}

fn test(body: impl Future<Output = ()>) {
    platform::run(body);
}

#[test]
fn a_page_says_what_it_is_by_open_graph_or_by_its_title() {
    test(async {
        let page = r#"<!doctype html><html><head><title>A &amp; B
            &mdash; the site</title>
            <meta name=description content='All &quot;of&quot; it'>
            <meta property="og:site_name" content="The site">
            <meta property="OG:Type" content="article"><meta property="og:type" content="other">
            </head><body><svg><title>Icon</title></svg>"#;
        assert_eq!(
            said(page).await,
            json!({
                "og:title": "A & B — the site",
                "og:description": "All \"of\" it",
                "og:site_name": "The site",
                "og:type": "article",
            })
        );
        let page = r#"<meta name="og:title" content="The post"><title>Site</title>
            <script>"<meta property='og:description' content='of a script'>"</script>
            <!-- <meta property="og:locale" content="of a comment"> --><meta property="og:url">"#;
        assert_eq!(said(page).await, json!({ "og:title": "The post" }));
        for empty in ["", "no HTML", "<title>  </title>", "<title", "<meta property=og:title"] {
            assert_eq!(said(empty).await, json!({}), "{empty}");
        }
    });
}

#[test]
fn no_page_is_too_deep_and_no_text_too_long() {
    test(async {
        let deep: &str = Box::leak("<div>".repeat(100_000).into_boxed_str());
        assert_eq!(said(deep).await, json!({}));
        let long = format!("<title>{}</title>", "ab ".repeat(1000));
        let long = said(Box::leak(long.into_boxed_str())).await;
        assert_eq!(long["og:title"].as_str().unwrap().chars().count(), 1000);
    });
}

#[test]
fn a_picture_becomes_media() {
    test(async {
        let web = Web::new(
            r#"<meta property="og:image" content="picture.png">
            <meta property="og:image:width" content="48"><meta property="og:image:height" content="x">
            <meta property="og:image:type" content="image/gif"><meta property="og:image:alt" content="It">"#,
        );
        let media = media().await;
        let mut data = preview(&media, &web, PAGE_URL).await.unwrap();
        let uri = data.remove("og:image").unwrap();
        assert_eq!(
            Value::from(data),
            json!({
                "og:image:type": "image/png",
                "og:image:width": 48,
                "og:image:alt": "It",
                "matrix:image:size": 15,
            })
        );
        let media_id = uri.as_str().unwrap().strip_prefix("mxc://neurite.test/").unwrap();
        let (file, content) = media
            .download(server_name!("neurite.test"), media_id, Duration::ZERO, &Caller::default())
            .await
            .unwrap();
        assert_eq!(file.content_type.as_deref(), Some("image/png"));
        assert_eq!(content.bytes().await.unwrap(), "a small picture");

        // A picture is its own preview.
        let data = preview(&media, &web, "https://example.org/blog/picture.png").await.unwrap();
        assert_eq!(data["matrix:image:size"], 15);
    });
}

#[test]
fn a_picture_that_cannot_be_had_is_left_out() {
    test(async {
        for page in [
            r#"<title>T</title><meta property="og:image" content="https://nowhere.test/a.png">"#,
            r#"<title>T</title><meta property="og:image" content="/large.png">"#,
            r#"<title>T</title><meta property="og:image" content="/text.png">
               <meta property="og:image:width" content="1">"#,
            r#"<title>T</title><meta property="og:image" content="data:image/png;base64,AAAA">"#,
            r#"<title>T</title><meta property="og:image" content="https://[">"#,
        ] {
            assert_eq!(said(page).await, json!({ "og:title": "T" }), "{page}");
        }
    });
}

#[test]
fn what_is_no_page_or_cannot_be_had() {
    test(async {
        let media = media().await;
        let web = Web { content_type: "application/pdf", ..Web::new("%PDF") };
        assert_eq!(Value::from(preview(&media, &web, PAGE_URL).await.unwrap()), json!({}));
        assert_eq!(status(preview(&media, &web, "https://nowhere.test/").await), 502);
        for url in ["", "nothing", "ftp://example.org/", "data:text/html,x", "https://"] {
            assert_eq!(status(preview(&media, &web, url).await), 400, "{url}");
        }
        // Neither names nor fragments are sent.
        let url = PAGE_URL.replace("https://", "https://name:word@") + "#part";
        preview(&media, &web, &url).await.unwrap();
        assert!(web.asked.borrow().iter().all(|url| !url.contains(['@', '#'])));
    });
}

#[test]
fn of_many_previews_the_oldest_go_with_their_pictures() {
    test(async {
        let media = media().await;
        let web = Web::new(r#"<meta property="og:image" content="picture.png">"#);
        let store = &media.inner.store;
        let rows = async |table: Table| {
            let all = KeyRange::all();
            store.scan(table, all, Direction::Forward, usize::MAX).await.unwrap().len()
        };
        for number in 0..MOST + 3 * CHECKED_EVERY {
            preview(&media, &web, &format!("{PAGE_URL}&{number}")).await.unwrap();
            let previews = rows(Table::UrlPreviews).await;
            assert!(previews < MOST + CHECKED_EVERY, "{previews}");
            assert_eq!(rows(Table::Media).await, previews);
        }
    });
}

#[test]
fn a_preview_is_kept_and_goes_with_its_picture() {
    test(async {
        let media = media().await;
        let web = Web::new(r#"<meta property="og:image" content="picture.png">"#);
        let first = preview(&media, &web, PAGE_URL).await.unwrap();
        assert_eq!(preview(&media, &web, PAGE_URL).await.unwrap(), first);
        assert_eq!(web.asked.borrow().len(), 2);
        let now = platform::unix_millis();
        media.expire_previews(now + DAY).await.unwrap();
        assert_eq!(preview(&media, &web, PAGE_URL).await.unwrap(), first);
        media.expire_previews(now + 3 * DAY).await.unwrap();
        let media_id = first["og:image"].as_str().unwrap().rsplit('/').next().unwrap();
        let gone = media
            .download(server_name!("neurite.test"), media_id, Duration::ZERO, &Caller::default())
            .await;
        assert_eq!(gone.unwrap_err().into_response().status(), 404);
        let store = &media.inner.store;
        assert!(store.blob(&crate::media::blob_id(media_id)).await.unwrap().is_none());
        for table in [Table::UrlPreviews, Table::Media, Table::MediaUploads] {
            let rows = store.scan(table, KeyRange::all(), Direction::Forward, 1).await.unwrap();
            assert!(rows.is_empty(), "{table:?}");
        }
        assert_ne!(preview(&media, &web, PAGE_URL).await.unwrap(), first);
    });
}

#[test]
fn a_preview_is_kept_with_its_picture_or_not_at_all() {
    test(async {
        for after in 0.. {
            let disk = Disk::new();
            let open = async || Store::open_memory(&disk, Options::default()).await.unwrap();
            let name = server_name!("neurite.test").to_owned();
            let media = Media::open(open().await, name.clone()).await.unwrap();
            let before = disk.operations();
            disk.fault_after(after, Fault::KillAfter);
            let web = Web::new(r#"<meta property="og:image" content="picture.png">"#);
            // It fails where it was killed.
            let _ = preview(&media, &web, PAGE_URL).await;
            let whole = disk.operations() <= before + after;
            disk.kill();
            let store = open().await;
            Media::open(store.clone(), name).await.unwrap();
            let rows = async |table| {
                let all = KeyRange::all();
                store.scan(table, all, Direction::Forward, usize::MAX).await.unwrap().len()
            };
            assert_eq!(rows(Table::Media).await, rows(Table::UrlPreviews).await, "{after}");
            if whole {
                assert_eq!(rows(Table::Media).await, 1);
                break;
            }
        }
    });
}

#[test]
fn what_nobody_waits_for_is_not_asked_for_to_its_end_and_not_kept() {
    test(async {
        let media = media().await;
        let (caller, waiting) = Caller::new();
        let never = async |_: &str, _: u64| std::future::pending().await;
        let asked = media.preview_by(user_id!("@alice:neurite.test"), PAGE_URL, &caller, never);
        let leaving = async {
            platform::next_turn().await;
            drop(waiting);
        };
        let (outcome, ()) = futures::join!(asked, leaving);
        assert_eq!(status(outcome), 502);
        let web = Web::new("<title>There</title>");
        assert_eq!(preview(&media, &web, PAGE_URL).await.unwrap().len(), 1);
    });
}
