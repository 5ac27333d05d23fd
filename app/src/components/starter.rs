//! Starting a workflow from wherever it is named: at once where it can go with its defaults, else after
//! asking for its inputs.

use domain::budget::Budget;
use domain::{graph::InputSpec, id::WorkflowId};
use leptos::prelude::*;
use serde_json::{Value, json};

use super::{
    run_dialog::{RunDialog, start_action},
    toast::use_toasts,
};
use crate::{api, error::ApiError};

/// What is about to be started.
#[derive(Clone)]
struct Chosen {
    id: WorkflowId,
    name: String,
    inputs: Vec<InputSpec>,
}

/// Starts workflows; one per page, with one `StarterDialog`.
#[derive(Clone, Copy)]
pub struct Starter {
    chosen: RwSignal<Option<Chosen>>,
    open: RwSignal<bool>,
    look: Action<(WorkflowId, bool), ()>,
    start: Action<(WorkflowId, Value, Budget), Result<(), ApiError>>,
}

/// Makes a starter for this page.
pub fn use_starter() -> Starter {
    let toasts = use_toasts();
    let (chosen, open) = (RwSignal::new(None), RwSignal::new(false));
    let start = start_action();
    Effect::new(move |_| {
        if let Some(Err(error)) = start.value().get() {
            toasts.fail(&error);
        }
    });
    let look = Action::new(move |(id, ask): &(WorkflowId, bool)| {
        let (id, ask) = (*id, *ask);
        async move {
            match api::workflow(id, None).await {
                Ok(detail) => {
                    let inputs = detail.drawing.inputs;
                    let needs = inputs
                        .iter()
                        .any(|input| input.required && input.default.is_none());
                    if inputs.is_empty() || !(ask || needs) {
                        start.dispatch((id, json!({}), Budget::default()));
                    } else {
                        chosen.set(Some(Chosen {
                            id,
                            name: detail.drawing.name,
                            inputs,
                        }));
                        open.set(true);
                    }
                }
                Err(error) => toasts.fail(&error),
            }
        }
    });
    Starter {
        chosen,
        open,
        look,
        start,
    }
}

impl Starter {
    /// Starts it with its defaults; asks only where something is needed that has none.
    pub fn start(self, workflow: WorkflowId) {
        self.look.dispatch((workflow, false));
    }

    /// Asks for its inputs first, where it has any.
    pub fn ask(self, workflow: WorkflowId) {
        self.look.dispatch((workflow, true));
    }

    /// Whether something is being started.
    pub fn busy(self) -> Signal<bool> {
        let (look, start) = (self.look.pending(), self.start.pending());
        Signal::derive(move || look.get() || start.get())
    }
}

/// Where a starter asks.
#[component]
pub fn StarterDialog(starter: Starter) -> impl IntoView {
    let chosen = starter.chosen;
    view! {
        <RunDialog
            open=starter.open
            workflow=Signal::derive(move || chosen.read().as_ref().map(|chosen| chosen.id))
            inputs=Signal::derive(move || chosen.read().as_ref().map(|chosen| chosen.inputs.clone()).unwrap_or_default())
            name=Signal::derive(move || chosen.read().as_ref().map(|chosen| chosen.name.clone()).unwrap_or_default())
        />
    }
}
