//! An agent in the list, with the legal moves.

use domain::{
    agent::{Agent, Phase},
    id::AgentId,
};
use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    agent_words::{doing, moves},
    badge::{Badge, StatusBadge},
    button::IconButton,
    dialog::Dialog,
    icon::Glyph,
    numbers::Money,
    toast::use_toasts,
};
use crate::{
    api,
    components::{Button, ButtonLook},
    live::use_live,
    words,
};

/// An agent in the list.
#[component]
pub fn AgentRow(
    /// The agent.
    agent: Signal<Agent>,
) -> impl IntoView {
    let now = use_live().now;
    let id = agent.read_untracked().id;
    let phase = Signal::derive(move || agent.read().state.phase());
    let name = Signal::derive(move || agent.read().spec.name.clone());
    view! {
        <li class="row agent-row">
            <StatusBadge status=Signal::derive(move || phase.get().name().to_owned())/>
            <div class="row-main">
                <A href=format!("/agents/{id}") attr:class="row-link" attr:data-row="">{name}</A>
                {move || agent.read().on_demand.then(|| view! { <Badge>"on demand"</Badge> })}
                <p class="row-note">{move || agent.with(|agent| doing(agent, now.get()))}</p>
            </div>
            <span class="badges">
                {move || agent.read().spec.capabilities.clone().into_iter().map(|word| view! { <Badge>{word}</Badge> }).collect_view()}
            </span>
            <span class="row-figure mono muted">{move || agent.with(|agent| agent.spec.model.clone().unwrap_or_else(|| "default model".into()))}</span>
            <span class="row-figure number muted">{move || words::plural(agent.read().attempts_done, "attempt", "attempts")}</span>
            <Money amount=Signal::derive(move || Some(agent.read().cost_usd))/>
            <AgentMoves id name phase/>
        </li>
    }
    .into_any()
}

/// What may be done to an agent now; what is not legal is not there.
#[component]
pub fn AgentMoves(
    /// Which.
    id: AgentId,
    /// Its name.
    name: Signal<String>,
    /// What it is.
    phase: Signal<Phase>,
) -> impl IntoView {
    let toasts = use_toasts();
    let asking = RwSignal::new(false);
    let pause = Action::new(move |(): &()| async move {
        api::pause_agent(id)
            .await
            .inspect_err(|error| toasts.fail(error))
    });
    let resume = Action::new(move |(): &()| async move {
        api::resume_agent(id)
            .await
            .inspect_err(|error| toasts.fail(error))
    });
    let terminate = Action::new(move |(): &()| async move {
        api::terminate_agent(id)
            .await
            .inspect_err(|error| toasts.fail(error))
    });
    let legal = Memo::new(move |_| moves(phase.get()));
    let label = move |verb: &'static str| Signal::derive(move || format!("{verb} {}", name.get()));
    view! {
        <div class="row-actions">
            <Show when=move || legal.read().pause>
                <IconButton glyph=Glyph::Pause label=label("Pause") on_press=move |()| { pause.dispatch(()); }/>
            </Show>
            <Show when=move || legal.read().resume>
                <IconButton glyph=Glyph::Play label=label("Resume") on_press=move |()| { resume.dispatch(()); }/>
            </Show>
            <Show when=move || legal.read().terminate>
                <IconButton glyph=Glyph::Stop label=label("Terminate") on_press=move |()| asking.set(true)/>
            </Show>
        </div>
        <Dialog title=label("Terminate") open=asking>
            <p>
                {move || match phase.get() {
                    Phase::Working => "It is at work: what it is doing fails, and is tried again by another agent where the step allows that. ",
                    Phase::Spawning | Phase::Idle | Phase::Paused | Phase::Error | Phase::Terminated => "",
                }}
                "A terminated agent cannot be brought back."
            </p>
            <div class="form-actions">
                <Button on_press=move |()| asking.set(false)>"Keep it"</Button>
                <Button
                    look=ButtonLook::Danger
                    on_press=move |()| {
                        asking.set(false);
                        terminate.dispatch(());
                    }
                >
                    {move || format!("Terminate {}", name.get())}
                </Button>
            </div>
        </Dialog>
    }
    .into_any()
}
