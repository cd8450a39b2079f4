//! A Onezone in small: the two documented endpoints, and one that spends a token, over HTTPS. See README.md.

mod zone;

use std::{env, error::Error, fs, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRequestParts, Path as Segment, State, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use token_api::{ApiError, Authority, ClaimId, Config, KeyRing, Purpose, RedbStore, SpendError, Subject};
use zone::Zone;

type Onezone = Authority<RedbStore, Arc<Zone>>;

#[derive(Clone)]
struct Server {
    zone: Arc<Zone>,
    onezone: Arc<Onezone>,
}

/// Who calls, by HTTP basic authentication; `None` without credentials or with wrong ones.
struct Client(Option<Subject<String>>);

impl FromRequestParts<Server> for Client {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Failure> {
        let credentials = || {
            let (scheme, encoded) =
                parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
            let text =
                BASE64_STANDARD.decode(encoded).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
            let (name, password) = str::from_utf8(&text).ok()?.split_once(':')?;
            server.zone.authenticate(name, password)
        };
        Ok(Self(credentials()))
    }
}

/// An answer other than 200, with the documented body.
struct Failure(ApiError);

impl<E: Into<ApiError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.0)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"onezone\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Calls the authority on a thread that may wait for the disk. The call ends even if the client hangs up.
async fn call<T: Send + 'static>(
    server: Server,
    work: impl FnOnce(&Server) -> Result<T, Failure> + Send + 'static,
) -> Result<Json<T>, Failure> {
    let done = tokio::task::spawn_blocking(move || work(&server)).await;
    done.map_err(|_| ApiError::SERVER_ERROR)?.map(Json)
}

async fn group_token(
    State(server): State<Server>,
    Client(client): Client,
    Segment(id): Segment<String>,
) -> Result<impl IntoResponse, Failure> {
    let mint = move |server: &Server| {
        Ok(server.onezone.create_group_spaces_token(client.as_ref().map(Subject::as_deref), &id)?)
    };
    call(server, mint).await
}

async fn space_token(
    State(server): State<Server>,
    Client(client): Client,
    Segment(id): Segment<String>,
) -> Result<impl IntoResponse, Failure> {
    let mint = move |server: &Server| {
        Ok(server.onezone.get_space_provider_token(client.as_ref().map(Subject::as_deref), &id)?)
    };
    call(server, mint).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Support {
    token: String,
    /// The provider's own name for this request. A retry under the same name gets the same answer.
    claim: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Supported {
    space_id: String,
    repeated: bool,
}

/// A provider supports the space of a token. The use is spent before the provider is entered.
async fn support(
    State(server): State<Server>,
    Client(client): Client,
    request: Result<Json<Support>, JsonRejection>,
) -> Result<impl IntoResponse, Failure> {
    let provider = client.ok_or(ApiError::UNAUTHENTICATED)?;
    let Json(Support { token, claim }) = request.map_err(|_| ApiError::INVALID_REQUEST)?;
    let spend = move |server: &Server| {
        let Subject::Provider(id) = &provider else { return Err(ApiError::FORBIDDEN.into()) };
        let (claim, mut context) = (ClaimId::new(claim)?, server.onezone.context());
        context.consumer = Some(provider.clone());
        let enter = |spent: &token_api::Spent| {
            let space = spent.accepted.resource.as_ref().ok_or(ApiError::SERVER_ERROR)?;
            server.zone.support(&space.id, id);
            Ok(space.id.clone())
        };
        let done = server.onezone.spend_with(token.as_str(), Purpose::SpaceSupport, &claim, &context, enter);
        let (spent, space_id) = done.map_err(|error: SpendError<ApiError>| match error {
            SpendError::Accept(refused) => refused.into(),
            _ => ApiError::SERVER_ERROR,
        })?;
        Ok(Supported { space_id, repeated: spent.repeated })
    };
    call(server, spend).await
}

fn router(server: Server) -> Router {
    let failed = |error: ApiError| async move { Failure(error) };
    Router::new()
        .route("/api/v3/onezone/groups/{id}/spaces/token", get(group_token))
        .route("/api/v3/onezone/spaces/{id}/providers/token", get(space_token))
        .route("/api/v3/onezone/provider/spaces/support", post(support))
        .fallback(move || failed(ApiError::NOT_FOUND))
        .method_not_allowed_fallback(move || failed(ApiError::INVALID_REQUEST))
        .layer(DefaultBodyLimit::max(2 << 20))
        .layer(map_response(async |mut response: Response| {
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }))
        .with_state(server)
}

/// Opens the key ring and the store, or makes both where there is neither.
fn open(home: &Path) -> Result<(KeyRing, RedbStore), Box<dyn Error>> {
    let (keys, store) = (home.join("keys"), home.join("tokens.redb"));
    if keys.try_exists()? || store.try_exists()? {
        return Ok((KeyRing::load(keys)?, RedbStore::open(store)?));
    }
    fs::create_dir_all(home)?;
    Ok((KeyRing::create(keys)?, RedbStore::create(store)?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [zone, home, listen] = arguments.as_slice() else {
        return Err("give a file with users and spaces, a directory, and where to listen".into());
    };
    let zone: Arc<Zone> = Arc::new(toml::from_str(&fs::read_to_string(zone)?)?);
    let (keys, store) = open(Path::new(home))?;
    let onezone = Arc::new(Authority::new(store, keys, Arc::clone(&zone), Config::default())?);

    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a provider is installed")?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let tls =
        RustlsConfig::from_der(vec![made.cert.der().to_vec()], made.signing_key.serialize_der()).await?;
    let handle = Handle::new();
    let stop = handle.clone();
    tokio::spawn(async move {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! { _ = tokio::signal::ctrl_c() => {} _ = terminate.recv() => {} }
        // No new requests; those in flight have ten seconds.
        stop.graceful_shutdown(Some(Duration::from_secs(10)));
        io::Result::Ok(())
    });
    let listen: SocketAddr = listen.parse()?;
    tracing::info!(%listen, "serving");
    let service = router(Server { zone, onezone }).into_make_service();
    axum_server::bind_rustls(listen, tls).handle(handle).serve(service).await?;
    tracing::info!("stopped");
    Ok(())
}
