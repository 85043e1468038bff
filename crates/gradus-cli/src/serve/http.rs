//! HTTP: the routes of the server, what each request needs before it is answered, and the headers of every
//! response.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use gradus::data::images::parse_size;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Access;
use super::bodies::{self, Unread, Upload};
use super::client::Client;
use super::events::to_json;
use super::form;
use super::guard::Guard;
use super::limits::{Limits, MOST_STREAMS};
use super::model::{self, Served};
use super::problem::{Answer, Problem};
use super::samples::{self, SampleCache};
use super::state::SharedState;
use super::{access, assets, runs, saving, streams};

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

/// Images of more pixels take turns of their own. Drawings have 78 thousand, photos of phones 12 million or more.
const MOST_DRAWING: usize = 4 << 20;

/// State shared by the handlers.
pub(super) struct Site {
    shared: Arc<SharedState>,
    guard: Guard,
    access: Access,
    limits: Limits,
    page: String,
    samples: SampleCache,
}

impl Site {
    pub(super) fn new(shared: Arc<SharedState>, guard: Guard, access: Access) -> Site {
        let (limits, samples) = (Limits::default(), SampleCache::default());
        Site { shared, guard, access, limits, page: assets::index(), samples }
    }
}

type Shared = State<Arc<Site>>;

pub(super) fn router(site: Site) -> Router {
    let site = Arc::new(site);
    Router::new()
        .route("/", get(page))
        .route("/assets/{name}", get(asset))
        .route("/api/state", get(state))
        .route("/api/events", get(events))
        .route("/api/model", post(choose_model))
        .route("/api/answer", post(answer))
        .route("/api/predict", post(predict_row))
        .route("/api/samples", get(list_samples))
        .route("/api/runs", post(start_run))
        .route("/api/runs/{id}", get(run))
        .route("/api/runs/{id}/{act}", post(act))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, NOTHING_HERE))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here")
        })
        .layer(from_fn_with_state(site.clone(), guarded))
        .with_state(site)
}

const NOTHING_HERE: &str = "there is nothing at this address";

/// Rejects what the guard rejects, and adds the headers of every response.
async fn guarded(
    State(site): Shared,
    Extension(client): Extension<Client>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&site, &client, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if refused {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn admit(site: &Site, client: &Client, request: Request, next: Next) -> Answer<Response> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let enters = uri.path() == "/" && method == Method::GET;
    site.guard.check(method, uri, headers, enters)?;
    // No path of this server needs an escape.
    if uri.path().contains('%') {
        return Err(Problem::new(StatusCode::NOT_FOUND, NOTHING_HERE));
    }
    if enters && let Some(entered) = site.access.enter(client.address(), uri, headers).await {
        return entered;
    }
    match site.access.check(client.address(), headers).await {
        // A person who opens the page gets a page, and a program an error in JSON.
        Err(problem) if enters && problem.is_unauthorized() => return Ok(access::no_entry()),
        checked => checked?,
    }
    let admitted = site.limits.admit(client)?;
    let response = next.run(request).await;
    Ok(bodies::in_pieces(response, admitted))
}

async fn page(State(site): Shared) -> impl IntoResponse {
    Html(site.page.clone())
}

async fn asset(Path(name): Path<String>) -> Answer<impl IntoResponse> {
    let (kind, text) = assets::asset(&name).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, format!("there is no asset {name:?}"))
    })?;
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text))
}

async fn state(State(site): Shared, Extension(client): Extension<Client>) -> Answer<Response> {
    let lane = &site.limits.states;
    let place = lane.enter()?;
    let shared = site.shared.clone();
    let text = lane.run(place, &client, move || Ok(shared.describe())).await?;
    bodies::json(text, &site.limits.responses)
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Run(usize),
    File(String),
}

async fn choose_model(
    State(site): Shared,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<Value>> {
    let (lane, limits) = (&site.limits.models, &site.limits);
    let request = Unread { headers: &headers, body, client: &client, limits };
    let choice: Choice = request.json().await?;
    let place = lane.enter()?;
    let shared = site.shared.clone();
    lane.run(place, &client, move || {
        Ok(Json(match choice {
            Choice::File(name) => {
                shared.serve(Served::open(&model::path_of(&shared.folder, &name)?)?)
            }
            Choice::Run(id) => {
                let (model, name) = saving::model_of(&shared, id)?;
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
    Extension(client): Extension<Client>,
    query: Result<Query<AnswerQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let Query(query) = query.map_err(bad_query)?;
    let limits = &site.limits;
    let image = Unread { headers: &headers, body, client: &client, limits }.image().await?;
    let place = limits.drawings.enter()?;
    let predict = {
        let (shared, client) = (site.shared.clone(), client.clone());
        move |image: Upload| {
            let model = shared.lock().model.clone();
            let none = || Problem::new(StatusCode::CONFLICT, "no model is loaded yet");
            let go_on = || client.check();
            let found = model.ok_or_else(none)?.answer(&image.bytes, query.units != 0, go_on)?;
            Ok(to_json(&found))
        }
    };
    // The header shows how much work an image is.
    let small = predict.clone();
    let first = limits.drawings.run(place, &client, move || match is_large(&image) {
        true => Ok(Err(image)),
        false => small(image).map(Ok),
    });
    let text = match first.await? {
        Ok(text) => text,
        Err(image) => {
            let place = limits.photos.enter()?;
            limits.photos.run(place, &client, move || predict(image)).await?
        }
    };
    bodies::json(text, &limits.responses)
}

fn is_large(image: &Upload) -> bool {
    // A file that cannot be read is refused by the prediction, in words.
    parse_size(&image.bytes).is_ok_and(|(height, width)| height * width > MOST_DRAWING)
}

async fn predict_row(
    State(site): Shared,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let limits = &site.limits;
    let row: form::Row = Unread { headers: &headers, body, client: &client, limits }.json().await?;
    let lane = &limits.drawings;
    let place = lane.enter()?;
    let shared = site.shared.clone();
    let text = lane.run(place, &client, move || {
        let model = shared.lock().model.clone();
        // The columns of the form are those of the model for which it was made.
        let model = model.filter(|model| model.id == row.model).ok_or_else(|| {
            Problem::new(StatusCode::CONFLICT, "the form is for a model that is no longer in use")
        })?;
        Ok(to_json(&model.answer_row(&row)?))
    });
    bodies::json(text.await?, &limits.responses)
}

async fn list_samples(
    State(site): Shared,
    Extension(client): Extension<Client>,
    query: Result<Query<samples::Query>, QueryRejection>,
) -> Answer<Response> {
    let Query(query) = query.map_err(bad_query)?;
    let lane = &site.limits.samples;
    let place = lane.enter()?;
    let here = site.clone();
    let listing = lane.run(place, &client, move || {
        let model = here.shared.lock().model.clone();
        Ok(here.samples.list(&here.shared, model.as_deref(), &query)?.to_string())
    });
    bodies::json(listing.await?, &site.limits.responses)
}

fn bad_query(rejection: QueryRejection) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, rejection.body_text())
}

async fn start_run(
    State(site): Shared,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Body,
) -> Answer<impl IntoResponse> {
    let (lane, limits) = (&site.limits.models, &site.limits);
    let request = Unread { headers: &headers, body, client: &client, limits }.json().await?;
    let place = lane.enter()?;
    let shared = site.shared.clone();
    let started = lane.run(place, &client, move || {
        let id = runs::start(&shared, request)?;
        let mut state = shared.lock();
        Ok(state.run(id).map(|run| to_json(&run.with_history())).unwrap_or_default())
    });
    Ok((StatusCode::CREATED, bodies::json(started.await?, &site.limits.responses)?))
}

fn no_run(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no run {id}"))
}

/// The number of a run in an address.
fn run_number(id: &str) -> Answer<usize> {
    id.parse().map_err(|_| no_run(id))
}

async fn run(
    State(site): Shared,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
) -> Answer<Response> {
    let number = run_number(&id)?;
    let lane = &site.limits.states;
    let place = lane.enter()?;
    let shared = site.shared.clone();
    let text = lane.run(place, &client, move || {
        // The text is made after the lock is released: a long run has megabytes.
        let run = shared.lock().run(number).map(|run| run.with_history());
        Ok(to_json(&run.ok_or_else(|| no_run(&id))?))
    });
    bodies::json(text.await?, &site.limits.responses)
}

async fn act(
    State(site): Shared,
    Extension(client): Extension<Client>,
    Path((id, act)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<Value>> {
    let number = run_number(&id)?;
    let (shared, limits) = (site.shared.clone(), &site.limits);
    let body = Unread { headers: &headers, body, client: &client, limits };
    if act == "save" {
        let request: saving::SaveRequest = body.json().await?;
        let lane = &limits.models;
        let place = lane.enter()?;
        return lane.run(place, &client, move || save(&shared, number, &request)).await;
    }
    let _: Value = body.json().await?;
    let run = match act.as_str() {
        "pause" => shared.pause(number, true),
        "continue" => shared.pause(number, false),
        "stop" => shared.stop(number),
        _ => {
            let why = format!("{act:?}: expected pause, continue, stop or save");
            return Err(Problem::new(StatusCode::NOT_FOUND, why));
        }
    };
    run.map(Json).ok_or_else(|| no_run(&id))
}

fn save(shared: &SharedState, run: usize, request: &saving::SaveRequest) -> Answer<Json<Value>> {
    use saving::Refused;
    match saving::save(shared, run, request) {
        Ok(file) => Ok(Json(json!({ "file": file }))),
        Err(Refused::Exists(why)) => Err(Problem::new(StatusCode::CONFLICT, why)),
        Err(Refused::Ending) => Err(Problem::busy("the server is shutting down")),
        Err(Refused::Wrong(error)) => Err(error.into()),
    }
}

async fn events(
    State(site): Shared,
    Extension(client): Extension<Client>,
) -> Answer<impl IntoResponse> {
    let full = |_| Problem::busy(format!("{MOST_STREAMS} pages are already open: close one"));
    let open = site.limits.streams.clone().try_acquire_owned().map_err(full)?;
    let (lane, shared) = (&site.limits.states, site.shared.clone());
    let listening = lane.run(lane.enter()?, &client, move || {
        let slow =
            || Problem::busy("other pages are still receiving the state: try again in a moment");
        streams::listen(shared, open).ok_or_else(slow)
    });
    let stream = listening.await?;
    Ok(([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)))
}
