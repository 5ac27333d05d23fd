//! Bringing a workflow file in. A file with problems is not stored: they are all listed.

use domain::graph::{Problem, Severity};
use leptos::{html, prelude::*};

use super::{
    badge::StatusGlyph, button::Button, dialog::Dialog, error_view::ErrorView, go_to::use_go_to,
    icon::Glyph,
};
use crate::{
    api,
    api::dto::Imported,
    error::{ApiError, ErrorKind},
    words,
};

/// A file that was chosen.
#[derive(Clone)]
struct Chosen {
    name: String,
    text: String,
}

/// What is wrong with it.
#[derive(Clone)]
enum Wrong {
    Problems {
        problems: Vec<Problem>,
        draft_possible: bool,
    },
    Error(ApiError),
}

/// A button that asks for a file and brings it in.
#[component]
pub fn ImportButton() -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let open = RwSignal::new(false);
    let chosen = RwSignal::new(None::<Chosen>);
    let wrong = RwSignal::new(None::<Wrong>);
    let to = use_go_to();
    let import = Action::new(move |as_draft: &bool| {
        let as_draft = *as_draft;
        async move {
            let Some(Chosen { text, .. }) = chosen.get_untracked() else {
                return;
            };
            match api::import_workflow(text, as_draft).await {
                Ok(Imported::Saved { saved }) => {
                    open.set(false);
                    to.go(format!("/workflows/{}", saved.id));
                }
                Ok(Imported::Refused {
                    problems,
                    draft_possible,
                }) => {
                    wrong.set(Some(Wrong::Problems {
                        problems,
                        draft_possible,
                    }));
                    open.set(true);
                }
                Err(error) => {
                    wrong.set(Some(Wrong::Error(error)));
                    open.set(true);
                }
            }
        }
    });
    let read = move |_| {
        read_file(input, move |file| match file {
            Ok(file) => {
                chosen.set(Some(file));
                import.dispatch(false);
            }
            Err(error) => {
                wrong.set(Some(Wrong::Error(error)));
                open.set(true);
            }
        });
    };
    let title = Signal::derive(move || {
        chosen.read().as_ref().map_or_else(
            || "Import".to_owned(),
            |file| format!("{} was not imported", file.name),
        )
    });
    view! {
        <input node_ref=input type="file" accept=".json,application/json" class="only-said" tabindex="-1" aria-label="Workflow file" on:change=read/>
        <Button
            icon=Glyph::Upload
            busy=import.pending()
            on_press=move |()| {
                if let Some(input) = input.get_untracked() {
                    input.click();
                }
            }
        >
            "Import"
        </Button>
        <Dialog title open wide=true>
            {move || wrong.get().map(|wrong| view! { <Refused wrong as_draft=Callback::new(move |()| { import.dispatch(true); })/> })}
        </Dialog>
    }
}

/// Why a file is not stored.
#[component]
fn Refused(wrong: Wrong, as_draft: Callback<()>) -> impl IntoView {
    match wrong {
        Wrong::Error(error) => view! { <ErrorView error/> }.into_any(),
        Wrong::Problems {
            problems,
            draft_possible,
        } => {
            let count = problems
                .iter()
                .filter(|problem| problem.severity == Severity::Error)
                .count() as u64;
            view! {
                <p>{format!("The file has {}. Nothing was stored.", words::plural(count, "problem", "problems"))}</p>
                <ul class="problems" aria-label="Problems">{problems.into_iter().map(|problem| view! { <ProblemLine problem/> }).collect_view()}</ul>
                {draft_possible
                    .then(|| {
                        view! {
                            <div class="form-actions">
                                <p class="muted">"A draft can be mended in the editor; it cannot run before."</p>
                                <Button on_press=as_draft>"Import as a draft"</Button>
                            </div>
                        }
                    })}
            }
            .into_any()
        }
    }
}

/// One problem of a drawing, with its place.
#[component]
pub fn ProblemLine(problem: Problem) -> impl IntoView {
    let status = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = [problem.node, problem.edge, problem.key]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ");
    view! {
        <li data-status=status>
            <StatusGlyph status=status/>
            <span>{problem.message}</span>
            <code>{place}</code>
        </li>
    }
}

/// Larger files are refused by the server anyway; this spares the upload.
const LARGEST_BYTES: f64 = 32e6;

fn read_file(input: NodeRef<html::Input>, done: impl Fn(Result<Chosen, ApiError>) + 'static) {
    #[cfg(feature = "hydrate")]
    {
        let Some(input) = input.get_untracked() else {
            return;
        };
        let Some(file) = input.files().and_then(|files| files.get(0)) else {
            return;
        };
        // The same file may be chosen again after it was mended.
        input.set_value("");
        if file.size() > LARGEST_BYTES {
            done(Err(ApiError::new(
                ErrorKind::TooLarge,
                "too_large",
                "The file is larger than 32 MB. Workflow files are text and far smaller: is it the right one?",
            )));
            return;
        }
        leptos::task::spawn_local(async move {
            let text = wasm_bindgen_futures::JsFuture::from(file.text()).await;
            done(match text.ok().and_then(|text| text.as_string()) {
                Some(text) => Ok(Chosen {
                    name: file.name(),
                    text,
                }),
                None => Err(ApiError::new(
                    ErrorKind::BadRequest,
                    "unreadable_file",
                    "The file could not be read. It may have been moved or changed meanwhile; choose it again.",
                )),
            });
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (input, done, LARGEST_BYTES, ErrorKind::TooLarge);
}
