//! spec: client-server §Content repository

use http::{HeaderValue, Method, header};
use ruma::{
    api::{
        Metadata,
        client::{authenticated_media as media, media as legacy},
        path_builder::PathBuilder,
    },
    http_headers::{ContentDisposition, ContentDispositionType},
};

use super::{
    Incoming, Routes,
    api::{self, ClientApi},
};
use crate::{
    Error, Result, Services, enumerations,
    http::{Body, admit, caller, headers, parse, respond},
    media::{File, MAX_UPLOAD_SIZE, ThumbnailRequest},
    platform::Blob,
};

/// Set by the face of the homeserver, which takes it from every request that comes in with it: a
/// media element of our own origin asks, which can send no access token. Whoever runs script in
/// this origin can read the store anyway.
pub(crate) const SAME_ORIGIN_MEDIA: &str = "x-neurite-same-origin-media";

#[allow(deprecated, reason = "older clients ask at the older paths")]
pub(super) fn routes(routes: &mut Routes) {
    routes.add(create);
    routes.add(config);
    routes.add(legacy_config);
    routes.add_raw_for::<legacy::create_content::v3::Request>(upload);
    routes.add_raw_for::<legacy::create_content_async::v3::Request>(upload_to);
    let downloads = media::get_content::v1::Request::PATH_BUILDER
        .all_paths()
        .chain(media::get_content_as_filename::v1::Request::PATH_BUILDER.all_paths())
        .chain(legacy::get_content::v3::Request::PATH_BUILDER.all_paths())
        .chain(legacy::get_content_as_filename::v3::Request::PATH_BUILDER.all_paths());
    for path in downloads {
        routes.add_raw(Method::GET, path, download);
    }
    let thumbnails = media::get_content_thumbnail::v1::Request::PATH_BUILDER
        .all_paths()
        .chain(legacy::get_content_thumbnail::v3::Request::PATH_BUILDER.all_paths());
    for path in thumbnails {
        routes.add_raw(Method::GET, path, thumbnail);
    }
}

/// `POST /_matrix/media/v1/create`
async fn create(
    services: &Services,
    request: Incoming<legacy::create_mxc_uri::v1::Request>,
) -> Result<legacy::create_mxc_uri::v1::Response> {
    let (uri, expires) = services.media.create(&request.auth.user_id).await?;
    let mut response = legacy::create_mxc_uri::v1::Response::new(uri);
    response.unused_expires_at = Some(expires);
    Ok(response)
}

/// `GET /_matrix/client/v1/media/config`
async fn config(
    _: &Services,
    _: Incoming<media::get_media_config::v1::Request>,
) -> Result<media::get_media_config::v1::Response> {
    Ok(media::get_media_config::v1::Response::new(MAX_UPLOAD_SIZE.try_into().unwrap_or_default()))
}

/// `GET /_matrix/media/v3/config`
#[allow(deprecated, reason = "older clients ask here")]
async fn legacy_config(
    _: &Services,
    _: Incoming<legacy::get_media_config::v3::Request>,
) -> Result<legacy::get_media_config::v3::Response> {
    Ok(legacy::get_media_config::v3::Response::new(MAX_UPLOAD_SIZE.try_into().unwrap_or_default()))
}

/// `POST /_matrix/media/v3/upload`
async fn upload(
    services: &Services,
    request: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    let session =
        admit::<ClientApi, legacy::create_content::v3::Request>(services, &request).await?;
    let (head, body) = split(request);
    let asked = parse::<legacy::create_content::v3::Request>(&head, &[], &[])?;
    let content = body.into_blob();
    let uri = services
        .media
        .upload(&session.user_id, asked.content_type, asked.filename, content)
        .await?;
    let response = legacy::create_content::v3::Response::new(uri);
    respond(response)
}

/// `PUT /_matrix/media/v3/upload/{serverName}/{mediaId}`
async fn upload_to(
    services: &Services,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let session =
        admit::<ClientApi, legacy::create_content_async::v3::Request>(services, &request).await?;
    let (head, body) = split(request);
    let asked = parse::<legacy::create_content_async::v3::Request>(&head, &[], &args)?;
    services
        .media
        .upload_to(
            &session.user_id,
            &asked.server_name,
            &asked.media_id,
            asked.content_type,
            asked.filename,
            body.into_blob(),
        )
        .await?;
    let mut response = http::Response::new(Body::from(b"{}".to_vec()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`,
/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}`, and the deprecated
/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}` and
/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}/{fileName}`
#[allow(deprecated, reason = "older clients ask at the older paths")]
async fn download(
    services: &Services,
    request: http::Request<Body>,
    mut args: Vec<String>,
) -> Result<http::Response<Body>> {
    let (head, _) = split(request);
    may_read(services, &head).await?;
    let filename = (args.len() > 2).then(|| args.remove(2));
    if is_deprecated(&head) {
        parse::<legacy::get_content::v3::Request>(&head, &[], &args)?;
    }
    let asked = parse::<media::get_content::v1::Request>(&head, &[], &args)?;
    let caller = caller(&head);
    let (mut file, content) = services
        .media
        .download(&asked.server_name, &asked.media_id, asked.timeout_ms, &caller)
        .await?;
    file.filename = filename.or(file.filename);
    serve(&file, content)
}

/// `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}`, and the deprecated
/// `GET /_matrix/media/v3/thumbnail/{serverName}/{mediaId}`
#[allow(deprecated, reason = "older clients ask at the older paths")]
async fn thumbnail(
    services: &Services,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let (head, _) = split(request);
    may_read(services, &head).await?;
    if is_deprecated(&head) {
        parse::<legacy::get_content_thumbnail::v3::Request>(&head, &[], &args)?;
    }
    let asked = parse::<media::get_content_thumbnail::v1::Request>(&head, &[], &args)?;
    enumerations::check("method", &asked.method)?;
    let size = ThumbnailRequest::new(asked.width, asked.height, asked.method);
    let caller = caller(&head);
    let (file, content) = services
        .media
        .thumbnail(&asked.server_name, &asked.media_id, size, asked.timeout_ms, &caller)
        .await?;
    serve(&file, content)
}

/// Lets in who has an access token, and media elements of our own origin. The deprecated
/// endpoints are frozen for everybody else: no media here is older than the freeze.
async fn may_read(services: &Services, head: &http::Request<()>) -> Result<()> {
    if head.headers().contains_key(SAME_ORIGIN_MEDIA) {
        return Ok(());
    }
    let authenticated = api::sender(services, head).await;
    if authenticated.is_err() && is_deprecated(head) {
        return Err(Error::not_found("Media is served by /_matrix/client/v1/media only"));
    }
    authenticated.map(|_| ())
}

/// Whether a request is for one of the deprecated endpoints, which take more parameters.
fn is_deprecated(head: &http::Request<()>) -> bool {
    head.uri().path().starts_with("/_matrix/media/")
}

fn split(request: http::Request<Body>) -> (http::Request<()>, Body) {
    let (parts, body) = request.into_parts();
    (http::Request::from_parts(parts, ()), body)
}

/// The types that may be shown in place. spec: client-server §Serving inline content
const INLINE_CONTENT_TYPES: [&str; 26] = [
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
];

/// What is served for bytes of which nothing is known.
const BYTES: &str = "application/octet-stream";

/// Whether a browser runs what has this type, were it the source of a script. WHATWG mimesniff:
/// "JavaScript MIME type"
fn is_script(essence: &str) -> bool {
    ["javascript", "ecmascript", "jscript", "livescript"].iter().any(|of| essence.contains(of))
}

fn serve(file: &File, content: Blob) -> Result<http::Response<Body>> {
    let content_type = file.content_type.as_deref().unwrap_or(BYTES);
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let disposition = if INLINE_CONTENT_TYPES.contains(&essence.as_str()) {
        ContentDispositionType::Inline
    } else {
        ContentDispositionType::Attachment
    };
    let disposition = ContentDisposition::new(disposition).with_filename(file.filename.clone());
    // A file is not run by a page that lets scripts of its own origin run.
    let content_type = if is_script(&essence) { BYTES } else { content_type };
    let mut headers = headers::of_media();
    let content_type = content_type.parse().unwrap_or(HeaderValue::from_static(BYTES));
    headers.insert(header::CONTENT_TYPE, content_type);
    let unnamed = HeaderValue::from_static("attachment");
    let disposition = disposition.to_string().parse().unwrap_or(unnamed);
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::CONTENT_LENGTH, content.len().into());
    let mut response = http::Response::new(Body::Blob(content));
    *response.headers_mut() = headers;
    Ok(response)
}
