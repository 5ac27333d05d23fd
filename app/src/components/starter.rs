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

/// How much is asked before a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// What is needed and has no default.
    Needed,
    /// Every input, where there is any.
    Inputs,
    /// Every input, and what it may spend.
    Budget,
}

/// What is about to be started.
#[derive(Clone)]
struct Chosen {
    id: WorkflowId,
    name: String,
    inputs: Vec<InputSpec>,
    limited: bool,
}

/// Starts workflows; one per page, with one `StarterDialog`.
#[derive(Clone, Copy)]
pub struct Starter {
    chosen: RwSignal<Option<Chosen>>,
    open: RwSignal<bool>,
    look: Action<(WorkflowId, Asks), ()>,
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
    let look = Action::new(move |(id, asks): &(WorkflowId, Asks)| {
        let (id, asks) = (*id, *asks);
        async move {
            match api::workflow(id, None).await {
                Ok(detail) => {
                    let inputs = detail.drawing.inputs;
                    let needs = inputs
                        .iter()
                        .any(|input| input.required && input.default.is_none());
                    let asked = match asks {
                        Asks::Needed => needs,
                        Asks::Inputs => !inputs.is_empty(),
                        Asks::Budget => true,
                    };
                    if asked {
                        chosen.set(Some(Chosen {
                            id,
                            name: detail.drawing.name,
                            inputs,
                            limited: asks == Asks::Budget,
                        }));
                        open.set(true);
                    } else {
                        start.dispatch((id, json!({}), Budget::default()));
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
        self.look.dispatch((workflow, Asks::Needed));
    }

    /// Asks for its inputs first, where it has any.
    pub fn ask(self, workflow: WorkflowId) {
        self.look.dispatch((workflow, Asks::Inputs));
    }

    /// Asks for its inputs and what it may spend.
    pub fn ask_for_budget(self, workflow: WorkflowId) {
        self.look.dispatch((workflow, Asks::Budget));
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
            limited=Signal::derive(move || chosen.read().as_ref().is_some_and(|chosen| chosen.limited))
        />
    }
}
