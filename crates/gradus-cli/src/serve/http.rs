//! HTTP: requests in, responses out, and the rules for all of them: who may send requests, how large they
//! may be, how long they may take, and what a browser may do with a response.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::guard::{Guard, Refusal};
use super::model::{self, Served};
use super::samples::{self, SampleCache};
use super::state::{Event, SharedState};
use super::{assets, runs, saving};
use crate::run::output::with_causes;

const MOST_CONNECTIONS: usize = 300;
const MOST_STREAMS: usize = 100;
const MOST_JSON: usize = 64 << 10;
const MOST_IMAGE: usize = 8 << 20;

/// Timeout for the headers of a request, and for its body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a stream without events sends a comment, so that both sides notice a broken connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Content security policy: the page may load only what this server serves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: \
                      blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// State shared by the handlers.
pub(super) struct Site {
    pub(super) shared: Arc<SharedState>,
    pub(super) guard: Guard,
    page: String,
    samples: SampleCache,
    streams: AtomicUsize,
}

impl Site {
    pub(super) fn new(shared: Arc<SharedState>, guard: Guard) -> Site {
        let (samples, streams) = (SampleCache::default(), AtomicUsize::new(0));
        Site { shared, guard, page: assets::index(), samples, streams }
    }
}

type Shared = State<Arc<Site>>;

/// An error response.
struct Problem(StatusCode, String);

type Answer<T = Json<Value>> = Result<T, Problem>;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Problem {
        Problem(StatusCode::BAD_REQUEST, with_causes(&error))
    }
}

/// Accepts connections and serves them.
pub(super) async fn accept(listener: TcpListener, site: Arc<Site>) {
    let (router, permits) = (router(site), Arc::new(Semaphore::new(MOST_CONNECTIONS)));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let Ok((connection, _)) = listener.accept().await else {
            // Out of file handles, or the client has already disconnected: try again later.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Events are small and should arrive immediately.
        let _ = connection.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT);
            // Errors of a broken connection cannot be reported to the client.
            let _ = http.serve_connection(TokioIo::new(connection), service).await;
            drop(permit);
        });
    }
}

fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/{name}", get(asset))
        .route("/api/state", get(state))
        .route("/api/events", get(events))
        .route("/api/model", post(choose_model))
        .route("/api/answer", post(answer))
        .route("/api/samples", get(list_samples))
        .route("/api/runs", post(start_run))
        .route("/api/runs/{id}", get(run))
        .route("/api/runs/{id}/{act}", post(act))
        .fallback(async || {
            Problem(StatusCode::NOT_FOUND, "there is nothing at this address".into())
        })
        .method_not_allowed_fallback(async || {
            Problem(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here".into())
        })
        .layer(from_fn_with_state(site.clone(), guarded))
        .with_state(site)
}

/// Rejects what the guard rejects, and adds the headers of every response.
async fn guarded(State(site): Shared, request: Request, next: Next) -> Response {
    let mut response = match refusal(&site, &request) {
        None => next.run(request).await,
        Some(refused) => refused,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refusal(site: &Site, request: &Request) -> Option<Response> {
    let (enters, headers) = (request.uri().path() == "/", request.headers());
    Some(match site.guard.check(request.method(), headers, enters).err()? {
        Refusal::Foreign(why) => Problem(StatusCode::FORBIDDEN, why).into_response(),
        Refusal::NoToken if enters && request.method() == Method::GET => {
            enter(&site.guard, request.uri())
        }
        Refusal::NoToken => {
            let why = "the token is missing: open the address that gradus printed";
            Problem(StatusCode::UNAUTHORIZED, why.into()).into_response()
        }
    })
}

/// Moves the token from the URL to a cookie, so that it does not stay in the address bar.
fn enter(guard: &Guard, uri: &Uri) -> Response {
    let token = uri.query().unwrap_or_default().split('&').find_map(|it| it.strip_prefix("token="));
    let cookie = token
        .filter(|token| guard.is_token(token))
        .map(|token| format!("{}={token}; Path=/; HttpOnly; SameSite=Strict", guard.cookie()));
    match cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        Some(cookie) => {
            let to = [(LOCATION, HeaderValue::from_static("/")), (SET_COOKIE, cookie)];
            (StatusCode::SEE_OTHER, to).into_response()
        }
        None => {
            let why = "This page needs a token: open the complete address that gradus printed.\n";
            (StatusCode::UNAUTHORIZED, why).into_response()
        }
    }
}

async fn page(State(site): Shared) -> impl IntoResponse {
    Html(site.page.clone())
}

async fn asset(Path(name): Path<String>) -> Answer<impl IntoResponse> {
    let nothing = || Problem(StatusCode::NOT_FOUND, format!("there is no asset {name:?}"));
    let (kind, text) = assets::asset(&name).ok_or_else(nothing)?;
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text))
}

async fn state(State(site): Shared) -> Answer {
    blocking(move || {
        let state = site.shared.lock();
        Ok(Json(site.shared.describe(&state)))
    })
    .await
}

/// Runs slow work on another thread, so that it does not block other requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let failed = |_| Problem(StatusCode::INTERNAL_SERVER_ERROR, "an internal error".into());
    spawn_blocking(work).await.map_err(failed)?
}

/// Reads the body of a request, unless it has the wrong type, is too large or too slow.
async fn read(
    headers: &HeaderMap,
    body: Body,
    types: &[&str],
    most: usize,
) -> Answer<axum::body::Bytes> {
    let given = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if !types.iter().any(|kind| given == *kind || (kind.ends_with('/') && given.starts_with(kind)))
    {
        let expected = types.join(" or ");
        let why = format!("the request has the type {given:?}; expected {expected}");
        return Err(Problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    match timeout(REQUEST_TIMEOUT, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request is larger than {} kB or incomplete", most >> 10),
        )),
        Err(_) => Err(Problem(StatusCode::REQUEST_TIMEOUT, "the request took too long".into())),
    }
}

async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Answer<T> {
    let bytes = read(headers, body, &["application/json"], MOST_JSON).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem(StatusCode::BAD_REQUEST, format!("the request: {error}")))
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Run(usize),
    File(String),
}

async fn choose_model(State(site): Shared, headers: HeaderMap, body: Body) -> Answer {
    let choice: Choice = read_json(&headers, body).await?;
    blocking(move || {
        let shared = &site.shared;
        Ok(Json(match choice {
            Choice::File(name) => {
                shared.serve(Served::open(&model::path_of(&shared.folder, &name)?)?)
            }
            Choice::Run(id) => {
                let (model, name) = saving::model_of(shared, id)?;
                shared.serve(Served::new((*model).clone(), name, Some(id))?)
            }
        }))
    })
    .await
}

#[derive(Deserialize)]
struct AnswerQuery {
    #[serde(default)]
    units: u8,
}

async fn answer(
    State(site): Shared,
    query: Result<Query<AnswerQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<model::Answer>> {
    let Query(query) = query.map_err(bad_query)?;
    let image = read(&headers, body, &["image/", "application/octet-stream"], MOST_IMAGE).await?;
    blocking(move || {
        let model = site.shared.lock().model.clone();
        let none = || Problem(StatusCode::CONFLICT, "no model is loaded yet".into());
        Ok(Json(model.ok_or_else(none)?.answer(&image, query.units != 0)?))
    })
    .await
}

async fn list_samples(
    State(site): Shared,
    query: Result<Query<samples::Query>, QueryRejection>,
) -> Answer {
    let Query(query) = query.map_err(bad_query)?;
    blocking(move || {
        let model = site.shared.lock().model.clone();
        Ok(Json(site.samples.list(&site.shared, model.as_deref(), &query)?))
    })
    .await
}

fn bad_query(rejection: QueryRejection) -> Problem {
    Problem(StatusCode::BAD_REQUEST, rejection.body_text())
}

async fn start_run(
    State(site): Shared,
    headers: HeaderMap,
    body: Body,
) -> Answer<impl IntoResponse> {
    let request = read_json(&headers, body).await?;
    let id = blocking(move || {
        let id = runs::start(&site.shared, request)?;
        let mut state = site.shared.lock();
        Ok(Json(state.run(id).map(|run| run.to_json_with_history()).unwrap_or_default()))
    });
    Ok((StatusCode::CREATED, id.await?))
}

fn no_run(id: usize) -> Problem {
    Problem(StatusCode::NOT_FOUND, format!("there is no run {id}"))
}

async fn run(State(site): Shared, Path(id): Path<usize>) -> Answer {
    let mut state = site.shared.lock();
    state.run(id).map(|run| Json(run.to_json_with_history())).ok_or_else(|| no_run(id))
}

async fn act(
    State(site): Shared,
    Path((id, act)): Path<(usize, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let shared = site.shared.clone();
    if act == "save" {
        let request: saving::SaveRequest = read_json(&headers, body).await?;
        return blocking(move || match saving::save(&shared, id, &request) {
            Ok(file) => Ok(Json(json!({ "file": file }))),
            Err(saving::Refused::Exists(why)) => Err(Problem(StatusCode::CONFLICT, why)),
            Err(saving::Refused::Wrong(error)) => Err(error.into()),
        })
        .await;
    }
    let _: Value = read_json(&headers, body).await?;
    let run = match act.as_str() {
        "pause" => shared.pause(id, true),
        "continue" => shared.pause(id, false),
        "stop" => shared.stop(id),
        _ => {
            let why = format!("{act:?}: expected pause, continue, stop or save");
            return Err(Problem(StatusCode::NOT_FOUND, why));
        }
    };
    run.map(Json).ok_or_else(|| no_run(id))
}

/// Counts a stream of events while it exists.
struct OpenStream(Arc<Site>);

impl OpenStream {
    fn open(site: &Arc<Site>) -> Option<OpenStream> {
        let open = OpenStream(site.clone());
        let taken = site.streams.fetch_add(1, Ordering::SeqCst);
        (taken < MOST_STREAMS).then_some(open)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn events(
    State(site): Shared,
) -> Answer<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>> {
    let full = || {
        let why = format!("{MOST_STREAMS} pages are already open: close one");
        Problem(StatusCode::SERVICE_UNAVAILABLE, why)
    };
    let open = OpenStream::open(&site).ok_or_else(full)?;
    let (first, receiver) = site.shared.subscribe();
    let stream = stream::unfold((open, Some(first), receiver), |(open, first, receiver)| async {
        let (event, receiver) = match first {
            Some(first) => (first, receiver),
            None => next_event(&open.0.shared, receiver).await?,
        };
        let event = sse::Event::default().event(event.name).data(&*event.data);
        Some((Ok(event), (open, None, receiver)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// The next event. A listener that has missed events gets the whole state instead.
async fn next_event(
    shared: &SharedState,
    mut receiver: Receiver<Event>,
) -> Option<(Event, Receiver<Event>)> {
    match receiver.recv().await {
        Ok(event) => Some((event, receiver)),
        Err(RecvError::Lagged(_)) => Some(shared.subscribe()),
        Err(RecvError::Closed) => None,
    }
}
