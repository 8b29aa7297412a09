//! The web UI: its pages, all of which are one, and the modules and styles that it is made of.
//!
//! Nothing is built: what stands in `ui/`, `vendor/` and the TypeScript client is served as it is. A build in debug mode reads it from
//! where it was built, so that a change is seen by loading the page again; a release has it within.

mod modules;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

use self::modules::Imports;
use crate::mcp::Doors;
use crate::{ApiError, ErrorCode, session};

#[derive(RustEmbed)]
#[folder = "ui/"]
struct Ui;

#[derive(RustEmbed)]
#[folder = "vendor/"]
#[include = "*.js"]
#[include = "*.css"]
#[exclude = "swagger-ui-dist/*"]
struct Vendor;

#[derive(RustEmbed)]
#[folder = "client/"]
#[include = "*.js"]
struct Client;

/// The addresses that lead to a page.
const PAGES: &[&str] = &["/", "/flows", "/executions", "/statistics", "/keys", "/users", "/audit"];

/// Where nothing comes from but this server: no script and no style within the page, no plugin, no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Stands for all that is served: it is another one in another version, so that browsers may keep what has it in its address.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    if cfg!(debug_assertions) {
        return "dev".to_owned();
    }
    let mut hasher = blake3::Hasher::new();
    for path in paths() {
        if let Some(file) = file(&path) {
            hasher.update(path.as_bytes());
            hasher.update(&file);
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
});

/// Which module imports which.
static IMPORTS: LazyLock<Imports> = LazyLock::new(|| Imports::read(&paths(), file));

/// Files as they are sent packed, by their paths.
static PACKED: LazyLock<Mutex<HashMap<String, Bytes>>> = LazyLock::new(Mutex::default);

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    for page in PAGES {
        config.route(page, web::get().to(page_of));
        if *page != "/" {
            config.route(&format!("{page}/{{rest:.*}}"), web::get().to(page_of));
        }
    }
    config.route("/flowtrail.js", web::get().to(embedded));
    config.route("/assets/{version}/{path:.*}", web::get().to(asset));
}

/// The paths of all files.
fn paths() -> Vec<String> {
    let of = |folder: &str, names: Vec<Cow<'static, str>>| {
        names.into_iter().map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
    };
    let mut all = of("ui", Ui::iter().collect());
    all.extend(of("vendor", Vendor::iter().collect()));
    all.extend(of("client", Client::iter().collect()));
    all.sort_unstable();
    all
}

fn file(path: &str) -> Option<Cow<'static, [u8]>> {
    let (folder, name) = path.split_once('/')?;
    let found = match folder {
        "ui" => Ui::get(name),
        "vendor" => Vendor::get(name),
        "client" => Client::get(name),
        _ => None,
    };
    found.map(|file| file.data)
}

/// The page, with the modules named in it that it needs at this address: browsers then need not find out one by one.
fn index(address: &str, query: &str) -> String {
    let assets = format!("/assets/{}", *VERSION);
    let roots = modules::roots(address, query);
    let fresh;
    let imports: &Imports = if cfg!(debug_assertions) {
        fresh = Imports::read(&paths(), file);
        &fresh
    } else {
        &IMPORTS
    };
    let preload: Vec<String> = imports
        .needed(&roots)
        .into_iter()
        .map(|path| format!("<link rel=\"modulepreload\" href=\"{assets}/{path}\" />"))
        .collect();
    let page = file("ui/index.html").unwrap_or_default();
    String::from_utf8_lossy(&page).replace("{assets}", &assets).replace("{preload}", &preload.join("\n    "))
}

/// Any page: what it shows is decided in the browser, by its address.
async fn page_of(request: HttpRequest, doors: web::Data<Doors>) -> Result<HttpResponse, ApiError> {
    doors.check_name(&request)?;
    let mut page = index(request.path(), request.query_string());
    if session::cookie_of(&request).is_some() {
        // Then it need not wait to be told that somebody is probably logged in.
        page = page.replace("<flowtrail-app>", "<flowtrail-app has-session>");
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("text/html; charset=utf-8")
        .body(page))
}

/// The components for other people's pages, at an address that stays.
async fn embedded() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("text/javascript; charset=utf-8")
        .body(format!("export * from '/assets/{}/ui/embed.js';\n", *VERSION))
}

async fn asset(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let path = request.match_info().get("path").unwrap_or_default();
    let version = request.match_info().get("version").unwrap_or_default();
    let missing = || ApiError::new(ErrorCode::NotFound, "there is nothing at this address");
    let (bytes, kind) = file(path).zip(kind_of(path)).ok_or_else(missing)?;
    let is_current = version == *VERSION && !cfg!(debug_assertions);
    let keep = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CACHE_CONTROL, keep))
        .insert_header((header::VARY, "Accept-Encoding"))
        // Pages of other origins may load the components; what they show needs a token.
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .content_type(kind);
    if !takes_gzip(&request) {
        return Ok(response.body(bytes.into_owned()));
    }
    response.insert_header((header::CONTENT_ENCODING, "gzip"));
    Ok(response.body(packed(path, &bytes)))
}

/// What kind of file it is; none for those that are not served.
fn kind_of(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(header::ACCEPT_ENCODING);
    accepted.map(HeaderValue::as_bytes).is_some_and(|value| memchr::memmem::find(value, b"gzip").is_some())
}

/// A file packed; once, unless it may change.
fn packed(path: &str, bytes: &[u8]) -> Bytes {
    if cfg!(debug_assertions) {
        return gzip(bytes);
    }
    let kept = || PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept().get(path) {
        return known.clone();
    }
    // Outside of the lock: the other workers need not wait, though two may do it at once.
    let packed = gzip(bytes);
    kept().insert(path.to_owned(), packed.clone());
    packed
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory has nothing to fail.
    let _ = encoder.write_all(bytes);
    Bytes::from(encoder.finish().unwrap_or_default())
}
