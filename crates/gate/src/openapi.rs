//! The pieces that every description of an API shares.

use serde::Serialize;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::problem::Fault;

/// What is answered when something is wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = HttpErrorOut)]
pub struct ProblemOut {
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

/// What is answered when the request's content is wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = HTTPValidationError)]
pub struct InvalidOut {
    /// A word for programs.
    pub code: String,
    /// Everything that is wrong.
    pub detail: Vec<Fault>,
}

/// The errors that any route behind a token can answer with.
#[derive(Debug, utoipa::IntoResponses)]
pub enum Problems {
    /// The request makes no sense.
    #[response(status = 400)]
    Bad(ProblemOut),
    /// No token, or none that works.
    #[response(status = 401)]
    Unauthenticated(ProblemOut),
    /// The token does not allow this.
    #[response(status = 403)]
    Forbidden(ProblemOut),
    /// There is no such thing.
    #[response(status = 404)]
    NotFound(ProblemOut),
    /// It does not fit to what is there.
    #[response(status = 409)]
    Conflict(ProblemOut),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(ProblemOut),
    /// The request's content is wrong.
    #[response(status = 422)]
    Invalid(InvalidOut),
    /// Too much at once; try again after `Retry-After` seconds.
    #[response(status = 429)]
    TooMany(ProblemOut),
    /// Not possible now; try again after `Retry-After` seconds.
    #[response(status = 503)]
    Unavailable(ProblemOut),
}

/// The name of the security scheme.
pub const BEARER: &str = "HTTPBearer";

/// Adds what routes refer to: the security scheme, and the shapes of errors.
pub fn add_common(api: &mut OpenApi) {
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = api.components.get_or_insert_default();
    components.add_security_scheme(BEARER, scheme);
    let shapes = [
        (ProblemOut::name(), ProblemOut::schema()),
        (InvalidOut::name(), InvalidOut::schema()),
        (Fault::name(), Fault::schema()),
    ];
    components
        .schemas
        .extend(shapes.map(|(name, shape)| (name.into_owned(), shape)));
}
