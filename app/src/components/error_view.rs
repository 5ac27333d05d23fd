//! An error as people read it: what happened, what it means, what to do.

use leptos::prelude::*;

use super::{badge::StatusGlyph, button::Button};
use crate::error::{ApiError, ErrorKind};

/// What sort of trouble it is, in a few words.
pub fn headline(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest => "The request could not be read",
        ErrorKind::Unauthorised => "Nobody is logged in",
        ErrorKind::Forbidden => "Not allowed",
        ErrorKind::NotFound => "Not found",
        ErrorKind::Conflict => "It has changed meanwhile",
        ErrorKind::TooLarge => "Too large",
        ErrorKind::Invalid => "Something in it is wrong",
        ErrorKind::PreconditionRequired => "It must say what it is based on",
        ErrorKind::Unavailable => "Not possible right now",
        ErrorKind::Internal => "Something broke on the server",
        ErrorKind::Unreachable => "The server does not answer",
    }
}

/// An error in place of what could not be shown or done.
#[component]
pub fn ErrorView(
    /// The error.
    error: ApiError,
    /// Tries again, where that may help.
    #[prop(optional, into)]
    retry: Option<Callback<()>>,
) -> impl IntoView {
    view! {
        <div class="error-view" role="alert">
            <p class="error-title"><StatusGlyph status="failed" plain=true/>{headline(error.kind)}</p>
            <p>{error.message}</p>
            {retry.map(|retry| view! { <Button on_press=retry>"Try again"</Button> })}
        </div>
    }
}
