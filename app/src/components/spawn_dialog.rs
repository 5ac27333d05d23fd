//! Making an agent by hand.

use domain::{agent::AgentSpec, graph::Preferences};
use leptos::{ev::SubmitEvent, prelude::*};
use serde_json::Value;

use super::{
    button::{Button, ButtonLook},
    dialog::Dialog,
    error_view::ErrorView,
    field::Field,
    models::{AnotherModel, ModelTerms, ModelsOnOffer},
    preferences::PreferencesField,
    toast::use_toasts,
};
use crate::api;

/// Words parted by commas or spaces, each once.
pub fn read_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text
        .split([',', ' ', '\n'])
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

/// Asks what the agent is made from, and makes it.
#[component]
pub fn SpawnDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! { <Dialog title="Spawn agent" open><SpawnForm open/></Dialog> }
}

#[component]
fn SpawnForm(open: RwSignal<bool>) -> impl IntoView {
    let toasts = use_toasts();
    let [name, capabilities, model, models, tools, instructions] =
        [(); 6].map(|()| RwSignal::new(String::new()));
    let preferences = RwSignal::new(None::<Value>);
    let wrong = RwSignal::new(None::<String>);
    let (max_tasks, memory) = (RwSignal::new("1".to_owned()), RwSignal::new(false));
    let spawn = Action::new(move |spec: &AgentSpec| {
        let spec = spec.clone();
        async move {
            let name = spec.name.clone();
            api::spawn_agent(spec).await?;
            toasts.say(format!("Spawned {name}."));
            open.set(false);
            Ok(())
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let name = name.get_untracked().trim().to_owned();
        if name.is_empty() {
            wrong.set(Some("An agent needs a name.".into()));
            return;
        }
        wrong.set(None);
        // The fields make nothing that cannot be used.
        let provider = preferences.get_untracked();
        let provider = provider.and_then(|value| Preferences::parse(&value).ok());
        let model = Some(model.get_untracked().trim().to_owned()).filter(|model| !model.is_empty());
        spawn.dispatch(AgentSpec {
            name,
            capabilities: read_words(&capabilities.get_untracked()),
            model,
            models: read_words(&models.get_untracked()),
            provider: provider.unwrap_or_default(),
            instructions: instructions.get_untracked().trim().to_owned(),
            tools: read_words(&tools.get_untracked()),
            // The field takes nothing but small numbers.
            max_tasks: max_tasks.get_untracked().trim().parse().unwrap_or(1),
            memory: memory.get_untracked(),
        });
    };
    let failed = move || {
        spawn
            .value()
            .get()
            .and_then(|done: Result<(), crate::error::ApiError>| done.err())
    };
    view! {
        <form class="form" on:submit=submit>
            <Field id="agent-name" label="Name" required=true error=wrong help="Unique among live agents; nodes can name it.">
                <input id="agent-name" aria-describedby="agent-name-help" type="text" data-focus="" maxlength="80" bind:value=name/>
            </Field>
            <Field id="agent-capabilities" label="Capabilities" help="Words that nodes ask for, parted by commas: planning, research.">
                <input id="agent-capabilities" aria-describedby="agent-capabilities-help" type="text" bind:value=capabilities/>
            </Field>
            <Field id="agent-model" label="Model" help="provider:model. Empty: the server's default.">
                <input id="agent-model" aria-describedby="agent-model-help" type="text" class="mono" placeholder="rehearsal:default" list="models-on-offer" bind:value=model/>
            </Field>
            <ModelTerms named=model/>
            <ModelsOnOffer id="models-on-offer"/>
            <Field id="agent-models" label="Fallback models" help="Asked in this order when the model brings no answer, parted by commas.">
                <input id="agent-models" aria-describedby="agent-models-help" type="text" class="mono" bind:value=models/>
            </Field>
            <AnotherModel
                list="models-on-offer"
                on_add=move |model: String| models.update(|models| {
                    let mut chosen = read_words(models);
                    chosen.push(model);
                    *models = chosen.join(", ");
                })
            />
            <Field
                id="agent-provider"
                label="Provider preferences"
                help="For OpenRouter: which of the servers behind it are asked."
            >
                <PreferencesField id="agent-provider" value=preferences put=move |value| preferences.set(value)/>
            </Field>
            <Field id="agent-tools" label="Tools" help="Tools that it may use, parted by commas.">
                <input id="agent-tools" aria-describedby="agent-tools-help" type="text" bind:value=tools/>
            </Field>
            <Field id="agent-instructions" label="Instructions" help="Standing orders that go before every prompt.">
                <textarea
                    id="agent-instructions"
                    aria-describedby="agent-instructions-help"
                    rows="4"
                    prop:value=move || instructions.get()
                    on:input:target=move |event| instructions.set(event.target().value())
                ></textarea>
            </Field>
            <Field id="agent-tasks" label="Tasks at a time" help="How many tasks it does at once.">
                <input id="agent-tasks" aria-describedby="agent-tasks-help" type="number" min="1" max="1000" bind:value=max_tasks/>
            </Field>
            <Field id="agent-memory" label="Remembers other runs" help="What it noted and what was written to it there. Off: it begins each run afresh.">
                <input
                    id="agent-memory"
                    aria-describedby="agent-memory-help"
                    type="checkbox"
                    prop:checked=move || memory.get()
                    on:change:target=move |event| memory.set(event.target().checked())
                />
            </Field>
            {move || failed().map(|error| view! { <ErrorView error/> })}
            <div class="form-actions">
                <Button on_press=move |()| open.set(false)>"Cancel"</Button>
                <Button look=ButtonLook::Primary submit=true busy=spawn.pending()>"Spawn"</Button>
            </div>
        </form>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::read_words;

    #[test]
    fn words_are_parted_by_commas_or_spaces() {
        assert_eq!(
            read_words("planning, research  planning,\nwriting"),
            ["planning", "research", "writing"]
        );
        assert!(read_words(" , ").is_empty());
    }
}
